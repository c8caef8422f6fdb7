"""Address lists in the draft."""

from __future__ import annotations

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import free, judge, known, without
from gatepost.admin.operations.explanation import listed
from gatepost.admin.operations.fields import parsed_all, words
from gatepost.admin.operations.operator import Operator
from gatepost.config.checks.common import check_names, check_texts
from gatepost.config.checks.delivery import check_address_lists
from gatepost.config.entries import parse_list_entry
from gatepost.config.model import AddressList, Config
from gatepost.errors import GatepostError


def create(operator: Operator, name: str, entry: AddressList) -> Pending:
    """Put a new list into the draft."""

    def change(config: Config) -> Config:
        free(config.address_lists, name, "address list")
        return _with(config, name, entry)

    return configuration.edit(operator, change)


def replace(operator: Operator, name: str, entry: AddressList) -> Pending:
    """Put other contents in the place of a list."""

    def change(config: Config) -> Config:
        known(config.address_lists, name, "address list")
        return _with(config, name, entry)

    return configuration.edit(operator, change)


def delete(operator: Operator, name: str) -> Pending:
    """Take a list out; refused while a policy names it."""

    def change(config: Config) -> Config:
        known(config.address_lists, name, "address list")
        users = used_by(config, name)
        if users:
            raise GatepostError(f"address list {name} is used by {listed(users)}: give them another list, or none, first")
        return msgspec.structs.replace(config, address_lists=without(config.address_lists, name))

    return configuration.edit(operator, change)


def used_by(config: Config, name: str) -> list[str]:
    """Return the policies that name a list, in words."""
    users = []
    for one, listener in config.listeners.items():
        if listener.default_policy.tls_mandatory_senders == name:
            users.append(f"the Default Policy Parameters of listener {one}")
        for policy, fields in listener.policies.items():
            if fields.tls_mandatory_senders == name:
                users.append(f"policy {policy} of listener {one}")
    return users


def read_addresses(text: str) -> list[str]:
    """Read entries of a list, with commas or blanks between them; refused with every one that is none."""
    return parsed_all(parse_list_entry, words(text))


def _with(config: Config, name: str, entry: AddressList) -> Config:
    part = Config(address_lists={name: entry})
    judge(part, ("address_lists", name), check_names, check_texts, check_address_lists)
    return msgspec.structs.replace(config, address_lists={**config.address_lists, name: entry})
