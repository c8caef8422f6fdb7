"""Address lists, compiled: whether an envelope address is named by a list, and by which entry.

Letters are compared without case, and a quoted local part is taken for what it says: `"bob"@example.com` is
`bob@example.com` (RFC 5321 4.1.2), or one pair of quotes would lead around every list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from gatepost.config.entries import AddressPattern, parse_list_entry
from gatepost.policy.domains import above, canonical
from gatepost.smtp.path import Path

_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class AddressIndex:
    """Address patterns in their order, found by dictionary: the cost of a lookup does not grow with the table."""

    def __init__(self, texts: Iterable[str], parse: Callable[[str], AddressPattern]) -> None:
        """Read and index the entries; ValueError with one sentence for the first that cannot be read."""
        self.texts = tuple(texts)
        self._orders: dict[AddressPattern, int] = {}
        for order, text in enumerate(self.texts):
            pattern = parse(text)
            self._orders.setdefault(AddressPattern(local_part(pattern.local), pattern.domain, pattern.below), order)

    def first(self, path: Path) -> int | None:
        """Return the order of the first entry that names the address; None when none does."""
        found = [order for pattern in _patterns(path) if (order := self._orders.get(pattern)) is not None]
        return min(found, default=None)


class AddressMatcher:
    """One address list, ready to match."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._index = AddressIndex(addresses, parse_list_entry)

    def match(self, path: Path) -> str:
        """Return the entry that names the address, as it stands in the list; empty when none does."""
        order = self._index.first(path)
        return "" if order is None else self._index.texts[order]


def local_part(text: str) -> str:
    """Return a local part as tables compare it: lower case, quotes and quoted pairs resolved.

    `""` stays, for an empty part of a pattern means any.
    """
    if len(text) > 2 and text[0] == '"' == text[-1]:
        text = _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text.lower()


def _patterns(path: Path) -> Iterator[AddressPattern]:
    """Return every pattern that could name the address; ALL is one of them, and the null reverse-path has no other."""
    local, domain = local_part(path.local_part), canonical(path.domain)
    yield AddressPattern()
    if local:
        yield AddressPattern(local)
    if not domain:
        return
    yield AddressPattern(local, domain)
    yield AddressPattern("", domain)
    for parent in above(domain):
        yield AddressPattern("", parent, below=True)
