"""Certificates and keys in the draft: list, import, make, request, show, export, delete; and the authorities of our own.

A private key is never returned but in a PKCS#12 file under a passphrase.
"""

from __future__ import annotations

import time

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.config.checks.certificates import certificates_in_use
from gatepost.config.model import Certificate, Config
from gatepost.config.paths import did_you_mean
from gatepost.errors import GatepostError
from gatepost.tls.certificates import (
    Description,
    KeyPair,
    check_pair,
    describe,
    key_matches,
    key_to_pem,
    load_chain,
    load_key,
    load_pkcs12,
    to_pem,
    to_pkcs12,
)
from gatepost.tls.making import KeyKind, Subject, self_signed, signing_request

DAY = 86_400
_PEM_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_PEM_KEY = "PRIVATE KEY-----"


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of the configuration."""

    name: str
    used_by: str
    """A path of the document that refers to it; empty: nothing does."""
    days_left: int
    chain: list[Description]
    """Own certificate first."""
    certificate: str = ""
    """PEM; only where one certificate is shown."""


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that holds no certificate."""

    name: str
    fault: str


def listing(operator: Operator, *, committed: bool = False) -> list[Installed | Unreadable]:
    """Return the certificates of the draft."""
    operator.require()
    config = load(operator).config if committed else current(operator)
    return [_entry(config, name) for name in config.certificates]


def show(operator: Operator, name: str) -> Installed:
    """Return one certificate of the draft with its chain and its PEM."""
    config = current(operator)
    found = _installed(config, name, _known(config, name))
    return msgspec.structs.replace(found, certificate=config.certificates[name].certificate)


def import_pair(operator: Operator, name: str, data: bytes, *, key: bytes = b"", passphrase: str = "") -> Pending:
    """Put a certificate with its chain under a name: PEM or PKCS#12.

    The key may stand in the file, in a file of its own, or be the one already there under that name (an answer to a
    signing request, or a renewal with the same key).
    """

    def change(config: Config) -> Config:
        pair = _read(data, key, passphrase, config.certificates.get(name), name)
        check_pair(pair)
        return _with(config, name, pair)

    return configuration.edit(operator, change)


def make_self_signed(
    operator: Operator,
    name: str,
    *,
    hostnames: list[str] | None = None,
    days: int = 825,
    kind: KeyKind = "EC",
    bits: int = 2048,
) -> Pending:
    """Make a key and a self-signed certificate under a name, for the gateway's own host name unless told otherwise."""

    def change(config: Config) -> Config:
        names = tuple(hostnames or [config.gateway.hostname])
        return _with(config, name, self_signed(Subject(names=names), days=days, kind=kind, bits=bits))

    return configuration.edit(operator, change)


def request(operator: Operator, name: str, subject: Subject | None = None) -> str:
    """Return a signing request (PEM) for the key under a name; without a subject, for the names of its certificate."""
    config = current(operator)
    entry = _known(config, name)
    if subject is None or not subject.names:
        held = describe(load_chain(entry.certificate)[0])
        names = held.dns_names or ((held.common_name,) if held.common_name else ())
        subject = msgspec.structs.replace(subject or Subject(names=()), names=names)
    return signing_request(subject, entry.private_key)


def delete(operator: Operator, name: str) -> Pending:
    """Take a certificate out; refused while something refers to it."""

    def change(config: Config) -> Config:
        _known(config, name)
        used = certificates_in_use(config).get(name)
        if used:
            raise GatepostError(f"certificate {name} is used by {used}: take it out there first")
        rest = {known: entry for known, entry in config.certificates.items() if known != name}
        return msgspec.structs.replace(config, certificates=rest)

    return configuration.edit(operator, change)


def export_pkcs12(operator: Operator, name: str, passphrase: str) -> bytes:
    """Return a certificate of the draft with its chain and its key as PKCS#12, encrypted by a passphrase."""
    entry = _known(current(operator), name)
    return to_pkcs12(KeyPair(entry.certificate, entry.private_key), name, passphrase)


