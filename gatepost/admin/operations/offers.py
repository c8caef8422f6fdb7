"""What clients would get from a TLS profile: those on record, one of a file, one of a recorded session.

Nothing is connected: the certificate is chosen as the listener chooses it, the rest by `tls.choice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gatepost.admin.operations import records
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import Config, Listener, TlsProfile
from gatepost.config.paths import did_you_mean
from gatepost.errors import GatepostError
from gatepost.snapshot import terms
from gatepost.tls.certificates import KeyPair
from gatepost.tls.choice import choose
from gatepost.tls.ciphers import openssl_name
from gatepost.tls.context import Terms
from gatepost.tls.offers import MAX_FILE, read_offer, recorded
from gatepost.tls.outcome import Offer
from gatepost.tls.sides import ServerContext


class Negotiation(msgspec.Struct, frozen=True, kw_only=True):
    """What one client would get."""

    client: str
    """Name of the recorded client, or of the file or session that the offer is from."""
    origin: str
    """What it is: program, version and system; where the offer comes from."""
    version: str = ""
    """Empty: the handshake would fail, and `reason` says why."""
    cipher: str = ""
    """OpenSSL's name of the suite, as the log shows it."""
    suite: str = ""
    """IANA's name."""
    group: str = ""
    """Empty where the suite has none that goes by a name."""
    retries: bool = False
    """It costs another round trip, for the client sent no key share for that group."""
    key: str = ""
    """Key of the certificate that is shown: `RSA 2048`."""
    order: str = ""
    """Whose order decided: `server` (ours) or `client`."""
    runner_up: str = ""
    """OpenSSL's name of the suite that would have been next; empty: there is none."""
    reason: str = ""

    def __str__(self) -> str:
        """Say it in a few words."""
        if self.reason:
            return f"no TLS ({self.reason})"
        return f"{self.version} {self.cipher}{f' with group {self.group}' if self.group else ''}"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """An offer, and where it is from."""

    client: str
    origin: str
    offer: Offer


def negotiations(profile: TlsProfile | Terms, certificates: Sequence[KeyPair], name: str = "") -> list[Negotiation]:
    """Say what each client on record would get under a profile with these certificates; the first is the default.

    `name`: the profile's, for the reasons. GatepostError when profile and certificates cannot make a server.
    """
    values = profile if isinstance(profile, Terms) else terms(profile)
    side = ServerContext(values, certificates, profile=name)
    return [negotiate(side, given) for given in on_record()]


def on_record() -> list[Given]:
    """Return the offers of the clients on record."""
    return [
        Given(
            client=one.name, origin=f"{one.client}: {one.version}, {one.release}, recorded {one.recorded}", offer=one.offer
        )
        for one in recorded()
    ]


def negotiate(side: ServerContext, given: Given) -> Negotiation:
    """Say what a client would get from a listener's side."""
    served = side.choose(given.offer)
    choice = choose(given.offer, side.allowance, (served.key,), order=side.terms.cipher_order, profile=side.profile)
    return Negotiation(
        client=given.client,
        origin=given.origin,
        version=choice.version,
        cipher=openssl_name(choice.suite),
        suite=choice.suite,
        group=choice.group,
        retries=choice.retries,
        key=served.key,
        order=choice.order,
        runner_up=openssl_name(choice.runner_up),
        reason=choice.reason,
    )


def listener_pairs(config: Config, listener: Listener) -> list[KeyPair]:
    """Return a listener's certificates with their keys, the default first; GatepostError where one is missing."""
    missing = [name for name in listener.certificates if name not in config.certificates]
    if missing:
        raise GatepostError(f"the certificate {missing[0]} does not exist")
    if not listener.certificates:
        raise GatepostError("the listener has no certificate, so it cannot offer STARTTLS")
    chosen = [config.certificates[name] for name in listener.certificates]
    return [KeyPair(one.certificate, one.private_key) for one in chosen]


def given_offer(text: str) -> Given:
    """Return the offer of a client on record, or else of a file: a ClientHello as it is, or a dump in hexadecimal."""
    for one in on_record():
        if one.client == text:
            return one
    path = Path(text)
    if not path.is_file():
        names = [one.client for one in on_record()]
        raise GatepostError(f"{text!r} is neither a file nor a client on record: {did_you_mean(text, names)}")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE)
    except OSError as error:
        raise GatepostError(f"{text} cannot be read: {error.strerror}") from None
    try:
        return Given(client=path.name, origin=f"the ClientHello in {text}", offer=read_offer(data))
    except GatepostError as fault:
        raise GatepostError(f"{text}: {fault}") from None


def session_offer(operator: Operator, icid: int) -> Given:
    """Return what the client of a recorded inbound session offered."""
    record = records.connection(operator, "in", icid)
    if record.offer is None:
        raise GatepostError(f"ICID {icid} never sent a ClientHello, so there is no offer to explain")
    who = f"{record.peer} ({record.peer_name})" if record.peer_name else record.peer
    return Given(client=f"ICID {icid}", origin=f"the offer of {who} in ICID {icid}", offer=record.offer)
