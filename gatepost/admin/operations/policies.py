"""Mail flow policies and Default Policy Parameters of a listener in the draft."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import (
    edit_listener,
    free,
    judge,
    judge_listener,
    known,
    renamed,
    together,
    with_listener,
    without,
)
from gatepost.admin.operations.explanation import listed
from gatepost.admin.operations.operator import Operator
from gatepost.config.checks.common import check_names
from gatepost.config.checks.listeners import check_listeners
from gatepost.config.model import Config, Listener, MailFlowPolicy
from gatepost.errors import GatepostError


def create(operator: Operator, listener: str, name: str, policy: MailFlowPolicy) -> Pending:
    """Put a new policy into the draft."""

    def change(config: Config, edited: Listener) -> Listener:
        together(
            lambda: _judge_name(name, edited.policies),
            lambda: _judge(config, listener, edited, name, policy),
        )
        return _with(edited, name, policy)

    return edit_listener(operator, listener, change)


def replace(operator: Operator, listener: str, name: str, policy: MailFlowPolicy, new_name: str = "") -> Pending:
    """Put other contents in the place of a policy, and another name if told."""
    to = new_name or name

    def change(config: Config, edited: Listener) -> Listener:
        known(edited.policies, name, "policy")
        together(
            lambda: _judge_name(to, without(edited.policies, name)) if to != name else None,
            lambda: _judge(config, listener, edited, name, policy),
        )
        return _renamed(_with(edited, name, policy), name, to)

    return edit_listener(operator, listener, change)


def rename(operator: Operator, listener: str, name: str, new: str) -> Pending:
    """Give a policy another name, in the sender groups and the ALL row that use it too."""

    def change(config: Config, edited: Listener) -> Listener:
        known(edited.policies, name, "policy")
        _judge_name(new, without(edited.policies, name))
        return _renamed(edited, name, new)

    return edit_listener(operator, listener, change)


def delete(operator: Operator, listener: str, name: str) -> Pending:
    """Take a policy out; refused while a sender group or the ALL row uses it."""

    def change(config: Config, edited: Listener) -> Listener:
        known(edited.policies, name, "policy")
        users = used_by(edited, name)
        if users:
            raise GatepostError(
                f"policy {name} of listener {listener} is used by {listed(users)}: give them another policy first"
            )
        return msgspec.structs.replace(edited, policies=without(edited.policies, name))

    return edit_listener(operator, listener, change)


def change_default(operator: Operator, listener: str, **fields: Any) -> Pending:
    """Set Default Policy Parameters of a listener."""

    def change(config: Config, edited: Listener) -> Listener:
        default = msgspec.structs.replace(edited.default_policy, **fields)
        made = msgspec.structs.replace(edited, default_policy=default)
        judge_listener(with_listener(config, listener, made), listener, *(("default_policy", field) for field in fields))
        return made

    return edit_listener(operator, listener, change)


def used_by(listener: Listener, name: str) -> list[str]:
    """Return who uses a policy, in words."""
    groups = [f"sender group {group.name}" for group in listener.sender_groups if group.policy == name]
    return groups + (["the ALL row"] if listener.all_hosts == name else [])


def _with(edited: Listener, name: str, policy: MailFlowPolicy) -> Listener:
    return msgspec.structs.replace(edited, policies={**edited.policies, name: policy})


def _renamed(edited: Listener, name: str, new: str) -> Listener:
    return msgspec.structs.replace(
        edited,
        policies=renamed(edited.policies, name, new),
        all_hosts=new if edited.all_hosts == name else edited.all_hosts,
        sender_groups=[
            msgspec.structs.replace(group, policy=new) if group.policy == name else group for group in edited.sender_groups
        ],
    )


def _judge(config: Config, listener: str, edited: Listener, name: str, policy: MailFlowPolicy) -> None:
    judge_listener(with_listener(config, listener, _with(edited, name, policy)), listener, ("policies", name))


def _judge_name(name: str, others: Iterable[str]) -> None:
    free(others, name, "policy")
    part = Config(listeners={"x": Listener(policies={name: MailFlowPolicy()})})
    judge(part, ("listeners", "x", "policies", name), check_names, check_listeners)
