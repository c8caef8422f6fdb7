"""The suites of a TLS profile one by one, what each costs here, and what clients would get; `sslconfig`, VERIFY.

Judged as if the draft had the profile so; the draft stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gatepost.admin.operations import ciphers, costs, tls_settings
from gatepost.admin.operations.ciphers import Judgement, Suite
from gatepost.admin.operations.costs import Costs, Machine
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.offers import Negotiation, negotiations
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import Config, TlsProfile
from gatepost.config.tlsfacts import installed
from gatepost.errors import GatepostError
from gatepost.tls.catalogue import catalogue, serves
from gatepost.tls.certificates import KeyPair
from gatepost.tls.cost import Bulk
from gatepost.tls.judgement import Held

PROFILE = "inbound"


class Handshake(msgspec.Struct, frozen=True, kw_only=True):
    """What a handshake costs with one certificate."""

    certificate: str
    ms: float
    """CPU of the server."""
    group: str
    """The profile's first group that was measured; empty where the suite has none."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What a handshake of TLS 1.3 costs with one key exchange group of the profile."""

    group: str
    handshakes: list[Handshake]
    """Empty where the group was not measured."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One suite."""

    suite: Suite
    served: bool
    """Whether a certificate of the profile can serve it; where none is shown, that is not known and counts as yes."""
    handshakes: list[Handshake]
    """With each certificate of the profile that it can serve; empty while nothing is measured."""
    bulk: Bulk | None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What a cipher string comes to."""

    judgement: Judgement
    rows: list[Row]
    """The profile's suites of TLS 1.3, which no cipher string touches, then the string's; each in the order that counts."""
    groups: list[Exchange]
    """In the profile's order; empty without TLS 1.3, or while nothing is measured."""
    certificates: list[str]
    """Those that are shown under the profile."""
    measured_with: list[str]
    """What the handshakes were measured with: those certificates, kinds where none is shown; empty while nothing is."""
    clients: list[Negotiation]
    """What clients on record would get; empty where the string cannot be taken, or there is no certificate to show."""
    machine: Machine | None
    """What the costs were measured on; None: they are not measured here yet."""
    measured_at: float


def verify(operator: Operator, spec: str) -> Listed:
    """List what a cipher string selects for the inbound profile."""
    return listed(operator, PROFILE, msgspec.structs.replace(ciphers.profile(operator, PROFILE), ciphers=spec))


def listed(operator: Operator, name: str, profile: TlsProfile) -> Listed:
    """List what a profile comes to if it were so; one that nobody has yet is judged for no certificate."""
    config = current(operator)
    judgement = tls_settings.judge_ciphers(operator, name, profile.methods, profile.ciphers)
    held = installed(config, tls_settings.shown_under(config, name))
    kept = costs.costs(operator)
    newest = [catalogue()[suite] for suite in profile.suites if "TLSv1.3" in profile.methods and suite in catalogue()]
    kinds = ([(one.name, one.key) for one in held] or [(key, key) for key in kept.keys]) if kept else []
    groups = profile.groups if newest and kept else []
    return Listed(
        judgement=judgement,
        rows=[_row(suite, held, kinds, kept, profile.groups) for suite in (*newest, *judgement.suites)],
        groups=[Exchange(group=group, handshakes=_handshakes(newest[0], kinds, kept, [group])) for group in groups],
        certificates=[one.name for one in held],
        measured_with=[kind for kind, _ in kinds],
        clients=[] if judgement.refusals else _clients(config, held, name, profile),
        machine=kept.machine if kept else None,
        measured_at=kept.measured_at if kept else 0.0,
    )


def _clients(config: Config, held: Sequence[Held], name: str, profile: TlsProfile) -> list[Negotiation]:
    entries = [config.certificates[one.name] for one in held]
    if not entries:
        return []
    try:
        return negotiations(profile, [KeyPair(entry.certificate, entry.private_key) for entry in entries], name)
    except GatepostError:
        return []  # what is wrong with the rest of the profile, its check says


def _row(
    suite: Suite, held: Sequence[Held], kinds: Sequence[tuple[str, str]], kept: Costs | None, groups: Sequence[str]
) -> Row:
    return Row(
        suite=suite,
        served=not held or any(serves(suite, one.key) for one in held),
        handshakes=_handshakes(suite, kinds, kept, groups),
        bulk=kept.bulk(suite) if kept else None,
    )


def _handshakes(
    suite: Suite, kinds: Sequence[tuple[str, str]], kept: Costs | None, groups: Sequence[str]
) -> list[Handshake]:
    """Return what a suite costs with each certificate, or kind of it, that can serve it."""
    if kept is None:
        return []
    found = [(name, kept.handshake(suite, key, groups)) for name, key in kinds if serves(suite, key)]
    return [Handshake(certificate=name, ms=cost.ms, group=cost.group) for name, cost in found if cost]
