"""`sslconfig`: the TLS profiles of the draft, the three built-in ones and those with names of their own.

What a cipher string comes to is judged in `tls.judgement`, the rest of a profile by the checks of the configuration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

import msgspec

from gatepost.admin.operations import ciphers, configuration
from gatepost.admin.operations.ciphers import Judgement
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current, judge, known, without
from gatepost.admin.operations.fields import new_name
from gatepost.admin.operations.operator import Operator
from gatepost.config.checks import profiles
from gatepost.config.model import BUILTIN_PROFILES, Config, Listener, TlsProfile, TlsVersion
from gatepost.errors import GatepostError

METHODS: tuple[TlsVersion, ...] = get_args(TlsVersion)
_BETWEEN = re.compile(r"[:,\s]+")
_RANGE = re.compile(r"([1-4])(?:-([1-4]))?")


class Side(msgspec.Struct, frozen=True):
    """One of the three settings: the profile's name, and how the appliance writes it."""

    profile: str
    title: str
    words: str
    """In the middle of a sentence."""


SIDES = (
    Side("gui", "GUI HTTPS", "GUI HTTPS"),
    Side("inbound", "Inbound SMTP", "inbound SMTP"),
    Side("outbound", "Outbound SMTP", "outbound SMTP"),
)


def profile_names(operator: Operator) -> list[str]:
    """Return the names of all profiles of the draft."""
    return profiles.profile_names(current(operator))


def summary(operator: Operator) -> list[str]:
    """Return the lines that `sslconfig` begins with."""
    lines = ["sslconfig settings:"]
    for side in SIDES:
        found = ciphers.profile(operator, side.profile)
        methods = "".join(method.lower().replace(".", "_") for method in METHODS if method in found.methods)
        lines += [f"  {side.title} method:  {methods}", f"  {side.title} ciphers: {found.ciphers}"]
    return lines


def method_numbers(methods: Sequence[TlsVersion]) -> str:
    """Write methods as their numbers in the list: `3-4`, `3`."""
    places = [place for place, method in enumerate(METHODS, 1) if method in methods]
    return f"{places[0]}-{places[-1]}" if len(places) > 1 else "".join(map(str, places))


def read_methods(text: str) -> list[TlsVersion]:
    """Read numbers with commas or blanks between them, and ranges; refused where a version in the middle is left out."""
    chosen: set[int] = set()
    for word in filter(None, _BETWEEN.split(text)):
        found = _RANGE.fullmatch(word)
        if found is None or int(found[1]) > int(found[2] or 4):
            raise GatepostError(f"{word} is not a number from 1 to 4, nor a range of them such as 3-4.")
        chosen |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
    if not chosen:
        raise GatepostError("Choose at least one method: a number from 1 to 4, or a range of them such as 3-4.")
    missing = sorted(set(range(min(chosen), max(chosen))) - chosen)
    if missing:
        have, lack = (_versions([METHODS[place - 1] for place in sorted(places)]) for places in (chosen, missing))
        raise GatepostError(
            f"TLS {have} without {lack} cannot be had: TLS is offered from a lowest version to a highest, with all between "
            f"them. Add {', '.join(map(str, missing))}, or leave out what is on one side of the gap."
        )
    return [METHODS[place - 1] for place in sorted(chosen)]


def judge_ciphers(operator: Operator, name: str, methods: Sequence[str], spec: str) -> Judgement:
    """Judge a cipher string for a profile with these methods, and the certificates that are shown under it."""
    return ciphers.judge(operator, spec, methods, shown_under(current(operator), name))


def refused(found: Judgement) -> str:
    """Say why a string is not taken, a line for each word that matches nothing and for each reason; empty: it is."""
    if not found.refusals:
        return ""
    reasons = [
        f"The string {refusal.wrong}." if found.dead and not found.suites else f"The string {refusal}."
        for refusal in found.refusals
    ]
    return "\n".join([*words(found), *reasons])


def words(found: Judgement) -> list[str]:
    """Say of each word that matches nothing why."""
    return [f"{token}." for token in found.dead]


def read_list(name: str, changed: TlsProfile, field: str, text: str) -> list[str]:
    """Read the TLS 1.3 suites or the groups of a profile; refused with each name that does not exist."""
    names = [word for word in _BETWEEN.split(text) if word]
    made = msgspec.structs.replace(changed, **{field: names})
    _judge(name, made, field)
    return names


def put(operator: Operator, name: str, changed: TlsProfile) -> Pending:
    """Set a profile in the draft; refused with all that is wrong in it."""
    _judge(name, changed)

    def change(config: Config) -> Config:
        return msgspec.structs.replace(config, tls_profiles={**config.tls_profiles, name: changed})

    return configuration.edit(operator, change)


def create(operator: Operator, name: str, profile: TlsProfile) -> Pending:
    """Put a profile with a name of its own into the draft; refused with all that is wrong with the name or in it."""
    new_name(name, profile_names(operator), "TLS profile")
    return put(operator, name, profile)


def delete(operator: Operator, name: str) -> Pending:
    """Take a profile out of the draft, refused while something uses it; a built-in one gets its defaults back."""

    def change(config: Config) -> Config:
        if name in BUILTIN_PROFILES:
            return msgspec.structs.replace(config, tls_profiles=without(config.tls_profiles, name))
        known(config.tls_profiles, name, "TLS profile")
        if users := used_by(config, name):
            raise GatepostError(f"TLS profile {name} is used by {', '.join(users)}: give them another first")
        return msgspec.structs.replace(config, tls_profiles=without(config.tls_profiles, name))

    return configuration.edit(operator, change)


def used_by(config: Config, name: str) -> list[str]:
    """Return what is served or delivered under a profile, in words."""
    users = ["the web console"] if name == "gui" else []
    for one, listener in config.listeners.items():
        users += [f"listener {one}"] if listener.default_policy.tls_profile == name else []
        users += [f"policy {policy} of {one}" for policy, held in listener.policies.items() if held.tls_profile == name]
    users += ["deliveries"] if config.default_destination.tls_profile == name else []
    return users + [f"mail to {domain}" for domain, control in config.destinations.items() if control.tls_profile == name]


def _judge(name: str, changed: TlsProfile, *place: str) -> None:
    judge(Config(tls_profiles={name: changed}), ("tls_profiles", name, *place), profiles.check_profiles)


def shown_under(config: Config, name: str) -> list[str]:
    """Return the certificates that are shown under a profile: of the listeners that have a policy with it, of the web."""
    shown = [one for listener in config.listeners.values() if name in _used(listener) for one in listener.certificates]
    if name == "gui" and config.web.certificate:
        shown.append(config.web.certificate)
    return list(dict.fromkeys(shown))


def _used(listener: Listener) -> set[str]:
    default = listener.default_policy.tls_profile
    return {default, *(policy.tls_profile or default for policy in listener.policies.values())}


def _versions(methods: Sequence[str]) -> str:
    numbers = [method.removeprefix("TLSv") for method in methods]
    return " and ".join([", ".join(numbers[:-1]), numbers[-1]] if len(numbers) > 1 else numbers)
