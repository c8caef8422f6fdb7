"""Listeners in the draft: make one, change its own fields, rename it, take it out; and what all of them share.

Host access table, recipients and policies of a listener have modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import (
    free,
    judge,
    judge_listener,
    known,
    renamed,
    together,
    with_listener,
    without,
)
from gatepost.admin.operations.operator import Operator
from gatepost.config.checks.access import check_access
from gatepost.config.checks.common import check_names
from gatepost.config.checks.numbers import check_numbers
from gatepost.config.model import Config, Listener


def create(operator: Operator, name: str, listener: Listener) -> Pending:
    """Put a new listener into the draft; refused for anything wrong with it, but not for what it still lacks."""

    def change(config: Config) -> Config:
        made = with_listener(config, name, listener)
        fields = [(field,) for field in listener.__struct_fields__ if field != "certificates"]
        together(
            lambda: _judge_name(name, config.listeners),
            lambda: judge_listener(made, name, *fields),
            lambda: judge(Config(listeners={name: listener}), ("listeners", name), check_access),
        )
        return made

    return configuration.edit(operator, change)


def change(operator: Operator, name: str, new_name: str = "", /, **fields: Any) -> Pending:
    """Set fields of a listener that are single values or lists of names, or its domain map; and its name, if told."""
    to = new_name or name

    def edited(config: Config) -> Config:
        made = msgspec.structs.replace(known(config.listeners, name, "listener"), **fields)
        whole = with_listener(config, name, made)
        whole = msgspec.structs.replace(whole, listeners=renamed(whole.listeners, name, to))
        together(
            lambda: _judge_name(to, without(config.listeners, name)) if to != name else None,
            lambda: judge_listener(whole, to, *((field,) for field in fields)),
        )
        return whole

    return configuration.edit(operator, edited)


def rename(operator: Operator, name: str, new: str) -> Pending:
    """Give a listener another name; it keeps its place."""

    def change(config: Config) -> Config:
        known(config.listeners, name, "listener")
        _judge_name(new, without(config.listeners, name))
        return msgspec.structs.replace(config, listeners=renamed(config.listeners, name, new))

    return configuration.edit(operator, change)


def delete(operator: Operator, name: str) -> Pending:
    """Take a listener out; mail that it has accepted is delivered all the same."""

    def change(config: Config) -> Config:
        known(config.listeners, name, "listener")
        return msgspec.structs.replace(config, listeners=without(config.listeners, name))

    return configuration.edit(operator, change)


def change_all(operator: Operator, **fields: Any) -> Pending:
    """Set fields of the gateway that hold for every listener."""

    def change(config: Config) -> Config:
        made = msgspec.structs.replace(config, gateway=msgspec.structs.replace(config.gateway, **fields))
        for field in fields:
            judge(Config(gateway=made.gateway), ("gateway", field), check_numbers)
        return made

    return configuration.edit(operator, change)


def _judge_name(name: str, others: Iterable[str]) -> None:
    free(others, name, "listener")
    judge(Config(listeners={name: Listener()}), ("listeners", name), check_names)
