"""/certificates: those of the draft. A private key comes in, and never goes out."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

import litestar
import msgspec
from litestar import Response
from litestar.params import JSONBody

from gatepost.admin.api.caller import Caller, IfMatch
from gatepost.admin.api.jobs import result
from gatepost.admin.api.problems import Fault, Refused, absent
from gatepost.admin.api.routing import Body, acts, edits, reads
from gatepost.admin.operations import certificates
from gatepost.admin.operations.certificates import Installed, Unreadable
from gatepost.admin.operations.configuration import Pending
from gatepost.tls.making import KeyKind, Subject

TAGS = ["Certificates"]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Names = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=253)], ...], msgspec.Meta(max_length=100)]


class Imported(Body, frozen=True, kw_only=True):
    """A certificate with its chain, and its key."""

    certificate: str = ""
    """PEM, own certificate first; the key may stand in it too."""
    key: str = ""
    """PEM; empty: it stands with the certificate, or is the one already there under this name."""
    pkcs12: str = ""
    """A PKCS#12 file in base64, in place of both."""
    passphrase: str = ""


class SelfSigned(Body, frozen=True, kw_only=True):
    """A certificate to be made."""

    hostnames: Names = ()
    """None: the gateway's own host name."""
    days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 825
    kind: KeyKind = "EC"
    bits: Annotated[int, msgspec.Meta(ge=2048, le=4096)] = 2048
    """Of an RSA key."""


class Requested(Body, frozen=True, kw_only=True):
    """Who the signing request is for."""

    names: Names = ()
    """None: those of the certificate that is there."""
    organization: Short = ""
    unit: Short = ""
    city: Short = ""
    state: Short = ""
    country: Short = ""
    """Two letters."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A signing request."""

    pem: str


@reads("/certificates", tags=TAGS)
def listing(caller: Caller, committed: bool = False) -> list[Installed | Unreadable]:
    """The certificates of the draft, or those in force, with who uses them and when they end."""
    return certificates.listing(caller.operator, committed=committed)


@reads("/certificates/{name:str}", tags=TAGS)
def show(caller: Caller, name: str) -> Installed:
    """One certificate of the draft with its chain and its PEM."""
    with absent():
        return certificates.show(caller.operator, name)


@edits("/certificates/{name:str}", litestar.put, tags=TAGS)
def put(caller: Caller, name: str, data: JSONBody[Imported], if_match: IfMatch = None) -> Response[Pending]:
    """Import a certificate under a name."""
    operator = caller.editing(if_match)
    if bool(data.certificate) == bool(data.pkcs12):
        wrong = "give either certificate (PEM) or pkcs12 (base64)"
        raise Refused(422, wrong, [Fault(path="certificate", wrong=wrong)])
    octets = _base64(data.pkcs12) if data.pkcs12 else data.certificate.encode()
    made = certificates.import_pair(operator, name, octets, key=data.key.encode(), passphrase=data.passphrase)
    return _told(caller, f"imported certificate {name}", made)


@edits("/certificates/{name:str}/self-signed", tags=TAGS)
def self_signed(caller: Caller, name: str, data: JSONBody[SelfSigned], if_match: IfMatch = None) -> Response[Pending]:
    """Make a key and a self-signed certificate under a name."""
    operator = caller.editing(if_match)
    made = certificates.make_self_signed(
        operator, name, hostnames=list(data.hostnames) or None, days=data.days, kind=data.kind, bits=data.bits
    )
    return _told(caller, f"made certificate {name}", made)


@acts("/certificates/{name:str}/csr", role="administrator", tags=TAGS)
def request(caller: Caller, name: str, data: JSONBody[Requested]) -> Request:
    """Make a signing request for the key under a name; nothing is changed."""
    with absent():
        certificates.show(caller.operator, name)
    made = certificates.request(caller.operator, name, Subject(**msgspec.structs.asdict(data)))
    caller.tell(f"made a signing request for certificate {name}")
    return Request(pem=made)


@edits("/certificates/{name:str}", litestar.delete, tags=TAGS)
def delete(caller: Caller, name: str, if_match: IfMatch = None) -> Response[Pending]:
    """Take a certificate out; refused while something refers to it."""
    operator = caller.editing(if_match)
    with absent():
        certificates.show(operator, name)
    return _told(caller, f"deleted certificate {name}", certificates.delete(operator, name))


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        wrong = "is not base64"
        raise Refused(
            422, f"pkcs12 {wrong}", [Fault(path="pkcs12", wrong=wrong, mend="base64 -w0 FILE writes it")]
        ) from None


def _told(caller: Caller, what: str, made: Pending) -> Response[Pending]:
    caller.tell(what)
    return result(made)


HANDLERS = (listing, show, put, self_signed, request, delete)
