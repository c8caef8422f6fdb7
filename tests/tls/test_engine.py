"""The engine moves bytes: in any portions, to a clean end, a cut or a fault."""

import contextlib
import ssl
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from gatepost.errors import TlsFailure
from gatepost.tls.context import Terms
from gatepost.tls.engine import TlsEngine
from tests.support.tls import carry, client, connect, pair, server, shake

SERVER = server()
CLIENT = client()


@pytest.fixture
def ends():
    return connect(SERVER, CLIENT)


def test_plaintext_crosses_both_ways(ends):
    here, there = ends
    there.write(b"EHLO client\r\n")
    carry(there, here)
    assert here.read() == b"EHLO client\r\n"
    here.write(b"250 hello\r\n")
    carry(here, there)
    assert there.read() == b"250 hello\r\n"
    assert here.read() == there.read() == b""
    assert here.outgoing() == there.outgoing() == b""


@given(st.lists(st.binary(max_size=40_000), min_size=1, max_size=4), st.integers(1, 5000))
@settings(max_examples=25, deadline=None)
def test_nothing_is_lost_in_any_portions(messages, portion):
    here, there = connect(SERVER, CLIENT)
    for message in messages:
        there.write(message)
    sealed = there.outgoing()
    got = b""
    for at in range(0, len(sealed), portion):
        here.feed(sealed[at : at + portion])
        got += here.read()
    assert got == b"".join(messages)


def test_a_long_message_leaves_and_arrives_whole(ends):
    here, there = ends
    there.write(b"x" * 1_000_000)
    there.write(b"")
    carry(there, here)
    assert here.read() == b"x" * 1_000_000


def test_threads_do_not_read_each_others_mail():
    def talk(mark):
        here, there = connect(SERVER, CLIENT)
        for number in range(300):
            message = bytes([mark, number % 256]) * 8000
            there.write(message)
            carry(there, here)
            if here.read() != message:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(talk, range(4))) == [True] * 4


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_a_handshake_in_portions(portion):
    here, there = TlsEngine.server(SERVER), TlsEngine.client(CLIENT, "mx.example.com")
    shake(here, there, portion)
    assert here.outcome().protocol == there.outcome().protocol == "TLSv1.3"
    assert here.handshake()  # asking again is harmless


def test_mail_sent_with_the_last_handshake_message_is_not_lost():
    here, there = TlsEngine.server(SERVER), TlsEngine.client(CLIENT, "")
    there.handshake()
    carry(there, here)
    here.handshake()
    carry(here, there)
    assert there.handshake()
    there.write(b"EHLO early\r\n")
    carry(there, here)
    assert here.read() == b""  # not before the handshake is done
    assert here.handshake()
    assert here.read() == b"EHLO early\r\n"


def test_close_notify_ends_the_stream_cleanly(ends):
    here, there = ends
    there.write(b"QUIT\r\n")
    there.shutdown()
    carry(there, here)
    here.feed(b"MAIL FROM:<forged@example.com>\r\n")  # in the clear, after the end (CVE-2026-45185)
    assert here.read() == b"QUIT\r\n"
    here.feed(b"more of it")
    here.feed(b"")
    assert here.read() == b""
    assert here.closed
    assert not here.truncated


def test_our_half_may_go_on_after_the_peer_has_ended_its_own(ends):
    here, there = ends
    there.shutdown()
    carry(there, here)
    assert here.read() == b""
    here.write(b"221 bye\r\n")
    here.shutdown()
    here.shutdown()
    carry(here, there)
    assert there.read() == b"221 bye\r\n"
    assert there.closed


def test_an_end_without_close_notify_is_a_cut(ends):
    here, there = ends
    there.write(b"DATA\r\nhalf a mess")
    carry(there, here)
    here.feed(b"")
    assert not here.truncated  # there is still something to read
    assert here.read() == b"DATA\r\nhalf a mess"
    assert here.truncated
    assert not here.closed


def test_a_cut_within_a_record_is_a_cut(ends):
    here, there = ends
    there.write(b"half a record")
    here.feed(there.outgoing()[:-3])
    here.feed(b"")
    assert here.read() == b""
    assert here.truncated
    here.feed(b"")
    assert here.truncated


def test_clear_text_in_the_stream_is_a_fault(ends):
    here, _there = ends
    here.feed(b"RSET\r\nMAIL FROM:<a@example.com>\r\n")
    with pytest.raises(TlsFailure, match="not TLS"):
        here.read()
    with pytest.raises(TlsFailure):
        here.read()
    with pytest.raises(TlsFailure):
        here.write(b"250 ok\r\n")
    assert here.outgoing()  # the alert


def test_a_damaged_record_is_a_fault_after_what_came_whole(ends):
    here, there = ends
    there.write(b"whole")
    whole = there.outgoing()
    there.write(b"damaged")
    damaged = bytearray(there.outgoing())
    damaged[-1] ^= 1
    here.feed(whole + bytes(damaged))
    assert here.read() == b"whole"
    with pytest.raises(TlsFailure, match="bad record mac"):
        here.read()
    carry(here, there)
    with pytest.raises(TlsFailure, match="peer sent alert: bad record mac"):
        there.read()
    there.shutdown()


def test_a_fault_late_in_a_long_portion_costs_nothing_of_what_came_before(ends):
    here, there = ends
    there.write(b"x" * 100_000)
    sealed = bytearray(there.outgoing())
    sealed[-1] ^= 1
    here.feed(bytes(sealed))
    here.feed(b"")
    assert not here.truncated
    assert here.read() == b"x" * (6 * 16384)
    with pytest.raises(TlsFailure, match="bad record mac"):
        here.read()


