"""The rows of a Host Access Table that speak of a host, and why those that do not decide do not."""

from __future__ import annotations

from gatepost.admin.operations.explanation import Match
from gatepost.admin.operations.hosts import Facts
from gatepost.config.entries import Network, parse_sender
from gatepost.policy.access import HostAccessTable
from gatepost.policy.verdict import AccessVerdict


def rows(table: HostAccessTable, known: Facts, verdict: AccessVerdict) -> list[Match]:
    """List every row that speaks of the host, and why those that do not decide do not."""
    made: list[Match] = []
    decided = False
    for row in table.all_matches(known.host, known.listed):
        decides = not decided and (row.group, row.entry) == (verdict.group, verdict.entry)
        remark = "" if decides else _remark(row, verdict, decided)
        decided = decided or decides
        made.append(Match(group=row.group, entry=row.entry, policy=row.policy.name, decides=decides, remark=remark))
    return made


def _remark(row: AccessVerdict, verdict: AccessVerdict, decided: bool) -> str:
    if not decided:
        return "its policy says CONTINUE, so the table is read on"
    if row.group == verdict.group:
        return "in the same group"
    if _is_broader(verdict.entry, row.entry):
        return f"never reached: the broader {verdict.entry} stands above it"
    return "stands below the row that decides"


def _is_broader(above: str, below: str) -> bool:
    try:
        outer, inner = parse_sender(above), parse_sender(below)
    except ValueError:
        return False  # the ALL row
    if not isinstance(outer, Network) or not isinstance(inner, Network) or outer.version != inner.version:
        return False
    wider = outer.last - outer.first > inner.last - inner.first
    return wider and outer.first <= inner.first and inner.last <= outer.last


def also(matches: list[Match]) -> list[str]:
    """Say of each row but the deciding one and ALL that it would match too."""
    return [
        f"{row.entry} of sender group {row.group} (policy {row.policy}) would match too: {row.remark}."
        for row in matches
        if not row.decides and row.group
    ]
