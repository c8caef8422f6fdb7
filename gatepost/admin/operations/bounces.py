"""Bounce profiles in the draft. `Default` is always there, with the numbers of `config.model` where it is not named."""

from __future__ import annotations

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current, free, judge, known, without
from gatepost.admin.operations.explanation import listed
from gatepost.admin.operations.operator import Operator
from gatepost.config.checks.common import check_names
from gatepost.config.checks.numbers import check_numbers
from gatepost.config.model import BounceProfile, Config
from gatepost.errors import GatepostError

DEFAULT = "Default"


def profiles(config: Config) -> dict[str, BounceProfile]:
    """Return every profile that can be named, `Default` first where the document leaves it out."""
    return (
        config.bounce_profiles if DEFAULT in config.bounce_profiles else {DEFAULT: BounceProfile(), **config.bounce_profiles}
    )


def create(operator: Operator, name: str, profile: BounceProfile) -> Pending:
    """Put a new profile into the draft."""

    def change(config: Config) -> Config:
        free(profiles(config), name, "bounce profile")
        return _with(config, name, profile)

    return configuration.edit(operator, change)


def replace(operator: Operator, name: str, profile: BounceProfile) -> Pending:
    """Give a profile other numbers."""

    def change(config: Config) -> Config:
        known(profiles(config), name, "bounce profile")
        return _with(config, name, profile)

    return configuration.edit(operator, change)


def delete(operator: Operator, name: str) -> Pending:
    """Take a profile out; refused while something names it. `Default` goes back to the defaults."""

    def change(config: Config) -> Config:
        known(profiles(config), name, "bounce profile")
        users = [] if name == DEFAULT else used_by(config, name)
        if users:
            raise GatepostError(f"bounce profile {name} is used by {listed(users)}: give them another profile first")
        if name not in config.bounce_profiles:
            raise GatepostError(f"bounce profile {name} has the defaults already and cannot be taken out: edit it instead")
        return msgspec.structs.replace(config, bounce_profiles=without(config.bounce_profiles, name))

    return configuration.edit(operator, change)


def set_for_destinations(operator: Operator, name: str) -> Pending:
    """Name the profile of destinations that have none of their own."""

    def change(config: Config) -> Config:
        known(profiles(config), name, "bounce profile")
        default = msgspec.structs.replace(config.default_destination, bounce_profile=name)
        return msgspec.structs.replace(config, default_destination=default)

    return configuration.edit(operator, change)


def used_by(config: Config, name: str) -> list[str]:
    """Return who names a profile, in words."""
    users = [f"listener {one}" for one, listener in config.listeners.items() if listener.bounce_profile == name]
    users += [f"destination {domain}" for domain, control in config.destinations.items() if control.bounce_profile == name]
    return users + (["the default destination"] if config.default_destination.bounce_profile == name else [])


def present(operator: Operator, name: str) -> BounceProfile:
    """Return a profile of the draft."""
    return known(profiles(current(operator)), name, "bounce profile")


def _with(config: Config, name: str, profile: BounceProfile) -> Config:
    judge(Config(bounce_profiles={name: profile}), ("bounce_profiles", name), check_names, check_numbers)
    return msgspec.structs.replace(config, bounce_profiles={**config.bounce_profiles, name: profile})
