"""Offers of clients that are not connected: those recorded of common mail clients, and those in a file.

The recordings stand in `offers.toml` beside this file with their origin; `scripts/record-offers` made them with the real
clients. No client is described from memory: one that could not be recorded is not there.
"""

from __future__ import annotations

import base64
import re
import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from gatepost.errors import GatepostError
from gatepost.tls.hello import HelloParser, NotTls, parse_client_hello
from gatepost.tls.outcome import Offer

MAX_FILE = 1_000_000
"""Octets of a file that are looked at: a hello has 65536 at most, and a dump of one some times that."""
_RECORD = re.compile(rb"\x16\x03[\x00-\x04]..\x01", re.DOTALL)
"""How a TLS record begins that holds a ClientHello."""
_OFFSET = re.compile(r"\s*(?:0x)?([0-9a-fA-F]{4,8})(:\s|\s-\s|\s\s|\s)\s*")
"""What stands before the octets in a line of xxd, hexdump, od, tcpdump -x, Wireshark or openssl -debug."""
_OCTETS = re.compile(r"(?:[0-9a-fA-F]{2})+(?:[ :,-](?:[0-9a-fA-F]{2})+)*")

_GAP = re.compile(r"(?<=[0-9a-fA-F]{2})  (?=[0-9a-fA-F]{2} )")
"""In the middle of a line of hexdump -C."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """The ClientHello of one client, and where it comes from."""

    name: str
    """By which it is asked for: `postfix`, `java-tls1.2`."""
    client: str
    version: str
    """As its package or the client itself says."""
    release: str
    """The system that it ran on."""
    recorded: str
    """Date."""
    how: str
    """Command or settings."""
    hello: bytes
    """The TLS record."""
    offer: Offer


@cache
def recorded() -> tuple[Recorded, ...]:
    """Return the clients on record, in the order of the file."""
    entries = tomllib.loads((files("gatepost.tls") / "offers.toml").read_text())
    return tuple(_read(name, entry) for name, entry in entries.items())


def _read(name: str, entry: dict[str, str]) -> Recorded:
    hello = base64.b64decode(entry.pop("hello"))
    return Recorded(name=name, hello=hello, offer=read_offer(hello), **entry)


def read_offer(data: bytes) -> Offer:
    """Read the offer from a ClientHello: the octets themselves, or a dump of them in hexadecimal.

    The octets may begin with the TLS record, with the handshake message, or with the headers of the packet that carried
    it. GatepostError when there is no ClientHello, or only the beginning of one.
    """
    octets = data if _starts(data) or _RECORD.search(data) else _from_dump(data)
    if not _starts(octets):
        found = _RECORD.search(octets)
        if found is None:
            raise GatepostError("there is no ClientHello in it: neither the octets of one nor a dump in hexadecimal")
        octets = octets[found.start() :]
    try:
        if octets[0] == 1:
            return parse_client_hello(octets[4 : 4 + int.from_bytes(octets[1:4], "big")])
        offer = HelloParser().feed(octets)
    except NotTls as fault:
        raise GatepostError(str(fault)) from None
    if offer is None:
        raise GatepostError("it ends before the ClientHello does")
    return offer


def _starts(data: bytes) -> bool:
    """Whether a ClientHello begins here: in a record, bare, or in SSLv2 framing."""
    return bool(_RECORD.match(data)) or data[:2] == b"\x01\x00" or (len(data) > 2 and data[0] & 0x80 != 0 and data[2] == 1)


def _from_dump(data: bytes) -> bytes:
    octets = bytearray()
    for line in data.decode("latin-1").splitlines():
        rest = line.strip().removeprefix("0x")
        offset = _OFFSET.match(line)
        if offset and (len(offset[2]) > 1 or int(offset[1], 16) == len(octets)):
            rest = _GAP.sub(" ", line[offset.end() :])
        else:
            offset = None
        hexadecimal = _OCTETS.match(rest)
        if hexadecimal and (offset or hexadecimal.end() == len(rest)):  # behind an offset may stand what is printable
            octets += bytes.fromhex(re.sub(r"[ :,-]", "", hexadecimal.group()))
    return bytes(octets)
