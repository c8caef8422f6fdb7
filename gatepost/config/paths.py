"""Paths into the document: `listeners.InboundMail.policies.PARTNER_TLS.tls`, `destinations."partner.example".tls`.

A path is a TOML dotted key. A row of a list of tables is named by its own name (`sender_groups.PARTNERS`), or by its
place counted from 0 (`sender_groups[2]`) where the name is missing or stands twice.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence

import tomli_w

Part = str | int

_TOKEN = re.compile(r"""(?P<bare>[A-Za-z0-9_-]+)|"(?P<basic>(?:[^"\\]|\\.)*)"|'(?P<literal>[^']*)'|\[(?P<place>\d+)\]""")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN = re.compile(r"[ !#-\[\]-~]*")


def join(parts: Iterable[Part]) -> str:
    """Write a path."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + key(part)
    return text


def key(name: str) -> str:
    """Write one key, in quotes where it needs them."""
    if _BARE.fullmatch(name):  # nearly all, and a table may hold a million
        return name
    if _PLAIN.fullmatch(name):
        return f'"{name}"'
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")


def split(path: str) -> list[Part]:
    """Read a path; raises ValueError with one sentence."""
    parts: list[Part] = []
    at = 0
    while at < len(path):
        if parts and path[at] == ".":
            at += 1
        elif parts and path[at] != "[":
            break
        token = _TOKEN.match(path, at)
        if token is None:
            break
        parts.append(_part(token))
        at = token.end()
    if not parts or at < len(path) or path.endswith("."):
        raise ValueError(f'{path!r} is not a path: write it with dots, such as destinations."partner.example".tls')
    return parts


def _part(token: re.Match[str]) -> Part:
    if token["place"] is not None:
        return int(token["place"])
    if token["basic"] is not None:
        return _unescape(token["basic"])
    return token["bare"] if token["bare"] is not None else token["literal"]


def _unescape(basic: str) -> str:
    try:
        return str(tomllib.loads(f'v = "{basic}"')["v"])
    except tomllib.TOMLDecodeError:
        raise ValueError(f'"{basic}" is not a name as TOML quotes it') from None


def row_parts(names: Sequence[object]) -> list[Part]:
    """Return the path parts of the rows that have these names."""
    counts = Counter(name for name in names if isinstance(name, str))
    return [name if isinstance(name, str) and name and counts[name] == 1 else place for place, name in enumerate(names)]


def nearest(word: str, choices: Iterable[str]) -> list[str]:
    """Return the choices that the word may have been meant for, best first."""
    by_lower = {choice.lower(): choice for choice in choices}
    return [by_lower[match] for match in difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Say which of the choices was meant, or which there are."""
    known = list(choices)
    close = nearest(word, known)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not known:
        return "there is none yet"
    return f"there is {', '.join(known[:20])}{', ...' if len(known) > 20 else ''}"
