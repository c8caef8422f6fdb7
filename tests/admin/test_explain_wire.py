"""`explain in` agrees with the wire: random configurations and offers, each then tried by a real client over a real socket.

The inbound side of a worker serves (the sessions, limits and records of production; without the processes around it), and
what its TLS record says must be what was explained before. Two clients take turns: the OpenSSL that we carry, and the
distribution's.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from gatepost.admin.operations.explain_in import Question, explained
from gatepost.admin.operations.explanation import Inbound
from gatepost.admin.operations.offers import given_offer
from gatepost.admin.operations.stores import Loaded
from gatepost.config.model import (
    Certificate,
    Config,
    DefaultPolicy,
    Gateway,
    Listener,
    MailFlowPolicy,
    SenderGroup,
    TlsProfile,
)
from gatepost.config.problems import ConfigErrors
from gatepost.errors import GatepostError, TlsFailure
from gatepost.records.tls_record import TlsRecord
from gatepost.snapshot import Snapshot
from gatepost.tls.context import Terms
from gatepost.tls.engine import TlsEngine
from tests.support.background import background
from tests.support.client import Client, insecure
from tests.support.inbound import Inbounds
from tests.support.offering import OLD_SUITES, VERSIONS, some, terms
from tests.support.process import wait_for
from tests.support.tls import client as client_side
from tests.support.tls import pair

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")  # which is the point of them

ENTRIES = ("127.0.0.1", "127.0.0.2", "127.0.0.1-2", "127.0.0.0/8", "127.0.0.2/31", "127.0.0", "10.0.0.0/8")
NAMES = ("mx.example.com", "in.example.com", "other.example")
_KEYS = {
    "rsa": pair("mx.example.com", kind="RSA"),
    "ec": pair("mx.example.com", kind="EC"),
    "in": pair("in.example.com", kind="EC"),
}


class OurClient:
    """The OpenSSL that we carry, with any terms."""

    def __init__(self, terms: Terms, name: str) -> None:
        self._engine = TlsEngine.client(client_side(terms), name)
        self._engine.handshake()
        self.hello = self._engine.outgoing()

    def step(self, octets: bytes) -> tuple[bool, bytes]:
        """Go on with what the server sent; returns whether the handshake is done, and what is to be sent."""
        self._engine.feed(octets)
        done = self._engine.handshake()
        return done, self._engine.outgoing()


class TheirClient:
    """The OpenSSL of the distribution, as Python drives it."""

    def __init__(self, ciphers: str, lowest: str, highest: str, name: str) -> None:
        context = insecure()
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = _version(lowest), _version(highest)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name or None)
        self.hello = self._go_on()[1]

    def step(self, octets: bytes) -> tuple[bool, bytes]:
        """As above."""
        self._in.write(octets)
        return self._go_on()

    def _go_on(self) -> tuple[bool, bytes]:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False, self._out.read()
        return True, self._out.read()


def _version(name: str) -> ssl.TLSVersion:
    return getattr(ssl.TLSVersion, name.replace(".", "_").removesuffix("_0"))


def _outspoken(versions: tuple[str, ...]) -> tuple[str, ...]:
    """Let a client that lists no versions take all older ones: the oldest that it takes its hello cannot tell."""
    return versions if "TLSv1.3" in versions else VERSIONS[: VERSIONS.index(max(versions)) + 1]


@st.composite
def clients(draw: st.DrawFn) -> OurClient | TheirClient:
    """A client with any versions, suites and groups, that asks for some name or none."""
    name = draw(st.sampled_from(("", *NAMES)))
    try:
        if draw(st.booleans()):
            values = draw(terms())
            return OurClient(msgspec.structs.replace(values, methods=_outspoken(values.methods)), name)
        ordered = sorted(_outspoken(draw(some(VERSIONS, 1))))
        return TheirClient(":".join(draw(some(OLD_SUITES, 12))), ordered[0], ordered[-1], name)
    except (GatepostError, ssl.SSLError, TlsFailure):
        assume(False)
        raise


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A listener with three policies, each with a profile of its own, and a table that may hide some of it."""
    profiles = {name: _profile(draw(terms())) for name in ("first", "second", "third")}
    words = st.sampled_from(("preferred", "required", "preferred-verify", None, "no"))
    policies = {
        name: MailFlowPolicy(tls=draw(words), tls_profile=draw(st.sampled_from((*profiles, None))))
        for name in ("A", "B", "C")
    }
    policies["PASS"] = MailFlowPolicy(behavior="continue")
    groups = draw(st.lists(st.tuples(some(ENTRIES), st.sampled_from(("A", "B", "C", "PASS"))), max_size=5))
    default = st.builds(
        DefaultPolicy, tls=st.sampled_from(("preferred", "required")), tls_profile=st.sampled_from(("first",))
    )
    listener = Listener(
        address="127.0.0.1",
        certificates=list(draw(some(tuple(_KEYS)))),
        default_policy=draw(default),
        policies=policies,
        sender_groups=[
            SenderGroup(name=f"G{place}", senders=list(entries), policy=policy)
            for place, (entries, policy) in enumerate(groups)
        ],
        all_hosts=draw(st.sampled_from(("", "C"))),
    )
    return Config(
        gateway=Gateway(hostname="mx.example.com"),
        certificates={
            name: Certificate(certificate=one.certificate, private_key=one.private_key) for name, one in _KEYS.items()
        },
        tls_profiles=profiles,
        listeners={"InboundMail": listener},
    )


