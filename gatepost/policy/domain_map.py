"""The domain map of a listener, compiled: which recipient takes the place of one that mail for an old domain still names.

Evaluated before the Recipient Access Table, once: what a row makes is not looked up again, so that no two rows can send an
address round in circles. The first row that names the address decides. Only the envelope is rewritten (RFC 5321 3.9.1); the
header fields are not read here or anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gatepost.config.entries import parse_list_entry, parse_mapped, parse_mapping_target
from gatepost.config.model import DomainMapping
from gatepost.policy.addresses import AddressIndex
from gatepost.policy.verdict import Rewriting
from gatepost.smtp.path import Path


class _Row(NamedTuple):
    entry: str
    local: str
    """Empty: the recipient's own stays."""
    domain: str


class DomainMap:
    """The map of one listener; never changes once built."""

    def __init__(self, mappings: Iterable[DomainMapping]) -> None:
        """Compile the rows; ValueError with one sentence for the first that cannot be read."""
        texts: list[str] = []
        self._rows: list[_Row] = []
        for mapping in mappings:
            parse_mapped(mapping.match)
            row = _Row(mapping.match, mapping.to.rpartition("@")[0], parse_mapping_target(mapping.to).domain)
            # The leading dot means the domain as well, here only: two patterns then lead to the one row.
            both = (mapping.match, f"@{mapping.match[2:]}") if mapping.match.startswith("@.") else (mapping.match,)
            texts += both
            self._rows += [row] * len(both)
        self._index = AddressIndex(texts, parse_list_entry)

    def rewrite(self, path: Path) -> Rewriting | None:
        """Return what a recipient becomes; None where no row names it, or where it would stay what it is."""
        order = self._index.first(path)
        if order is None:
            return None
        row = self._rows[order]
        made = Path(row.local or path.local_part, row.domain)
        return None if made == path else Rewriting(path, made, row.entry)
