"""`sslconfig`, VERIFY: the suites of a cipher string one by one, what each costs here, and what clients would get.

Judged as if the inbound profile of the draft had the string; the draft stays as it is.
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
from gatepost.config.tlsfacts import installed
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


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One suite."""

    suite: Suite
    handshakes: list[Handshake]
    """With each certificate of the profile that it can serve; empty while nothing is measured."""
    bulk: Bulk | None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What a cipher string comes to."""

    judgement: Judgement
    rows: list[Row]
    """The profile's suites of TLS 1.3, which no cipher string touches, then the string's; each in the order that counts."""
    certificates: list[str]
    """Those that are shown under the profile."""
    clients: list[Negotiation]
    """What clients on record would get; empty where the string cannot be taken, or there is no certificate to show."""
    machine: Machine | None
    """What the costs were measured on; None: they are not measured here yet."""
    measured_at: float


def verify(operator: Operator, spec: str) -> Listed:
    """List what a cipher string selects."""
    config, profile = current(operator), ciphers.profile(operator, PROFILE)
    judgement = tls_settings.judge_ciphers(operator, PROFILE, profile.methods, spec)
    held = installed(config, tls_settings.shown_under(config, PROFILE))
    clients: list[Negotiation] = []
    if held and not judgement.refusals:
        entries = [config.certificates[one.name] for one in held]
        pairs = [KeyPair(entry.certificate, entry.private_key) for entry in entries]
        clients = negotiations(msgspec.structs.replace(profile, ciphers=spec), pairs, PROFILE)
    newest = [catalogue()[name] for name in profile.suites if "TLSv1.3" in profile.methods and name in catalogue()]
    kept = costs.costs(operator)
    return Listed(
        judgement=judgement,
        rows=[_row(suite, held, kept, profile.groups) for suite in (*newest, *judgement.suites)],
        certificates=[one.name for one in held],
        clients=clients,
        machine=kept.machine if kept else None,
        measured_at=kept.measured_at if kept else 0.0,
    )


def _row(suite: Suite, held: Sequence[Held], kept: Costs | None, groups: Sequence[str]) -> Row:
    if kept is None:
        return Row(suite=suite, handshakes=[], bulk=None)
    found = [(one.name, kept.handshake(suite, one.key, groups)) for one in held if serves(suite, one.key)]
    return Row(
        suite=suite,
        handshakes=[Handshake(certificate=name, ms=cost.ms, group=cost.group) for name, cost in found if cost],
        bulk=kept.bulk(suite),
    )
