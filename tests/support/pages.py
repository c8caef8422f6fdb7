"""What the web console's pages are: their routes, and a reader of HTML that finds links, forms and what does not belong.

The reader knows the rules of the house: no inline script or style, no handler in an attribute, and nothing that somebody
else's text has made into an element.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx
from litestar.handlers import BaseRouteHandler

from gatepost.admin.web import pages, wording

MARK = "data-forged"
FORGED = f"\"'></textarea></title></script><img {MARK} src=x onerror=alert(1)><script {MARK}>alert(1)</script>{{{{7*191}}}}"
"""A text that breaks out of every place where it is not escaped."""
EVALUATED = str(7 * 191)
PER_ROUTE = 2
"""Pages of one route that a crawl looks at."""


@dataclass
class Form:
    """A form as it stands on a page."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    """Names of the fields that anything can be typed into."""


class Parsed(HTMLParser):
    """One page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.faults: list[str] = []
        """What does not belong."""
        self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = {name: value or "" for name, value in attrs}
        told = self.get_starttag_text() or tag
        if MARK in had:
            self.faults.append(f"forged: {told}")
        if any(name.startswith(("on", "hx-on")) or name == "style" for name in had) or tag == "style":
            self.faults.append(f"inline: {told}")
        if tag == "script" and not had.get("src", "").startswith("/static/"):
            self.faults.append(f"not a script of ours: {told}")
        for name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
            if name in had and not had[name].startswith(("/", "#", "?", "mailto:")) and had[name]:
                self.faults.append(f"leads elsewhere: {told}")
        if tag == "a" and "href" in had:
            self.links.append(had["href"])
        elif tag == "form":
            self.forms.append(Form(had.get("method", "get").lower(), had.get("action", "")))
        elif tag in ("input", "select", "textarea") and self.forms and "name" in had:
            self._field(tag, had)

    def _field(self, tag: str, had: dict[str, str]) -> None:
        kind = had.get("type", "text") if tag == "input" else tag
        if kind in ("checkbox", "radio", "submit", "button", "file"):
            return
        form, name = self.forms[-1], had["name"]
        form.fields[name] = had.get("value", "")
        self._area = name if tag == "textarea" else ""
        if kind in ("text", "search", "textarea", "email", "number"):
            form.texts.add(name)

    def handle_data(self, data: str) -> None:
        if self._area and self.forms:
            self.forms[-1].fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


def handlers() -> list[BaseRouteHandler]:
    """Return the handlers of all pages."""
    return [handler for module in pages.MODULES for handler in module.HANDLERS]


def routes(method: str) -> dict[str, BaseRouteHandler]:
    """Return the paths for a method, as `/policies/{listener:str}/new`, with their handlers."""
    return {path: one for one in handlers() if method in one.http_methods for path in sorted(one.paths)}


def route_of(path: str) -> str:
    """Return which route a page belongs to; empty for none."""
    for route in sorted(routes("GET"), key=lambda one: one.count("{")):
        if re.fullmatch(re.sub(r"\{\w+:\w+\}", "[^/]+", route), path):
            return route
    return ""


def crawl(get: Callable[[str], httpx.Response], per_route: int = PER_ROUTE) -> Iterator[tuple[str, str, httpx.Response]]:
    """Follow every link from the menu on; yields route, path with query, and answer, of each route a few pages."""
    waiting = [path for _, links in wording.NAVIGATION for _, path in links] + ["/commit", "/password"]
    seen: dict[str, set[str]] = {}
    while waiting:
        there = waiting.pop(0)
        path = urlsplit(there).path
        route = route_of(path)
        if not route or there in seen.setdefault(route, set()) or len(seen[route]) >= per_route:
            continue
        seen[route].add(there)
        answer = get(there)
        yield route, there, answer
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            waiting += [urljoin(there, link).partition("#")[0] for link in Parsed(answer.text).links]
