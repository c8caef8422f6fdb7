"""ClientHellos of real clients, whole and in pieces; and everything that is none."""

import ssl
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from gatepost.tls import hello
from gatepost.tls.ciphers import first_flight
from gatepost.tls.context import Terms, context
from gatepost.tls.hello import MAX_HELLO, HelloParser, NotTls, parse_client_hello
from gatepost.tls.outcome import Offer


def library_hello(name: str = "", **terms: object) -> bytes:
    return first_flight(context(Terms(**terms), server=False), name)


def system_hello(configure=lambda context: None, name: str = "mx.example.com") -> bytes:
    """Write the hello of the standard library's own OpenSSL, another version than ours."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    configure(client)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        client.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def record(body: bytes, kind: int = 22, handshake: int = 1) -> bytes:
    message = bytes([handshake]) + len(body).to_bytes(3, "big") + body
    return bytes([kind, 3, 1]) + struct.pack(">H", len(message)) + message


def body(version=0x0303, suites=(0x1301,), extensions=b"", session=b"") -> bytes:
    listed = struct.pack(f">{len(suites)}H", *suites)
    start = struct.pack(">H", version) + bytes(32) + bytes([len(session)]) + session
    return start + struct.pack(">H", len(listed)) + listed + b"\x01\x00" + extensions


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">HH", kind, len(data)) + data


def extended(*extensions: bytes) -> bytes:
    block = b"".join(extensions)
    return struct.pack(">H", len(block)) + block


def feed(octets: bytes) -> Offer | None:
    return HelloParser().feed(octets)


def test_a_modern_client_is_read_whole():
    offer = feed(
        library_hello(
            "mx.example.com",
            groups=("X25519MLKEM768", "X25519", "P-256"),
            suites=("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"),
            ciphers="ECDHE-RSA-AES128-GCM-SHA256:AES256-SHA",
        )
    )
    assert offer is not None
    assert offer.versions == ("TLSv1.3", "TLSv1.2")
    assert offer.suites == (
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_RSA_WITH_AES_256_CBC_SHA",
    )
    assert offer.groups == ("X25519MLKEM768", "X25519", "P-256")
    assert offer.key_shares == ("X25519MLKEM768", "X25519")
    assert "rsa_pss_rsae_sha256" in offer.signatures
    assert offer.server_name == "mx.example.com"


def test_another_library_is_read_too():
    def configure(client: ssl.SSLContext) -> None:
        client.set_alpn_protocols(["smtp", "h2"])
        client.maximum_version = ssl.TLSVersion.TLSv1_2

    offer = feed(system_hello(configure))
    assert offer is not None
    assert offer.versions == ("TLSv1.2",)
    assert offer.alpn == ("smtp", "h2")
    assert offer.key_shares == ()
    assert "TLS_EMPTY_RENEGOTIATION_INFO_SCSV" in offer.suites
    assert not [name for name in (*offer.suites, *offer.groups, *offer.signatures) if name.startswith("0x")]


@pytest.mark.parametrize(
    ("methods", "named"),
    [
        (("TLSv1.0",), ("TLSv1.0",)),
        (("TLSv1.0", "TLSv1.1"), ("TLSv1.1",)),  # without supported_versions only the highest is named
        (("TLSv1.1", "TLSv1.2", "TLSv1.3"), ("TLSv1.3", "TLSv1.2", "TLSv1.1")),
    ],
)
def test_versions(methods, named):
    offer = feed(library_hello(methods=methods, ciphers="ALL"))
    assert offer is not None
    assert offer.versions == named


@pytest.mark.parametrize("listed", [False, True])
def test_one_version_may_be_the_highest_or_the_only_one(listed):
    """Java held to TLS 1.2 lists it, and takes no older one."""
    versions = extended(extension(43, b"\x02\x03\x03")) if listed else b""
    offer = feed(record(body(extensions=versions)))
    assert offer == Offer(versions=("TLSv1.2",), suites=("TLS_AES_128_GCM_SHA256",), exact=listed)


HELLOS = [
    library_hello("mx.example.com", groups=("X25519MLKEM768", "P-256")),
    library_hello(methods=("TLSv1.0",), ciphers="ALL"),
    system_hello(),
]


@pytest.mark.parametrize("octets", HELLOS)
def test_every_split_yields_the_same_offer(octets):
    whole = feed(octets)
    for cut in range(1, len(octets)):
        parser = HelloParser()
        assert parser.feed(octets[:cut]) is None
        assert parser.feed(octets[cut:]) == whole
        assert parser.raw == octets


@given(st.sampled_from(HELLOS), st.lists(st.integers(1, 400), max_size=60), st.integers(1, 300))
@settings(max_examples=60)
def test_records_and_segments_of_any_size(octets, segments, record_size):
    message = octets[5:]
    split = b"".join(
        b"\x16\x03\x01" + struct.pack(">H", len(part)) + part
        for part in (message[at : at + record_size] for at in range(0, len(message), record_size))
    )
    parser = HelloParser()
    offer = None
    for size in [*segments, len(split)]:
        if not split or offer:
            break
        offer = parser.feed(split[:size])
        split = split[size:]
    assert offer == feed(octets)


@given(st.binary(max_size=600))
@settings(max_examples=300)
def test_garbage_is_an_offer_nothing_or_not_tls(octets):
    try:
        feed(octets)
    except NotTls:
        pass


@given(st.sampled_from(HELLOS), st.integers(0, 2000), st.integers(0, 255))
@settings(max_examples=300)
def test_a_flipped_octet_raises_nothing_else(octets, at, value):
    mutated = bytearray(octets)
    mutated[at % len(mutated)] = value
    try:
        feed(bytes(mutated))
    except NotTls:
        pass


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (b"POST / HTTP/1.1\r\n\r\n", "garbage instead of a ClientHello: 'POST / HTTP/…'"),
        (b"EHLO\r\n", "garbage instead of a ClientHello: 'EHLO\\r\\n'"),
        (b"\x1b[31m", "garbage instead of a ClientHello: '\\x1b[31m'"),
        (b"\x16\x02\x01\x00\x05", "garbage instead of a ClientHello"),
        (b"\x80\x2e\x07\x03\x01", "garbage instead of a ClientHello: '\\\\x80.\\x07\\x03\\x01'"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "peer sent an alert instead of a ClientHello"),
        (b"\x15\x00", "garbage instead of a ClientHello"),
        (b"\x80\x05\x01\x03\x01", "garbage instead of a ClientHello"),
        (b"\x16\x03\x01\x00\x00", "a TLS record of 0 octets"),
        (b"\x16\x03\x01\xff\xff", "a TLS record of 65535 octets"),
        (record(b"", handshake=2), "the first handshake message is not a ClientHello"),
        (record(b"\x03"), "a malformed ClientHello"),
        (record(body()[:-3]), "a malformed ClientHello"),
        (record(body(extensions=b"\x00\x09\x00\x0a\x00\x02\x00\x01")), "a malformed ClientHello"),
        (record(body(extensions=extended(b"\x00\x0a\x00\xff"))), "a malformed ClientHello"),
        (record(body(extensions=extended(extension(43, b"\x03\x03\x04\x03")))), "a malformed ClientHello"),
        (b"\x16\x03\x01\x00\x04\x01\x02\x00\x00", f"claims 131076 octets; at most {MAX_HELLO} are read"),
    ],
)
def test_what_is_no_hello_is_named(octets, told):
    with pytest.raises(NotTls) as caught:
        feed(octets)
    assert told in str(caught.value)


def test_an_alert_in_two_pieces():
    parser = HelloParser()
    assert parser.feed(b"\x15") is None
    with pytest.raises(NotTls, match="an alert instead"):
        parser.feed(b"\x03")


def test_a_byte_by_byte_garbage_stream_is_refused_at_its_first_byte():
    with pytest.raises(NotTls):
        feed(b"P")


def test_a_hello_without_extensions_ends_early():
    offer = feed(record(body(version=0x0300, suites=(0x0005, 0x000A))))
    assert offer == Offer(versions=("SSLv3",), suites=("TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"))


def test_grease_is_left_out_and_the_unknown_is_numbered():
    extensions = extended(
        extension(0x2A2A, b""),
        extension(43, b"\x06\x4a\x4a\x7f\x1c\x03\x04"),
        extension(10, b"\x00\x06\x1a\x1a\x43\x21\x00\x1d"),
        extension(51, b"\x00\x0b\x3a\x3a\x00\x01\x00\x00\x1d\x00\x02\x01\x02"),
    )
    offer = feed(record(body(suites=(0x0A0A, 0x1301, 0x7F00), extensions=extensions)))
    assert offer is not None
    assert offer.versions == ("0x7f1c", "TLSv1.3")
    assert offer.suites == ("TLS_AES_128_GCM_SHA256", "0x7f00")
    assert offer.groups == ("0x4321", "X25519")
    assert offer.key_shares == ("X25519",)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x00\x0a\x00\x00\x07a.b\r\n\x00c", "a.b\\x0d\\x0a\\x00c"),
        (b"\x00\x04\x01\x00\x01x", ""),  # another type of name
        (b"\x00\x00", ""),
    ],
)
def test_a_hostile_server_name_is_escaped(data, name):
    offer = feed(record(body(extensions=extended(extension(0, data)))))
    assert offer is not None
    assert offer.server_name == name


def test_long_lists_are_cut_and_not_remembered():
    suites = tuple(range(0x3B00, 0x3B00 + 3000))
    protocols = b"".join(b"\x02h" + bytes([0x30 + n % 10]) for n in range(100))
    extensions = extended(
        extension(0, b"\x01\x03\x00\x01\x00" + b"a" * 256),
        extension(16, len(protocols).to_bytes(2, "big") + protocols),
    )
    before = hello._known_names.cache_info().currsize
    offer = feed(record(body(suites=suites, extensions=extensions)))
    assert offer is not None
    assert len(offer.suites) == 512
    assert offer.server_name == "a" * 255
    assert len(offer.alpn) == 16
    assert hello._known_names.cache_info().currsize <= before + 3


def test_an_sslv2_hello_is_named():
    specs = b"\x01\x00\x80\x07\x00\xc0\x00\x00\x2f\x12\x34\x56"
    message = b"\x01\x03\x01" + struct.pack(">HHH", len(specs), 0, 16) + specs + bytes(16)
    octets = struct.pack(">H", 0x8000 | len(message)) + message
    offer = Offer(
        versions=("SSLv2", "TLSv1.0"),
        suites=(
            "SSL_CK_RC4_128_WITH_MD5",
            "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
            "TLS_RSA_WITH_AES_128_CBC_SHA",
            "0x123456",
        ),
    )
    for cut in range(1, len(octets)):
        parser = HelloParser()
        assert parser.feed(octets[:cut]) is None
        assert parser.feed(octets[cut:]) == offer
    old = feed(octets[:3] + b"\x00\x02" + octets[5:])
    assert old is not None
    assert old.versions == ("SSLv2",)


def test_the_body_alone_can_be_read():
    assert parse_client_hello(body()).suites == ("TLS_AES_128_GCM_SHA256",)
    with pytest.raises(NotTls):
        parse_client_hello(b"")


def test_first_flight_needs_something_to_offer():
    with pytest.raises(SSL.Error):
        library_hello(methods=("TLSv1.0",), ciphers="AESGCM")
