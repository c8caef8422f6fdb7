"""Certificates, authorities and in-memory handshakes for tests; nothing here opens a socket."""

from __future__ import annotations

import datetime
from functools import cache

import trustme

from gatepost.errors import TlsFailure
from gatepost.tls.certificates import KeyPair
from gatepost.tls.context import Terms, Trust
from gatepost.tls.engine import TlsEngine
from gatepost.tls.making import KeyKind, Subject, self_signed
from gatepost.tls.sides import ClientContext, ServerContext

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
ALL_VERSIONS = ("TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@cache
def pair(*names: str, kind: KeyKind = "EC") -> KeyPair:
    """Return a self-signed certificate, made once for each set of names."""
    return self_signed(Subject(names=names or ("mx.example.com",)), kind=kind)


def authority(name: str = "Test CA") -> trustme.CA:
    """Return a certificate authority, one for each name."""
    return _authority(name)


@cache
def _authority(name: str) -> trustme.CA:
    return trustme.CA(organization_name=name)


def trust(name: str = "Test CA") -> Trust:
    """Trust one test authority and nothing else."""
    return Trust(system=False, extra=authority(name).cert_pem.bytes().decode())


def issued(*names: str, ca: str = "Test CA", first: int = -1, last: int = 30, common_name: str | None = None) -> KeyPair:
    """Return a certificate of a test authority, valid from `first` to `last` days from now."""
    leaf = authority(ca).issue_cert(
        *names, common_name=common_name, not_before=NOW + first * DAY, not_after=NOW + last * DAY
    )
    chain = "".join(blob.bytes().decode() for blob in leaf.cert_chain_pems)
    return KeyPair(chain, leaf.private_key_pem.bytes().decode())


def server(*pairs: KeyPair, terms: Terms | None = None, **options: object) -> ServerContext:
    """Return a server's context under profile `inbound`."""
    return ServerContext(terms or Terms(), pairs or (pair(),), profile="inbound", **options)  # type: ignore[arg-type]


def client(terms: Terms | None = None, certificate: KeyPair | None = None, trusts: Trust | None = None) -> ClientContext:
    """Return a client's context under profile `outbound`."""
    return ClientContext(terms or Terms(), certificate=certificate, trust=trusts or trust(), profile="outbound")


def shake(server_side: TlsEngine, client_side: TlsEngine, portion: int = 0) -> None:
    """Do a whole handshake in memory, `portion` octets at a time (0: as they come). Raises TlsFailure of either side."""
    for _ in range(10):
        done = client_side.handshake()
        carry(client_side, server_side, portion)
        done &= server_side.handshake()
        carry(server_side, client_side, portion)
        if done:
            return
    raise AssertionError("the handshake does not end")


def connect(server_context: ServerContext, client_context: ClientContext, name: str = "mx.example.com"):
    """Return both ends of a finished handshake."""
    ends = TlsEngine.server(server_context), TlsEngine.client(client_context, name)
    shake(*ends)
    return ends


def failures(server_context: ServerContext, client_context: ClientContext, name: str = "mx.example.com") -> tuple[str, str]:
    """Return what each side says of a handshake that fails."""
    server_side, client_side = TlsEngine.server(server_context), TlsEngine.client(client_context, name)
    told = {server_side: "", client_side: ""}
    for _ in range(6):
        for end, other in ((client_side, server_side), (server_side, client_side)):
            try:
                end.handshake()
            except TlsFailure as failure:
                told[end] = str(failure)
            carry(end, other)
    return told[server_side], told[client_side]


def carry(sender: TlsEngine, receiver: TlsEngine, portion: int = 0) -> None:
    """Move what one end has to send to the other."""
    octets = sender.outgoing()
    for at in range(0, len(octets), portion or len(octets) or 1):
        receiver.feed(octets[at : at + (portion or len(octets))])
