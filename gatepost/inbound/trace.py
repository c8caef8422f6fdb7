"""What an SMTP server adds to a message and reads from it: the Received field (RFC 5321 4.4), Subject and Message-ID.

The rest of the message is never parsed, and nothing but the Received field on top is ever changed.
"""

from __future__ import annotations

import email.header
import time

from gatepost.tls.outcome import TlsOutcome

PEEK = 64 * 1024
"""Octets at the start of the mail data that are looked at for Subject and Message-ID."""
FIELD = 1000
"""Octets of such a field that are kept; the library takes quadratic time to decode words, seconds for 64 KB of them."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_date_cache: tuple[int, str] = (-1, "")


def received_field(
    *,
    hello_name: str,
    peer_name: str,
    peer_address: str,
    hostname: str,
    extended: bool,
    tls: TlsOutcome | None,
    smtputf8: bool,
    mid: int,
    recipient: str,
    now: float,
) -> bytes:
    """Return the field as octets, folded. `recipient` is given only when there is exactly one (RFC 5321 7.2)."""
    literal = f"[IPv6:{peer_address}]" if ":" in peer_address else f"[{peer_address}]"
    protocol = ("UTF8SMTP" if smtputf8 else "ESMTP" if extended else "SMTP") + ("S" if tls else "")
    cipher = f"\r\n (using {tls.protocol} with cipher {tls.cipher}{_group(tls)})" if tls else ""
    to = f"\r\n for <{recipient}>" if recipient else ""
    return (
        f"Received: from {hello_name} ({peer_name or 'unknown'} {literal}){cipher}\r\n"
        f" by {hostname} (Gatepost) with {protocol} id {mid}{to};\r\n {rfc5322_date(now)}\r\n"
    ).encode("utf-8", "replace")


def _group(tls: TlsOutcome) -> str:
    return f" group {tls.group}" if tls.group else ""


def rfc5322_date(now: float) -> str:
    """Return the date in UTC (RFC 5322 3.3), made once a second."""
    global _date_cache
    second = int(now)
    if _date_cache[0] != second:
        t = time.gmtime(second)
        _date_cache = (
            second,
            f"{_DAYS[t.tm_wday]}, {t.tm_mday} {_MONTHS[t.tm_mon - 1]} {t.tm_year} "
            f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000",
        )
    return _date_cache[1]


def peek(start: bytes) -> tuple[str, str]:
    """Return Subject (decoded) and Message-ID from the start of the mail data; empty where there is none."""
    end = start.find(b"\r\n\r\n")
    header = b"\r\n" + (start if end < 0 else start[:end])
    lowered = header.lower()
    return _decoded(_field(header, lowered, b"\r\nsubject:")), _field(header, lowered, b"\r\nmessage-id:")


def _field(header: bytes, lowered: bytes, name: bytes) -> str:
    """Return the first field of a name, unfolded (RFC 5322 2.2.3)."""
    found = lowered.find(name)
    if found < 0:
        return ""
    start = found + len(name)
    end = header.find(b"\r\n", start)
    while end >= 0 and header[end + 2 : end + 3] in (b" ", b"\t"):
        end = header.find(b"\r\n", end + 2)
    value = header[start : start + FIELD] if end < 0 else header[start : min(end, start + FIELD)]
    return value.replace(b"\r\n", b"").strip().decode("utf-8", "replace")


def _decoded(subject: str) -> str:
    """Decode RFC 2047 words; a broken one stays as it was written."""
    if "=?" not in subject:
        return subject
    try:
        return str(email.header.make_header(email.header.decode_header(subject)))
    except Exception:  # whatever the library makes of it: no message is refused for its subject
        return subject