def test_a_clean_end_late_in_a_long_portion(ends):
    here, there = ends
    there.write(b"x" * 100_000)
    there.shutdown()
    here.feed(there.outgoing() + b"RSET\r\n" * 5000)
    here.feed(b"")
    assert here.read() == b"x" * 100_000
    assert here.read() == b""
    assert here.closed
    assert not here.truncated


@given(st.integers(0, 3000), st.integers(0, 255), st.integers(0, 1))
@settings(max_examples=150, deadline=None)
def test_any_damage_is_a_tls_failure_or_nothing(at, value, flight):
    """One octet of either flight of a client is changed: no other exception, and never a plaintext that was not sent."""
    here, there = TlsEngine.server(SERVER), TlsEngine.client(CLIENT, "mx.example.com")
    got = b""
    for number in range(3):
        try:
            if there.handshake() and number == 1:
                there.write(b"NOOP\r\n")
            octets = bytearray(there.outgoing())
            if number == flight and octets:
                octets[at % len(octets)] = value
            if octets:
                here.feed(bytes(octets))
            here.handshake()
            got += here.read()
        except TlsFailure:
            pass
        carry(here, there)
    assert got in (b"", b"NOOP\r\n")


def test_nothing_is_written_before_the_handshake():
    here = TlsEngine.server(SERVER)
    with pytest.raises(TlsFailure, match="before the handshake"):
        here.write(b"220 too early\r\n")
    with pytest.raises(TlsFailure):
        here.outcome()
    here.shutdown()
    assert here.outgoing() == b""
    assert here.shown_chain() == here.verified_chain() == ()


def test_writing_after_our_own_end_is_a_fault(ends):
    here, _there = ends
    here.shutdown()
    with pytest.raises(TlsFailure):
        here.write(b"250 ok\r\n")


def test_garbage_gets_an_alert_and_a_sentence():
    here = TlsEngine.server(SERVER)
    here.feed(b"POST / HTTP/1.1\r\n")
    for _ in range(2):
        with pytest.raises(TlsFailure, match="garbage instead of a ClientHello: 'POST / HTTP/…'"):
            here.handshake()
    assert here.outgoing() == b"\x15\x03\x01\x00\x02\x02\x0a"
    assert here.outgoing() == b""
    here.feed(b"more")
    assert here.offer is None


def test_the_offer_is_known_before_the_handshake_is_done():
    here, there = TlsEngine.server(SERVER), TlsEngine.client(CLIENT, "mx.example.com")
    there.handshake()
    carry(there, here)
    assert here.offer is not None
    assert here.offer.server_name == "mx.example.com"
    assert there.offer is there.allowance is CLIENT.allowance
    assert here.allowance.versions == ("TLSv1.3", "TLSv1.2")


@pytest.mark.parametrize(
    ("fed", "told"),
    [
        (b"", "before its first TLS message"),
        (b"\x16\x03\x01", "during the handshake; profile inbound allows TLSv1.2, TLSv1.3 with"),
    ],
)
def test_a_peer_that_goes_away_in_the_handshake(fed, told):
    here = TlsEngine.server(SERVER)
    if fed:
        here.feed(fed)
    assert not here.handshake()
    here.feed(b"")
    with pytest.raises(TlsFailure, match=told):
        here.handshake()


def test_a_server_that_goes_away_after_its_hello():
    here, there = TlsEngine.server(SERVER), TlsEngine.client(CLIENT, "mx.example.com")
    there.handshake()
    carry(there, here)
    here.handshake()
    there.feed(here.outgoing()[:100])
    assert not there.handshake()
    there.feed(b"")
    with pytest.raises(TlsFailure, match="closed the connection during the handshake; profile outbound"):
        there.handshake()


def test_renegotiation_is_refused_and_the_connection_goes_on():
    """A client that renegotiates could change its certificate in mid-session, and costs CPU (RFC 5746, RFC 7457 2.8)."""
    outside = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    outside.set_connect_state()
    here = TlsEngine.server(server(terms=Terms(methods=("TLSv1.2",))))

    def turn() -> None:
        with contextlib.suppress(SSL.WantReadError):
            outside.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            here.feed(outside.bio_read(65536))
        here.handshake()
        if answer := here.outgoing():
            outside.bio_write(answer)

    for _ in range(3):
        turn()
    outside.renegotiate()
    with pytest.raises(SSL.WantReadError):
        outside.do_handshake()
    here.feed(outside.bio_read(65536))
    assert here.read() == b""
    assert here.outgoing()[:1] == b"\x15"  # the warning no_renegotiation
    here.write(b"250 still here\r\n")
    assert here.outgoing()


def test_the_standard_librarys_client_is_served():
    for portion in (0, 3):
        outside = ssl.create_default_context(cadata=pair().certificate)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        there = outside.wrap_bio(incoming, outgoing, server_hostname="mx.example.com")
        here = TlsEngine.server(SERVER)
        done = False
        while not done:
            try:
                there.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            octets = outgoing.read()
            for at in range(0, len(octets), portion or len(octets)):
                here.feed(octets[at : at + (portion or len(octets))])
            here.handshake()
            incoming.write(here.outgoing())
        there.write(b"EHLO\r\n")
        here.feed(outgoing.read())
        assert here.read() == b"EHLO\r\n"
