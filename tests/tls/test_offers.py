"""Recorded offers with their origin, and a ClientHello read from whatever form it was saved in."""

from __future__ import annotations

import subprocess
import textwrap

import pytest

from gatepost.errors import GatepostError
from gatepost.tls.offers import read_offer, recorded

HELLO = recorded()[0].hello
OFFER = recorded()[0].offer
PACKET = bytes.fromhex("4500 0151 0001 4000 4006 0000 7f00 0001 7f00 0001 c350 0019 0000 0001 0000 0001 8018 0200 0000 0000")


def test_every_recording_tells_its_origin() -> None:
    names = [one.name for one in recorded()]
    assert {"openssl", "openssl-tls1.0", "gnutls", "java", "java-tls1.2", "curl", "postfix", "exim"} <= set(names)
    for one in recorded():
        assert all((one.client, one.version, one.release, one.how))
        assert one.recorded.startswith("20")
        assert one.offer.suites
        assert not one.offer.server_name  # recorded against an address, so that the default certificate is chosen


def test_the_old_ones_are_what_they_are_called() -> None:
    versions = {one.name: one.offer.versions for one in recorded()}
    assert versions["openssl-tls1.0"] == ("TLSv1.0",)
    assert versions["java-tls1.2"] == ("TLSv1.2",)
    assert next(one for one in recorded() if one.name == "java-tls1.2").offer.exact
    assert versions["postfix"][0] == "TLSv1.3"


def dumped(*command: str, data: bytes = HELLO) -> bytes:
    """Let a tool of the distribution write a dump."""
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def wireshark(data: bytes) -> str:
    """Write a dump as Wireshark copies it: an offset, sixteen octets, and what is printable of them."""
    rows = (data[at : at + 16] for at in range(0, len(data), 16))
    lines = []
    for place, row in enumerate(rows):
        text = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in row)
        lines.append(f"{16 * place:04x}  {row.hex(' '):47}   {text}")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "saved",
    [
        pytest.param(HELLO, id="octets"),
        pytest.param(HELLO + b"more", id="more behind it"),
        pytest.param(HELLO[5:], id="the handshake message alone"),
        pytest.param(PACKET + HELLO, id="a packet"),
        pytest.param(HELLO.hex().encode(), id="hexadecimal in a line"),
        pytest.param(b"0x" + HELLO.hex().upper().encode(), id="0x"),
        pytest.param(HELLO.hex(":").encode() + b"\n", id="colons"),
        pytest.param("\n".join(textwrap.wrap(HELLO.hex(" "), 48)).encode(), id="hexadecimal in lines"),
        pytest.param(b"# as it came\n" + HELLO.hex(" ").encode(), id="a comment above it"),
        pytest.param(dumped("od", "-A", "x", "-t", "x1"), id="od"),
        pytest.param(dumped("od", "-A", "x", "-t", "x1z"), id="od with text"),
        pytest.param(wireshark(HELLO).encode(), id="Wireshark"),
        pytest.param(wireshark(PACKET + HELLO).encode(), id="Wireshark, the whole packet"),
    ],
)
def test_a_hello_is_read_however_it_was_saved(saved: bytes) -> None:
    assert read_offer(saved) == OFFER


@pytest.mark.parametrize(
    ("flag", "lines"),
    [
        ("-msg", lambda text: text.partition("ClientHello\n")[2].partition("<<<")[0].partition(">>>")[0]),
        ("-debug", lambda text: text.partition("write to")[2].partition("read from")[0].partition("\n")[2]),
    ],
)
def test_what_openssl_shows_of_its_own_hello_is_read(flag: str, lines) -> None:
    """Of a connection that comes to nothing: the port is closed again at once, but the hello was shown."""
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-nocert", "-naccept", "1"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        port = next(line for line in server.stdout if line.startswith("ACCEPT")).strip().rpartition(":")[2]
        done = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", flag], input=b"", capture_output=True, timeout=30
        )
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    offer = read_offer(lines(done.stdout.decode()).encode())
    assert offer.suites == OFFER.suites


@pytest.mark.parametrize(
    ("saved", "told"),
    [
        (b"", "there is no ClientHello in it"),
        (b"hello\n", "there is no ClientHello in it"),
        (b"16 03 01\n", "there is no ClientHello in it"),
        (HELLO[:100], "it ends before the ClientHello does"),
        (HELLO[:100].hex().encode(), "it ends before the ClientHello does"),
        (bytes(HELLO[:9]) + b"\xff" * 400, "a malformed ClientHello"),
    ],
)
def test_what_is_none_is_told_in_a_sentence(saved: bytes, told: str) -> None:
    with pytest.raises(GatepostError, match=told):
        read_offer(saved)


def test_an_sslv2_hello_is_read() -> None:
    message = b"\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80" + bytes(16)
    assert read_offer((0x8000 | len(message)).to_bytes(2, "big") + message).versions == ("SSLv2",)
