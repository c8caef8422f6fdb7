"""Public keys of administrators: read from the files that OpenSSH writes, kept with the user, gone with the user."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gatepost.admin.ssh_keys import read_key, read_keys
from gatepost.errors import GatepostError

from .conftest import Terminal

PASSWORD = "correct horse battery\n"


def public(private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


ED25519 = public(ed25519.Ed25519PrivateKey.generate())


def test_what_a_key_is_named_by() -> None:
    key = read_key(f"{ED25519} anna@desk her own")
    digest = hashlib.sha256(base64.b64decode(ED25519.split()[1])).digest()
    assert key.fingerprint == "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    assert (key.kind, key.comment, key.line) == ("ssh-ed25519", "anna@desk her own", ED25519)


def test_a_file_may_hold_several() -> None:
    other = public(ec.generate_private_key(ec.SECP256R1()))
    found = read_keys(f"# keys of Anna\n\n{ED25519}\n{other} laptop\n{public(rsa.generate_private_key(65537, 2048))}\n")
    assert [one.kind for one in found] == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no public key"),
        ("# nothing\n", "no public key"),
        (f'command="x" {ED25519}', "not a public key of a kind that is taken"),
        (ED25519.replace("ssh-ed25519", "ssh-rsa", 1), "cannot be read"),
        (ED25519[:-4], "cannot be read"),
        ("ssh-ed25519 ####", "cannot be read"),
        ("ssh-ed25519", "cannot be read"),
        (public(rsa.generate_private_key(65537, 1024)), "has 1024 bits: it needs at least 2048"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "not a public key of a kind that is taken"),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(),
            "this is a private key",
        ),
    ],
    ids=["empty", "comment", "options", "other-kind", "short", "no-base64", "name-only", "small-rsa", "dss", "private"],
)
def test_what_will_not_do_is_refused(text: str, said: str) -> None:
    with pytest.raises(GatepostError, match=said):
        read_keys(text)


def test_keys_come_and_go_with_their_user(gatepost: Terminal) -> None:
    gatepost("user", "add", "anna", "--password-stdin", stdin=PASSWORD)
    file = gatepost.state / "anna.pub"
    file.write_text(f"{ED25519} desk\n")
    fingerprint = read_key(ED25519).fingerprint
    assert f"Added ssh-ed25519 key {fingerprint} of anna." in gatepost("user", "add-key", "anna", str(file)).out
    gatepost("user", "add-key", "anna", str(file))
    assert [(one["fingerprint"], one["comment"]) for one in gatepost.json("user", "keys", "anna")] == [(fingerprint, "desk")]
    assert "there is no user otto" in gatepost("user", "add-key", "otto", str(file), status=1).err
    assert "has no key SHA256:x" in gatepost("user", "delete-key", "anna", "SHA256:x", status=1).err
    gatepost("user", "delete-key", "anna", fingerprint)
    assert "anna has no keys." in gatepost("user", "keys", "anna").out
    gatepost("user", "add-key", "anna", str(file))
    gatepost("user", "delete", "anna")
    gatepost("user", "add", "anna", "--password-stdin", stdin=PASSWORD)
    assert gatepost.json("user", "keys", "anna") == []
