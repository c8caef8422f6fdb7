"""Domain and host names as the document writes them (RFC 1123 section 2.1, RFC 5890 for A-labels).

Names are compared in lower case; every parser here returns them so. Nothing here asks the DNS.
"""

from __future__ import annotations

import re

# An underscore is no host name by RFC 1123, but PTR records hold it; to refuse it would leave such hosts unnameable.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_PLAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MAX_NAME = 253  # RFC 1035 section 2.3.4, without the root's own octet


def parse_domain(text: str, *, dotted: bool = True) -> str:
    """Return a domain name in lower case; `dotted` wants at least two labels, so that a misspelt keyword is no host."""
    name = text.lower()
    if _PLAIN.fullmatch(name) and len(name) <= _MAX_NAME:
        return name
    _refuse_odd_characters(text)
    if name.endswith("."):
        raise ValueError(f"{text!r} ends in a dot: write the name without it")
    if len(name) > _MAX_NAME:
        raise ValueError(f"a domain name has at most {_MAX_NAME} characters, this one has {len(name)}")
    labels = name.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise ValueError(f"{text!r} is not a domain name, for {_label_fault(label)}")
    if labels[-1].isdigit():
        raise ValueError(f"{text!r} is not a domain name, for its last part is a number")
    if dotted and len(labels) == 1 and name != "localhost":
        raise ValueError(f"{text!r} is not a full domain name: write it with its domain, such as {name}.example.com")
    return name


def _refuse_odd_characters(text: str) -> None:
    if not text:
        raise ValueError("a domain name is wanted here, and the text is empty")
    if text != text.strip() or any(character.isspace() for character in text):
        raise ValueError(f"{text!r} holds white space: leave it out")
    if not text.isascii():
        try:
            a_label = text.encode("idna").decode("ascii")
        except UnicodeError:
            a_label = "xn--..."
        raise ValueError(f"{text!r} holds letters outside ASCII: write the name as the DNS has it, {a_label}")


def _label_fault(label: str) -> str:
    if not label:
        return "two dots stand together, or one stands at an end"
    if len(label) > 63:
        return f"the part {label[:20]!r}... is longer than 63 characters"
    return f"the part {label!r} may hold letters, digits and inner hyphens only"