def _profile(values: Terms) -> TlsProfile:
    return msgspec.convert(msgspec.to_builtins(values), TlsProfile)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbounds]:
    inbounds = Inbounds(tmp_path_factory.mktemp("wire"))
    with background(inbounds):
        yield inbounds


def session(rig: Inbounds, source: str, tls: OurClient | TheirClient) -> TlsRecord:
    """Connect, do the handshake where STARTTLS is offered, and return the record that the session leaves."""
    before = len(rig.journal.tls_records)
    with Client(rig.port, source) as client:
        assert client.banner.startswith("220")
        if "STARTTLS" in client.ehlo():
            assert client.say("STARTTLS").startswith("220")
            _handshake(client, tls)
    wait_for(lambda: len(rig.journal.tls_records) > before, "the session leaves its record")
    return rig.journal.tls_records[-1]


def _handshake(client: Client, tls: OurClient | TheirClient) -> None:
    done, octets = False, tls.hello
    while not done:
        client.send(octets)
        try:
            received = client.socket.recv(65536)
            done, octets = tls.step(received)
        except (TlsFailure, ssl.SSLError, ConnectionError):
            return
        if not received and not done:
            return
    client.send(octets)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(config=configs(), tls=clients(), source=st.sampled_from(("127.0.0.1", "127.0.0.2", "127.0.0.3")))
def test_what_is_explained_is_what_the_session_gets(
    rig: Inbounds, tmp_path_factory: pytest.TempPathFactory, config: Config, tls: OurClient | TheirClient, source: str
) -> None:
    try:
        rig.snapshot = Snapshot.build(config, 1)
    except ConfigErrors:
        assume(False)
    file = rig.directory / "hello.bin"
    file.write_bytes(tls.hello)
    told = explained(Loaded(config=config, label="revision 1"), Question(host=source, given=given_offer(str(file))))
    record = session(rig, source, tls)
    assert (record.policy, record.rule, record.requirement) == (
        told.policy,
        f"{told.group or 'ALL'}: {told.entry}",
        told.tls,
    )
    _agree(told, record)


def _agree(told: Inbound, record: TlsRecord) -> None:
    if told.tls == "no":
        event("STARTTLS is not offered")
        assert record.outcome is None
        assert not told.negotiations
        return
    (said,) = told.negotiations
    event(said.version or "the handshake fails")
    if said.version:
        outcome = record.outcome
        assert outcome is not None, f"{said} was said, and it failed: {record.failure}"
        assert (outcome.protocol, outcome.suite, outcome.cipher) == (said.version, said.suite, said.cipher)
        assert outcome.group == said.group
        assert record.cipher_order == said.order
    else:
        assert record.outcome is None
        assert record.failure


def test_the_file_is_the_offer_that_the_record_keeps(rig: Inbounds, tmp_path: Path) -> None:
    tls = OurClient(Terms(methods=("TLSv1.2", "TLSv1.3")), "mx.example.com")
    key = _KEYS["ec"]
    rig.snapshot = Snapshot.build(
        Config(
            certificates={"ec": Certificate(certificate=key.certificate, private_key=key.private_key)},
            listeners={
                "InboundMail": Listener(
                    address="127.0.0.1", certificates=["ec"], default_policy=DefaultPolicy(tls="preferred")
                )
            },
        ),
        1,
    )
    file = tmp_path / "hello.bin"
    file.write_bytes(tls.hello)
    assert session(rig, "127.0.0.1", tls).offer == given_offer(str(file)).offer
