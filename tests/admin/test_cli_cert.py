"""Certificates on the command line: made, imported, renewed, shown, deleted; keys never printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from gatepost.tls.certificates import KeyPair, load_chain, load_key
from gatepost.tls.making import Subject, self_signed

from .conftest import Terminal


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return self_signed(Subject(names=("mail.example.org",)), days=90)


def _files(tmp_path: Path, pair: KeyPair) -> tuple[str, str]:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_text(pair.certificate)
    key.write_text(pair.private_key)
    return str(certificate), str(key)


def test_a_self_signed_certificate_is_made_in_the_draft(gatepost: Terminal) -> None:
    done = gatepost("cert", "self-signed", "mx", "--hostname", "mx.example.com", "--hostname", "mx2.example.com")
    assert "DNS names: mx.example.com, mx2.example.com" in done.out
    assert "PRIVATE KEY" not in done.out
    assert "Nothing is live" in done.out
    (entry,) = gatepost.json("cert", "list")
    assert entry["name"] == "mx"
    assert entry["used_by"] == ""
    assert entry["chain"][0]["key"] == "EC P-256"
    assert 823 <= entry["days_left"] <= 825


def test_an_rsa_key_is_made_on_request(gatepost: Terminal) -> None:
    gatepost("cert", "self-signed", "old", "--type", "rsa", "--hostname", "mx.example.com", "--days", "10")
    assert "RSA 2048" in gatepost("cert", "list").out
    assert "2048, 3072 or 4096" in gatepost("cert", "self-signed", "x", "--type", "rsa", "--bits", "512", status=1).err


def test_certificate_and_key_come_in_one_file_or_two(gatepost: Terminal, tmp_path: Path, pair: KeyPair) -> None:
    certificate, key = _files(tmp_path, pair)
    gatepost("cert", "import", "two", certificate, "--key", key)
    both = tmp_path / "both.pem"
    both.write_text(pair.certificate + pair.private_key)
    gatepost("cert", "import", "one", str(both))
    assert {entry["name"] for entry in gatepost.json("cert", "list")} == {"one", "two"}


def test_a_name_that_cannot_be_committed_is_told_at_once(gatepost: Terminal) -> None:
    gatepost("cert", "self-signed", "mx", "--hostname", "mx.example.com")
    assert "is not a name" in gatepost("cert", "self-signed", "m x", "--hostname", "mx.example.com").out
    assert "is not a name" not in gatepost("cert", "self-signed", "m", "--hostname", "mx.example.com").out


def test_a_pkcs12_file_needs_its_passphrase(gatepost: Terminal, tmp_path: Path, pair: KeyPair) -> None:
    file = tmp_path / "mx.p12"
    certificate, key = load_chain(pair.certificate)[0], load_key(pair.private_key)
    file.write_bytes(
        pkcs12.serialize_key_and_certificates(b"mx", key, certificate, None, BestAvailableEncryption(b"secret"))  # type: ignore[arg-type]
    )
    assert "passphrase is missing" in gatepost("cert", "import", "mx", str(file), status=1).err
    told = gatepost("cert", "import", "mx", str(file), "--key", str(file), status=1).err
    assert told == "gatepost: a PKCS#12 file brings its own key: leave the other key out\n"
    gatepost("cert", "import", "mx", str(file), "--passphrase", stdin="secret\n")
    assert "mail.example.org" in gatepost("cert", "list").out


def test_a_renewal_keeps_the_key_that_is_there(gatepost: Terminal, tmp_path: Path, pair: KeyPair) -> None:
    certificate, key = _files(tmp_path, pair)
    done = gatepost("cert", "import", "mx", certificate, status=1)
    assert "give its key too" in done.err
    gatepost("cert", "import", "mx", certificate, "--key", key)
    gatepost("cert", "import", "mx", certificate)


def test_a_key_of_another_certificate_is_refused(gatepost: Terminal, tmp_path: Path, pair: KeyPair) -> None:
    certificate, _ = _files(tmp_path, pair)
    other = tmp_path / "other.pem"
    other.write_text(self_signed(Subject(names=("other.example",))).private_key)
    assert "does not belong" in gatepost("cert", "import", "mx", certificate, "--key", str(other), status=1).err
    assert gatepost.json("cert", "list") == []


def test_what_is_no_certificate_is_refused(gatepost: Terminal, tmp_path: Path) -> None:
    for octets in (b"", b"nonsense", b"\x30\x82", b"-----BEGIN PRIVATE KEY-----\n"):
        file = tmp_path / "file"
        file.write_bytes(octets)
        assert gatepost("cert", "import", "mx", str(file), status=1).err.startswith("gatepost: the file ")


def test_a_signing_request_names_the_hosts_of_the_certificate(gatepost: Terminal) -> None:
    gatepost("cert", "self-signed", "mx", "--hostname", "mx.example.com")
    assert gatepost("cert", "csr", "mx").out.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
    assert "did you mean mx?" in gatepost("cert", "csr", "mx1", status=1).err


def test_a_certificate_in_use_is_not_deleted(configured: Terminal) -> None:
    done = configured("cert", "delete", "mx", status=1)
    assert done.err == ("gatepost: certificate mx is used by listeners.InboundMail.certificates: take it out there first\n")
    configured("cert", "self-signed", "spare")
    configured("cert", "delete", "spare")
    assert len(configured.json("cert", "list")) == 1


def test_show_prints_pem_on_request(configured: Terminal) -> None:
    assert configured("cert", "show", "mx", "--pem").out.startswith("-----BEGIN CERTIFICATE-----\n")
    assert "Issuer:    itself (self-signed)" in configured("cert", "show", "mx").out
