"""What the receiver takes before it refuses; -1 lifts a limit where it says so."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds of one session, from its mail flow policy and the gateway's settings."""

    max_message_size: int
    """Octets of mail data, dot-stuffing undone; -1: no limit."""
    max_header_size: int
    """Octets of the header section; -1: no limit."""
    max_header_lines: int
    """Lines of the header section; -1: no limit."""
    max_line_length: int
    """Octets of a line of mail data with its CR LF; -1: no limit."""
    max_hops: int
    """Received fields; that many or more is a loop (RFC 5321 6.3); -1: no limit."""
    command_line: int = 2048
    """Octets of a command line with its CR LF; RFC 5321 4.5.3.1.4 asks for 512, the extensions for about 1,400 more."""
    bad_commands: int = 5
    """After that many the session is closed."""
    repair_line_endings: bool = False
    """Turn a bare CR or LF in mail data into CR LF instead of refusing the message."""
