"""Sender groups of a listener in the draft: the rows of its Host Access Table, and the ALL row that stands last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from gatepost.admin.operations import factory
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import Unfit, edit_listener, free, judge, known, together
from gatepost.admin.operations.explanation import listed
from gatepost.admin.operations.operator import Operator
from gatepost.config.checks.access import check_access
from gatepost.config.checks.common import check_names, check_texts
from gatepost.config.model import Config, DefaultPolicy, Listener, SenderGroup
from gatepost.config.paths import join
from gatepost.config.problems import Problem
from gatepost.errors import GatepostError


def create(operator: Operator, listener: str, group: SenderGroup) -> Pending:
    """Put a new sender group below those that there are."""

    def change(config: Config, edited: Listener) -> Listener:
        together(
            lambda: free((other.name for other in edited.sender_groups), group.name, "sender group"),
            lambda: _once(group),
            lambda: _judge(listener, edited, group),
        )
        return msgspec.structs.replace(edited, sender_groups=[*edited.sender_groups, group])

    return edit_listener(operator, listener, change)


def change(operator: Operator, listener: str, group: str, /, **fields: Any) -> Pending:
    """Set name, policy or comment of a sender group."""

    def edited(row: SenderGroup, others: list[str]) -> SenderGroup:
        made = msgspec.structs.replace(row, **fields)
        free(others, made.name, "sender group")
        return made

    return _edit(operator, listener, group, edited, set(fields))


def replace(operator: Operator, listener: str, name: str, group: SenderGroup) -> Pending:
    """Put another sender group in the place of one, members and all."""

    def edited(config: Config, edited: Listener) -> Listener:
        rows = list(edited.sender_groups)
        place = _place(rows, name)
        together(
            lambda: free((row.name for row in rows if row.name != name), group.name, "sender group"),
            lambda: _once(group),
            lambda: _judge(listener, edited, group),
        )
        rows[place] = group
        return msgspec.structs.replace(edited, sender_groups=rows)

    return edit_listener(operator, listener, edited)


def add_members(operator: Operator, listener: str, name: str, members: Iterable[str]) -> Pending:
    """Put members into a sender group; refused with every one that is none, or that is there already."""

    def edited(group: SenderGroup, others: list[str]) -> SenderGroup:
        new = list(members)
        twice = sorted({member for member in new if member in group.senders or new.count(member) > 1})
        if twice:
            raise GatepostError(f"sender group {name} would hold {', '.join(twice)} twice: leave it out")
        _judge(listener, Listener(), SenderGroup(name=name, senders=new, policy="ACCEPT"))
        return msgspec.structs.replace(group, senders=[*group.senders, *new])

    return _edit(operator, listener, name, edited, set())


def remove_members(operator: Operator, listener: str, name: str, members: Iterable[str]) -> Pending:
    """Take members out of a sender group; refused with the first that is not there."""

    def edited(group: SenderGroup, others: list[str]) -> SenderGroup:
        gone = set(members)
        present = dict.fromkeys(group.senders)
        for member in gone:
            known(present, member, f"member of sender group {name}")
        return msgspec.structs.replace(group, senders=[member for member in group.senders if member not in gone])

    return _edit(operator, listener, name, edited, set())


def delete(operator: Operator, listener: str, name: str) -> Pending:
    """Take a sender group out; its hosts fall to the rows below."""

    def change(config: Config, edited: Listener) -> Listener:
        rows = edited.sender_groups
        place = _place(rows, name)
        return msgspec.structs.replace(edited, sender_groups=rows[:place] + rows[place + 1 :])

    return edit_listener(operator, listener, change)


def move(operator: Operator, listener: str, name: str, before: str) -> Pending:
    """Put a sender group above another one, or last where `before` is ALL."""

    def change(config: Config, edited: Listener) -> Listener:
        moved = edited.sender_groups[_place(edited.sender_groups, name)]
        rows = [row for row in edited.sender_groups if row is not moved]
        if before == name:
            raise GatepostError(f"sender group {name} cannot stand above itself: name another one, or ALL")
        rows.insert(len(rows) if before == "ALL" else _place(rows, before), moved)
        return msgspec.structs.replace(edited, sender_groups=rows)

    return edit_listener(operator, listener, change)


def set_all_hosts(operator: Operator, listener: str, policy: str) -> Pending:
    """Set the policy of the ALL row."""

    def change(config: Config, edited: Listener) -> Listener:
        made = msgspec.structs.replace(edited, all_hosts=policy)
        part = Config(listeners={listener: msgspec.structs.replace(made, sender_groups=[], recipients=[])})
        judge(part, ("listeners", listener, "all_hosts"), check_access)
        return made

    return edit_listener(operator, listener, change)


def reset(operator: Operator, listener: str) -> Pending:
    """Take every sender group out, and give the listener the policies, defaults and ALL row of a new one."""

    def change(config: Config, edited: Listener) -> Listener:
        policies = factory.policies(edited.type)
        return msgspec.structs.replace(
            edited, sender_groups=[], policies=policies, default_policy=DefaultPolicy(), all_hosts=""
        )

    return edit_listener(operator, listener, change)


def _edit(
    operator: Operator,
    listener: str,
    name: str,
    change: Callable[[SenderGroup, list[str]], SenderGroup],
    fields: set[str],
) -> Pending:
    def whole(config: Config, edited: Listener) -> Listener:
        rows = list(edited.sender_groups)
        place = _place(rows, name)
        rows[place] = change(rows[place], [row.name for row in rows if row.name != name])
        if fields:  # members were judged when they came in, and may be many
            _judge(listener, edited, msgspec.structs.replace(rows[place], senders=["192.0.2.1"]))
        return msgspec.structs.replace(edited, sender_groups=rows)

    return edit_listener(operator, listener, whole)


def _place(rows: list[SenderGroup], name: str) -> int:
    places = {row.name: place for place, row in enumerate(rows)}
    return known(places, name, "sender group")


def _once(group: SenderGroup) -> None:
    twice = [member for member, count in Counter(group.senders).items() if count > 1]
    if twice:
        path = join(("sender_groups", group.name, "senders"))
        raise Unfit([Problem(path=path, wrong=f"holds {listed(twice[:20])} twice", mend="leave it out")])


def _judge(listener: str, edited: Listener, group: SenderGroup) -> None:
    part = Config(listeners={listener: Listener(policies=edited.policies, sender_groups=[group])})
    judge(part, ("listeners", listener, "sender_groups"), check_names, check_texts, check_access)
