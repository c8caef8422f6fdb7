"""The two tables of a listener: Host Access Table (sender groups) and Recipient Access Table."""

from __future__ import annotations

from collections import Counter

from gatepost.config.checks.common import Path, refused, rows, syntax
from gatepost.config.checks.hidden import Member, hidden
from gatepost.config.entries import ALL, AddressPattern, parse_recipient, parse_sender
from gatepost.config.model import BARE_BEHAVIORS, Config, Listener
from gatepost.config.paths import did_you_mean, join
from gatepost.config.problems import Report

_MAX_HIDDEN = 20


def check_access(config: Config, report: Report) -> None:
    """Check the tables of every listener."""
    for name, listener in config.listeners.items():
        path = ("listeners", name)
        _check_groups(path, listener, report)
        _check_all_row(path, listener, report)
        _check_recipients(path, listener, report)


def _check_groups(path: Path, listener: Listener, report: Report) -> None:
    names = Counter(group.name for group in listener.sender_groups)
    members: list[Member] = []
    for order, (part, group) in enumerate(rows(listener.sender_groups)):
        here = (*path, "sender_groups", part)
        if names[group.name] > 1:
            report.error((*here, "name"), group.name, "stands more than once", "give every sender group a name of its own")
        _check_policy_name((*here, "policy"), group.policy, listener, report)
        if not group.senders:
            report.warning((*here, "senders"), group.senders, "is empty: the group matches no host", "add a member")
        decides = _behavior(group.policy, listener) != "continue"
        members += _read_members(here, order, group.senders, decides, report)
    _check_hidden(path, listener, members, report)


def _read_members(path: Path, order: int, senders: list[str], decides: bool, report: Report) -> list[Member]:
    members = []
    for place, text in enumerate(senders):
        try:
            members.append(Member(order, place, parse_sender(text), decides))
        except ValueError as error:
            mend = "take it out, or write a member as docs/configuration.md lists them"
            refused(report, (*path, "senders", place), text, error, mend)
    return members


def _check_hidden(path: Path, listener: Listener, members: list[Member], report: Report) -> None:
    parts = rows(listener.sender_groups)
    for count, (member, above) in enumerate(hidden(members)):
        if count == _MAX_HIDDEN:
            report.warning((*path, "sender_groups"), None, "have more members that never match", "mend the ones above first")
            return
        (part, group), (_, hider) = parts[member.group], parts[above.group]
        text = group.senders[member.place]
        wrong = f"never matches: {hider.senders[above.place]} of {hider.name}, which stands above, takes it first"
        mend = f"move {group.name} above {hider.name}, or take one of the two entries out"
        report.warning((*path, "sender_groups", part, "senders", member.place), text, wrong, mend)


def _check_policy_name(path: Path, name: str, listener: Listener, report: Report) -> None:
    if name in BARE_BEHAVIORS or name in listener.policies:
        return
    mend = did_you_mean(name, [*listener.policies, *BARE_BEHAVIORS])
    report.error(path, name, "names no policy of this listener", mend, related=[join((*path[:2], "policies"))])


def _behavior(policy: str, listener: Listener) -> str:
    named = listener.policies.get(policy)
    return named.behavior if named else policy.lower()


def _check_all_row(path: Path, listener: Listener, report: Report) -> None:
    if not listener.all_hosts:
        return
    path = (*path, "all_hosts")
    _check_policy_name(path, listener.all_hosts, listener, report)
    behavior = _behavior(listener.all_hosts, listener)
    if behavior == "continue":
        mend = "write ACCEPT, REJECT, TCPREFUSE, RELAY or a policy that decides"
        report.error(path, listener.all_hosts, "is continue, but nothing stands below the ALL row", mend)
    elif behavior == "relay":
        mend = "relay only for sender groups that hold your own hosts"
        report.warning(path, listener.all_hosts, "relays for every host that reaches this listener: an open relay", mend)


def _check_recipients(path: Path, listener: Listener, report: Report) -> None:
    path = (*path, "recipients")
    if listener.type == "private":
        if listener.recipients:
            mend = "take the rows out, or make the listener public"
            report.warning(path, None, "have no effect: a private listener has no Recipient Access Table", mend)
        return
    if not any(row.action == "accept" for row in listener.recipients):
        mend = 'add a row such as match = "example.com", action = "accept"'
        report.warning(path, None, "accept nobody: every recipient is refused, except for relay policies", mend)
    seen: dict[AddressPattern, str] = {}
    for part, row in rows(listener.recipients):
        mend = "write user@example.com, example.com, .example.com, user@, [192.0.2.1] or ALL"
        where = (*path, part, "match")
        syntax(report, where, row.match, parse_recipient, mend)
        try:
            pattern = parse_recipient(row.match)
        except ValueError:
            continue
        _check_row_hidden(where, row.match, pattern, seen, report)
        seen.setdefault(pattern, row.match)


def _check_row_hidden(
    path: Path, match: str, pattern: AddressPattern, seen: dict[AddressPattern, str], report: Report
) -> None:
    takers = [pattern, ALL, AddressPattern(domain=pattern.domain, below=pattern.below), AddressPattern(local=pattern.local)]
    for taker in takers:
        if taker in seen:
            mend = "move it up, or take one of the two rows out"
            report.warning(path, match, f"never matches: {seen[taker]} stands above it", mend)
            return