def used_by(config: Config, name: str) -> list[str]:
    """Return who shows a certificate, in words."""
    users = [f"listener {one}" for one, listener in config.listeners.items() if name in listener.certificates]
    users += ["deliveries, as the client certificate"] if config.default_destination.certificate == name else []
    return users + (["the web console"] if config.web.certificate == name else [])


def is_pem(data: bytes) -> bool:
    """Whether a file is PEM; otherwise it can only be PKCS#12."""
    return b"-----BEGIN" in data


def authorities(operator: Operator) -> list[Description]:
    """Return the authorities that the draft trusts besides those of the operating system."""
    pem = current(operator).gateway.certificate_authorities
    return [describe(certificate) for certificate in load_chain(pem)] if pem.strip() else []


def put_authorities(operator: Operator, data: bytes, *, add: bool) -> Pending:
    """Trust the authorities of a PEM text, beside those that are there or in their place; refused for what is none."""
    chain = load_chain(_text(data))
    for certificate in chain:
        found = describe(certificate)
        if not found.is_ca:
            raise GatepostError(f"the certificate of {found.subject} is not that of an authority")

    def change(config: Config) -> Config:
        pem = config.gateway.certificate_authorities if add else ""
        held = list(load_chain(pem)) if pem.strip() else []
        held += [certificate for certificate in chain if certificate not in held]
        gateway = msgspec.structs.replace(config.gateway, certificate_authorities=to_pem(held))
        return msgspec.structs.replace(config, gateway=gateway)

    return configuration.edit(operator, change)


def clear_authorities(operator: Operator) -> Pending:
    """Trust the authorities of the operating system alone."""

    def change(config: Config) -> Config:
        gateway = msgspec.structs.replace(config.gateway, certificate_authorities="")
        return msgspec.structs.replace(config, gateway=gateway)

    return configuration.edit(operator, change)


def _read(data: bytes, key: bytes, passphrase: str, present: Certificate | None, name: str) -> KeyPair:
    if _PEM_CERTIFICATE not in data:
        if b"-----BEGIN" in data:
            raise GatepostError("the file holds no certificate: give the certificate first, and its key beside it")
        if key:
            raise GatepostError("a PKCS#12 file brings its own key: leave the other key out")
        return load_pkcs12(data, passphrase)
    text = _text(data)
    chain = to_pem(list(load_chain(text)))
    key_text = _text(key) if key else text if _PEM_KEY in text else ""
    if key_text:
        return KeyPair(chain, key_to_pem(load_key(key_text, passphrase)))
    if present is None or not key_matches(load_chain(chain)[0], load_key(present.private_key)):
        held = f"and that of {name} does not belong to it" if present else f"and there is no {name} yet that holds one"
        raise GatepostError(f"the file holds no private key, {held}: give its key too")
    return KeyPair(chain, present.private_key)


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise GatepostError("the file is neither PEM nor PKCS#12") from None


def _with(config: Config, name: str, pair: KeyPair) -> Config:
    entry = Certificate(certificate=pair.certificate, private_key=pair.private_key)
    return msgspec.structs.replace(config, certificates={**config.certificates, name: entry})


def _known(config: Config, name: str) -> Certificate:
    if name not in config.certificates:
        raise GatepostError(f"there is no certificate {name}: {did_you_mean(name, config.certificates)}")
    return config.certificates[name]


def _entry(config: Config, name: str) -> Installed | Unreadable:
    try:
        return _installed(config, name, config.certificates[name])
    except GatepostError as fault:
        return Unreadable(name=name, fault=str(fault))


def _installed(config: Config, name: str, entry: Certificate) -> Installed:
    chain = [describe(certificate) for certificate in load_chain(entry.certificate)]
    left = int((chain[0].not_after - time.time()) // DAY)
    return Installed(name=name, used_by=certificates_in_use(config).get(name, ""), days_left=left, chain=chain)
