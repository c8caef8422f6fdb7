"""Every kind of certificate against every destination setting, and our own when they fail (faults.md 5.6).

A next hop for each kind, all at once, and one outbound side for each setting. The domain of the recipients is
`mail.KIND.example` and the host is `mx.KIND.example`, unless the kind says otherwise.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import ssl
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.config.checks.certificates import alarms
from gatepost.config.exchange import examine
from gatepost.config.model import Config, DefaultDestination, Gateway
from gatepost.config.problems import ConfigErrors, errors
from gatepost.snapshot import Snapshot
from gatepost.tls.certificates import KeyPair, key_matches, key_to_pem, load_chain, load_key, to_pem
from tests.support.client import Client
from tests.support.dns_server import DnsServer
from tests.support.gateway import gateway
from tests.support.outbound import Outbound, routed
from tests.support.peer import Peer
from tests.support.process import free_port, run, wait_for

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
SETTINGS = ("no", "preferred", "required", "preferred-verify", "required-verify", "required-verify-hosted")
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


# --- making them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Authority:
    """Whoever signs."""

    certificate: x509.Certificate
    key: Key


@cache
def authority(name: str, issuer: str = "") -> Authority:
    """Return an authority, a root of its own unless another one is its issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
    above = authority(issuer) if issuer else None
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 100 * DAY)
        .not_valid_after(NOW + 100 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    return Authority(builder.sign(above.key if above else key, hashes.SHA256()), key)


def leaf(
    *names: str,
    common_name: str = "",
    addresses: tuple[str, ...] = (),
    by: Authority | None = None,
    self_signed: bool = False,
    first: float = -1,
    last: float = 30,
    key: Key | None = None,
    usage: tuple[x509.ObjectIdentifier, ...] = SERVER,
    chain: tuple[Authority, ...] = (),
) -> KeyPair:
    """Return a host's certificate with its key; what is not said is as it should be."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
    signer = by or authority("Matrix CA")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if self_signed else signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + first * DAY)
        .not_valid_after(NOW + last * DAY)
        .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    )
    alternatives = [*map(x509.DNSName, names), *(x509.IPAddress(ipaddress.ip_address(one)) for one in addresses)]
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=not common_name)
    made = builder.sign(key if self_signed else signer.key, hashes.SHA256())
    return KeyPair(to_pem([made, *(one.certificate for one in chain)]), key_to_pem(key))


def signed_with_sha1(domain: str) -> KeyPair:
    """Return a certificate that our own library would not make any more; openssl does."""
    signer = authority("Matrix CA")
    with tempfile.TemporaryDirectory() as directory:
        files = {name: f"{directory}/{name}.pem" for name in ("ca", "ca-key", "key", "request", "extensions", "made")}
        Path(files["ca"]).write_text(to_pem([signer.certificate]))
        Path(files["ca-key"]).write_text(key_to_pem(signer.key))
        Path(files["key"]).write_text(key_to_pem(ec.generate_private_key(ec.SECP256R1())))
        Path(files["extensions"]).write_text(f"subjectAltName=DNS:{domain}\nextendedKeyUsage=serverAuth\n")
        for command in (
            f"req -new -key {files['key']} -subj /O=old -out {files['request']}",
            f"x509 -req -sha1 -in {files['request']} -CA {files['ca']} -CAkey {files['ca-key']} -days 5"
            f" -extfile {files['extensions']} -out {files['made']}",
        ):
            done = run("openssl", *command.split())
            assert done.returncode == 0, done.stderr
        return KeyPair(Path(files["made"]).read_text(), Path(files["key"]).read_text())


MIDDLE = authority("Middle CA", "Matrix CA")


@dataclass(frozen=True)
class Kind:
    """One kind of certificate, and what looking at it finds; empty: nothing."""

    make: Callable[[str, str], KeyPair]
    """From domain and host."""
    verify: str = ""
    """Part of the reason against it under required-verify."""
    hosted: str | None = None
    """The same under required-verify-hosted; None: as `verify`."""
    domain: str = "mail.{}.example"
    host: str = "mx.{}.example"
    refused: str = ""
    """Part of the reason for which not even the handshake succeeds."""


def many(count: int) -> Callable[[str, str], KeyPair]:
    return lambda domain, host: leaf(*(f"{n:05}.example.com" for n in range(count - 1)), domain)


KINDS = {
    "good": Kind(lambda domain, host: leaf(domain)),
    "good-host": Kind(lambda domain, host: leaf(host), "is for mx.good-host.example; ", ""),
    "expired": Kind(lambda domain, host: leaf(domain, first=-30, last=-1), "certificate has expired"),
    "future": Kind(lambda domain, host: leaf(domain, first=10, last=30), "certificate is not yet valid"),
    "self-signed": Kind(lambda domain, host: leaf(domain, common_name="x", self_signed=True), "self-signed certificate"),
    "other-ca": Kind(lambda domain, host: leaf(domain, by=authority("Other CA")), "unable to get local issuer certificate"),
    "intermediate": Kind(lambda domain, host: leaf(domain, by=MIDDLE, chain=(MIDDLE,))),
    "no-intermediate": Kind(lambda domain, host: leaf(domain, by=MIDDLE), "unable to get local issuer certificate"),
    "wrong-name": Kind(lambda domain, host: leaf("other.example"), "is for other.example; "),
    "cn-only": Kind(lambda domain, host: leaf(common_name=domain)),
    "cn-beside-san": Kind(lambda domain, host: leaf("other.example", common_name=domain), "is for other.example; "),
    "wildcard": Kind(lambda domain, host: leaf("*.wildcard.example")),
    "two-levels": Kind(
        lambda domain, host: leaf("*.two-levels.example"), "is for *.two-levels", None, "a.b.{}.example", "c.d.{}.example"
    ),
    "two-stars": Kind(lambda domain, host: leaf("*.*.example"), "is for *.*.example; "),
    "bare-domain": Kind(
        lambda domain, host: leaf("*.bare-domain.example"), "is for *.bare-domain", "", "bare-domain.example"
    ),
    "star-com": Kind(lambda domain, host: leaf("*.com"), "is for *.com; ", None, "partner.com", "relay.com"),
    "ip-san": Kind(lambda domain, host: leaf(addresses=("127.0.0.1",)), "is for no DNS name; "),
    "ip-host": Kind(lambda domain, host: leaf(addresses=("127.0.0.1",)), "no DNS name; ", None, host="127.0.0.1"),
    "ip-as-name": Kind(lambda domain, host: leaf("127.0.0.1"), "is for 127.0.0.1; ", None, host="127.0.0.1"),
    "client-only": Kind(lambda domain, host: leaf(domain, usage=(ExtendedKeyUsageOID.CLIENT_AUTH,)), "certificate purpose"),
    "rsa-1024": Kind(lambda domain, host: leaf(domain, key=rsa.generate_private_key(65537, 1024)), "key too weak"),
    "sha-1": Kind(lambda domain, host: signed_with_sha1(domain), "digest algorithm too weak"),
    "san-3000": Kind(many(3000)),
    "san-10000": Kind(many(10_000), refused="a certificate chain may be 100 KB"),
    "nul-in-cn": Kind(lambda domain, host: leaf(common_name=f"{domain}\0.evil.example"), "\\x00.evil.example; "),
    "nul-in-san": Kind(lambda domain, host: leaf(f"{domain}\0.evil.example"), "\\x00.evil.example; "),
    "trailing-dot": Kind(lambda domain, host: leaf(f"{domain}."), "is for mail.trailing-dot.example.; "),
    "xn": Kind(lambda domain, host: leaf(domain), domain="mail.xn--bcher-kva.example"),
    "xn-star": Kind(lambda domain, host: leaf("xn--*.example"), "is for xn--*.example; ", domain="xn--bcher-kva.example"),
}


made = cache(lambda kind: KINDS[kind].make(KINDS[kind].domain.format(kind), KINDS[kind].host.format(kind)))


def server_side(directory: Path, kind: str) -> ssl.SSLContext:
    """Return the next hop's side; it shows whatever it is given."""
    shown = made(kind)
    file = directory / f"{kind}.pem"
    file.write_text(shown.certificate + shown.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(file)
    return context


def config(setting: str, ports: dict[str, int]) -> Config:
    trusted = to_pem([authority("Matrix CA").certificate])
    document = routed(
        25,
        gateway=Gateway(hostname="gate.example", tls_handshake_timeout=5, certificate_authorities=trusted),
        default_destination=DefaultDestination(tls=setting),  # type: ignore[arg-type]
    )
    for kind, port in ports.items():
        entry = KINDS[kind]
        document.routes[entry.domain.format(kind)] = [f"{entry.host.format(kind)}:{port}"]
    return document


def expected(kind: str, setting: str) -> tuple[str, bool, str]:
    """Return how the mail goes, whether the certificate counts as verified, and what is said against it."""
    entry = KINDS[kind]
    if setting == "no":
        return "clear", False, ""
    if entry.refused:
        return "never", False, entry.refused
    if "verify" not in setting:
        return "tls", False, ""
    fault = entry.hosted if setting.endswith("hosted") and entry.hosted is not None else entry.verify
    if fault and setting.startswith("required"):
        return "never", False, fault
    return "tls", not fault, fault


@pytest.mark.parametrize("setting", SETTINGS)
async def test_the_matrix(tmp_path: Path, setting: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        dns = await stack.enter_async_context(DnsServer())
        peers = {kind: await stack.enter_async_context(Peer(tls=server_side(tmp_path, kind))) for kind in KINDS}
        for kind, entry in KINDS.items():
            dns.add(entry.host.format(kind), "A", "127.0.0.1")
        ports = {kind: peer.port for kind, peer in peers.items()}
        out = await stack.enter_async_context(Outbound(tmp_path / "spool", config(setting, ports), dns=dns.address))
        mids = {kind: await out.send(f"ann@{entry.domain.format(kind)}") for kind, entry in KINDS.items()}
        for mid in mids.values():
            await out.until(lambda mid=mid: out.lines(f"MID {mid} done") or out.lines(f"MID {mid} to RID [0] pending"))  # type: ignore[misc]
        await out.scheduler.stop(1)
        records = {record.domain: record for record in out.journal.tls_records}
        went = {}
        for kind, peer in peers.items():
            record = records[KINDS[kind].domain.format(kind)]
            said = expected(kind, setting)[2]
            told = said if said in record.verdict else record.verdict
            way = {(): "never", (True,): "tls", (False,): "clear"}[tuple(message.tls for message in peer.messages)]
            went[kind] = (way, record.verified, told)
            if way == "never":
                assert not any("MAIL" in session.verbs for session in peer.sessions), kind
                [line] = out.lines(f"Delayed: DCID {record.connection} MID {mids[kind]} to RID 0 - 4.7.5 ")
                assert said in line
        assert went == {kind: expected(kind, setting) for kind in KINDS}


# --- our own ---------------------------------------------------------------------------------------------------------

LISTENING = """
[gateway]
hostname = "mx1.example.com"

[certificates.mx]
certificate = '''
{0.certificate}'''
private_key = '''
{0.private_key}'''

[listeners.InboundMail]
address = "127.0.0.1"
port = {1}
certificates = ["mx"]

[listeners.InboundMail.default_policy]
tls = "preferred"

[[listeners.InboundMail.recipients]]
match = "example.com"
"""
LIFE = 5.0
"""Seconds for which a certificate holds that is to run out in a test."""


def accepted(pair: KeyPair, port: int = 2525) -> Config:
    """Return the configuration with this certificate; ConfigErrors where it may not be committed."""
    return examine(LISTENING.format(pair, port).encode(), Config()).accepted()


def shown(port: int) -> bytes:
    """Return the certificate that a client is shown."""
    with Client(port) as client:
        client.ehlo()
        octets = client.start_tls().getpeercert(binary_form=True)
        assert octets is not None
        assert client.ehlo().startswith("250")
        return octets


def der(pair: KeyPair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate)


@pytest.mark.system
def test_an_expired_certificate_of_ours_is_served_with_an_alarm_until_it_is_renewed(tmp_path: Path) -> None:
    ended = time.time() + LIFE
    old = leaf("mx1.example.com", last=(ended - NOW.timestamp()) / 86400)
    new, port = leaf("mx1.example.com", last=60), free_port()
    with gateway(tmp_path, start=False) as one:
        one.commit(accepted(old, port))
        wait_for(lambda: time.time() > ended + 1, "it has expired")
        with pytest.raises(ConfigErrors, match="expired on"):
            accepted(old, port)  # nobody could commit it now, but it is in force
        one.start()
        line = one.wait_log("Certificate alarm: certificates.mx.certificate")
        assert " Warning: " in line
        assert "expired on" in line
        assert "is used by listeners.InboundMail.certificates" in line
        [alarm] = one.ask("status")["alarms"]
        assert alarm in line
        told = " ".join(one.cli("status").stdout.split())
        assert "Alarm: certificates.mx.certificate" in told
        assert shown(port) == der(old)

        # What else is urgent can be committed meanwhile, and is told of it.
        one.cli("config", "set", "gateway.hostname", "mx2.example.com")
        assert "1 warning; `gatepost config diff` shows it." in one.cli("config", "commit", "-m", "Another name").stdout
        assert "expired on" in one.cli("config", "diff").stdout
        assert shown(port) == der(old)

        with pytest.raises(ConfigErrors, match="does not match the certificate"):
            one.commit(accepted(KeyPair(new.certificate, old.private_key), port))
        assert shown(port) == der(old)
        one.commit(accepted(new, port))
        assert shown(port) == der(new)
        assert one.ask("status")["alarms"] == []


@pytest.mark.parametrize(
    ("last", "used", "said"), [(-1, True, "expired on"), (5, True, "expires on"), (60, True, ""), (-1, False, "")]
)
def test_an_alarm_is_for_what_is_in_use(last: float, used: bool, said: str) -> None:
    document = LISTENING.format(leaf("mx1.example.com", first=-30, last=last), 2525)
    config = examine((document if used else document.replace('certificates = ["mx"]\n', "")).encode(), Config()).config
    told = alarms(config, NOW)
    assert len(told) == bool(said)
    assert all(said in one for one in told)


PAIRS = [
    leaf("mx1.example.com"),
    leaf("mx1.example.com"),
    leaf("mx1.example.com", key=rsa.generate_private_key(65537, 2048)),
    leaf("mx1.example.com", key=rsa.generate_private_key(65537, 2048)),
    leaf("mx1.example.com", by=MIDDLE, chain=(MIDDLE,)),
]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PAIRS), st.sampled_from(PAIRS), st.integers(0, 2000), st.sampled_from(["", "A", "\n", "-", "~"]))
def test_no_document_is_taken_whose_key_is_not_that_of_its_certificate(
    one: KeyPair, other: KeyPair, at: int, put: str
) -> None:
    """Neither another key nor a damaged one; where damage is taken, it changed nothing that the key says."""
    key = other.private_key
    if put:
        at %= len(key)
        key = key[:at] + put + key[at + 1 :]
    examined = examine(LISTENING.format(KeyPair(one.certificate, key), 2525).encode(), Config())
    if found := errors(examined.problems):
        assert one is not other or put, found
        assert not any(key[40:80] in str(problem) for problem in found), "no key is ever told"
        return
    config = examined.accepted()
    assert one is other
    held = config.certificates["mx"]
    assert key_matches(load_chain(held.certificate)[0], load_key(held.private_key))
    Snapshot.build(config, 1)
