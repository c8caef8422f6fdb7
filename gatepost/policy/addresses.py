"""Address lists, compiled: whether an envelope address is named by a list, and by which entry.

Letters are compared without case, and a quoted local part is taken for what it says: `"bob"@example.com` is
`bob@example.com` (RFC 5321 4.1.2), or one pair of quotes would lead around every list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from gatepost.config.entries import AddressPattern, parse_list_entry
from gatepost.policy.domains import above, canonical
from gatepost.smtp.path import Path

REMEMBERED = 4096
"""Domains."""
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class AddressIndex:
    """Address patterns in their order, found by dictionary: the cost of a lookup does not grow with the table.

    What a table says of a domain as a whole is remembered for the domains that were asked for last.
    """

    def __init__(self, texts: Iterable[str], parse: Callable[[str], AddressPattern]) -> None:
        """Read and index the entries; ValueError with one sentence for the first that cannot be read."""
        self.texts = tuple(texts)
        self._orders: dict[AddressPattern, int] = {}
        self._names_locals = False
        for order, text in enumerate(self.texts):
            pattern = parse(text)
            self._names_locals |= bool(pattern.local)
            self._orders.setdefault(AddressPattern(local_part(pattern.local), pattern.domain, pattern.below), order)
        self._of_domain = lru_cache(REMEMBERED)(self._find_domain)

    def first(self, path: Path) -> int | None:
        """Return the order of the first entry that names the address; None when none does."""
        order = self._of_domain(path.domain)
        if not (self._names_locals and path.local_part):
            return order
        local = local_part(path.local_part)
        patterns = AddressPattern(local), AddressPattern(local, canonical(path.domain))
        found = [order for order in (order, *map(self._orders.get, patterns)) if order is not None]
        return min(found, default=None)

    def _find_domain(self, domain: str) -> int | None:
        """Return the first entry that names every address of a domain; ALL is one, and `<>` has no other."""
        patterns = [AddressPattern()]
        if domain := canonical(domain):
            patterns.append(AddressPattern("", domain))
            patterns.extend(AddressPattern("", parent, below=True) for parent in above(domain))
        found = [order for order in map(self._orders.get, patterns) if order is not None]
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
