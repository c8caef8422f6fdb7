"""Public SSH keys as people keep them in files (RFC 4253 6.6, the lines of OpenSSH's *.pub): read, judged, named.

A line is `TYPE BASE64 [COMMENT]`. Options in front of it, as authorized_keys may have them, are refused: they would promise
restrictions that nobody keeps.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from gatepost.errors import GatepostError

TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
MIN_RSA = 2048
MAX_LINE = 16_384


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that somebody may sign in with."""

    fingerprint: str
    """`SHA256:…`, as `ssh-keygen -l` shows it."""
    kind: str
    data: str
    """The key itself in base64."""
    comment: str = ""

    @property
    def line(self) -> str:
        """The key as OpenSSH writes it, without the comment."""
        return f"{self.kind} {self.data}"


def read_keys(text: str) -> list[PublicKey]:
    """Read the keys of a file; GatepostError for one that will not do, and where there is none."""
    if "PRIVATE KEY" in text:
        raise GatepostError(
            "this is a private key: it stays with its owner; give the public one, from the file that ends in .pub"
        )
    lines = [line.strip() for line in text.splitlines()]
    keys = [read_key(line) for line in lines if line and not line.startswith("#")]
    if not keys:
        raise GatepostError("there is no public key in it")
    return keys


def read_key(line: str) -> PublicKey:
    """Read one key."""
    kind, _, rest = line.partition(" ")
    data, _, comment = rest.strip().partition(" ")
    if kind not in TYPES or len(line) > MAX_LINE:
        raise GatepostError(f"{line[:40]!r} is not a public key of a kind that is taken: {', '.join(TYPES)}")
    try:
        octets = base64.b64decode(data, validate=True)
        key = load_ssh_public_key(f"{kind} {data}".encode())
    except (binascii.Error, ValueError, UnsupportedAlgorithm) as error:
        raise GatepostError(f"the {kind} key cannot be read: {error}") from None
    if isinstance(key, RSAPublicKey) and key.key_size < MIN_RSA:
        raise GatepostError(f"the ssh-rsa key has {key.key_size} bits: it needs at least {MIN_RSA}")
    digest = base64.b64encode(hashlib.sha256(octets).digest()).decode().rstrip("=")
    return PublicKey(fingerprint=f"SHA256:{digest}", kind=kind, data=data, comment=comment.strip()[:200])
