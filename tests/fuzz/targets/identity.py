"""Names of certificates (tls/identity.py).

Any names, presented and wanted, match or do not, without an exception. A match is a name of the certificate, and either
equals the reference without regard to ASCII case, or has `*` for exactly its first label before two more; nothing with NUL,
an address or a pattern as reference ever matches, and the common name only counts where there is no dNSName.
"""

from __future__ import annotations

import ipaddress

from gatepost.tls.identity import accepted_spellings, match, normal_name, presented
from gatepost.tls.outcome import PeerCertificate

WORDS = (
    b"\xff",
    b"\xff\xff",
    b"mx.example.com",
    b"*.example.com",
    b"*.",
    b"*",
    b".",
    b"..",
    b"com",
    b"xn--",
    b"xn--bcher-kva",
    b"b\xc3\xbccher",
    b"\xe3\x80\x82",
    b"\xe2\x84\xaa",
    b"\xc3\x9f",
    b"\0",
    b"192.0.2.1",
    b"[::1]",
    b"::1",
    b"_",
    b"-",
    b"a" * 63,
)


def check(octets: bytes) -> None:
    """See above; fields parted by 0xFF: the reference, the common name, then the dNSNames."""
    fields = [part.decode("utf-8", "surrogateescape") for part in octets.split(b"\xff")]
    reference, common_name, names = fields[0], "".join(fields[1:2]), tuple(fields[2:])
    normal = normal_name(reference)
    assert normal in ("", normal_name(normal))
    assert normal.isascii()
    assert normal.isprintable()
    assert len(accepted_spellings(reference)) <= 2
    for dns_names in (names, ()):
        peer = PeerCertificate(common_name=common_name, dns_names=dns_names)
        found = match(peer, [reference])
        assert found in ("", *(dns_names or (common_name,)))
        assert found in ("", *presented(peer))
        if found:
            _right(found, normal)


def _right(found: str, normal: str) -> None:
    assert normal
    assert "\0" not in found
    assert "*" not in normal
    assert not _is_address(normal)
    name = found.encode("ascii").lower().decode()
    if name == normal:
        return
    first, _, rest = name.partition(".")
    assert first == "*"
    assert rest == normal.partition(".")[2]
    assert rest.count(".") >= 1
    assert "" not in rest.split(".")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
