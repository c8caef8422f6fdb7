"""The argument of BDAT (RFC 3030 2): how many octets follow, and whether they are the last."""

from __future__ import annotations

import re

import msgspec

from gatepost.smtp.reply import CHUNK_SIZE_INVALID, CHUNK_TOO_LARGE, Reply

_ARGUMENT = re.compile(r"([0-9]{1,200})(?:[ ]+([Ll][Aa][Ss][Tt]))?")
_HUGE = 1 << 40
"""Octets of one chunk that no honest client sends; to swallow them would take days."""


class ChunkCommand(msgspec.Struct, frozen=True):
    """A BDAT command."""

    size: int
    last: bool


def parse_chunk(argument: str) -> ChunkCommand | Reply:
    """Read BDAT's argument. A wrong one closes: nobody knows then where the octets end and the commands go on."""
    found = _ARGUMENT.fullmatch(argument)
    if found is None:
        return CHUNK_SIZE_INVALID
    size = int(found[1])
    return ChunkCommand(size, found[2] is not None) if size < _HUGE else CHUNK_TOO_LARGE
