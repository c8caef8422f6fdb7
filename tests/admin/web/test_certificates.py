"""Certificates in this process: import of PEM and PKCS#12, what will not do, requests, export; a key never comes back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gatepost.admin.web.app import MAX_BODY
from gatepost.config.model import Certificate, Config, DefaultDestination, Listener
from gatepost.tls.certificates import MAX_SIZE, KeyPair, to_pkcs12
from gatepost.tls.making import Subject, self_signed
from tests.admin.web.conftest import SignIn
from tests.support.web import Visitor

HELD = self_signed(Subject(names=("mx.example.com", "mail.example.com")))
OTHER = self_signed(Subject(names=("other.example.org",)), days=12)
EXPIRED = self_signed(Subject(names=("late.example.org",)), days=0)


def entry(pair: KeyPair) -> Certificate:
    """Return a pair as the document has it."""
    return Certificate(certificate=pair.certificate, private_key=pair.private_key)


BEGIN = Config(
    certificates={"mx": entry(HELD), "spare": entry(OTHER)},
    listeners={"InboundMail": Listener(address="127.0.0.1", port=2525, certificates=["mx"])},
    default_destination=DefaultDestination(certificate="mx"),
)


def send(console: Visitor, fields: dict[str, str], **files: bytes) -> httpx.Response:
    """Send the form to import, with files."""
    data: dict[str, Any] = {"csrf": console.csrf, "tag": console.tag(), **fields}
    chosen = {name: (f"{name}.pem", octets) for name, octets in files.items()}
    return console.http.post("/certificates/import", data=data, files=chosen, follow_redirects=False)


def sealed(pair: KeyPair, passphrase: str) -> bytes:
    """Return the key of a pair as PEM under a passphrase."""
    key = load_pem_private_key(pair.private_key.encode(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode()))


def test_pem_in_one_file_pem_in_two_files_and_pkcs12_come_to_the_same(visit: SignIn) -> None:
    console = visit(BEGIN)
    both = (OTHER.certificate + OTHER.private_key).encode()
    assert send(console, {"name": "one"}, file=both).headers["Location"] == "/certificates/certificate/one"
    secret = {"name": "two", "passphrase": "open sesame"}
    assert send(console, secret, file=OTHER.certificate.encode(), key=sealed(OTHER, "open sesame")).status_code == 303
    sent = send(console, {"name": "three", "passphrase": "pass"}, file=to_pkcs12(OTHER, "three", "pass"))
    assert sent.status_code == 303
    assert send(console, {"name": "four", "text": both.decode()}).status_code == 303
    for name in ("one", "two", "three", "four"):
        assert console.draft.certificates[name] == entry(OTHER)
    assert "other.example.org" in console.get("/certificates/certificate/two").text


def test_a_renewal_keeps_the_key_and_the_place_has_to_be_meant(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert 'name="replace" checked' in console.get("/certificates/import?name=mx").text
    refused = send(console, {"name": "mx"}, file=HELD.certificate.encode())
    assert (refused.status_code, 'id="fault-name"' in refused.text) == (422, True)
    assert send(console, {"name": "mx", "replace": "on"}, file=HELD.certificate.encode()).status_code == 303
    assert console.draft == BEGIN


@pytest.mark.parametrize(
    ("files", "passphrase", "field", "sentence"),
    [
        ({}, "", "file", "choose a file, or paste the certificate below"),
        ({"file": b"no certificate"}, "", "passphrase", "the file is neither PEM nor PKCS#12, or its passphrase is missing"),
        ({"file": to_pkcs12(OTHER, "x", "right")}, "", "passphrase", "or its passphrase is missing"),
        ({"file": to_pkcs12(OTHER, "x", "right")}, "wrong", "passphrase", "or its passphrase is wrong"),
        ({"file": HELD.certificate.encode()}, "", "file", "the file holds no private key, and there is no new yet"),
        (
            {"file": HELD.certificate.encode(), "key": OTHER.private_key.encode()},
            "",
            "file",
            "the private key does not belong to the certificate CN=mx.example.com",
        ),
        (
            {"file": HELD.certificate.encode(), "key": sealed(HELD, "right")},
            "wrong",
            "passphrase",
            "the private key is not a readable PEM key, or the passphrase is wrong",
        ),
        (
            {"file": HELD.certificate.encode(), "key": sealed(HELD, "right")},
            "",
            "passphrase",
            "the private key is encrypted: give its passphrase",
        ),
        (
            {"file": to_pkcs12(OTHER, "x", "p"), "key": OTHER.private_key.encode()},
            "p",
            "file",
            "a PKCS#12 file brings its own key: leave the other key out",
        ),
        ({"file": b"x" * (MAX_SIZE + 1)}, "", "file", "this is larger than 1 MiB"),
        ({"file": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "", "file", "damaged"),
    ],
)
def test_what_will_not_do_is_one_clear_sentence(
    visit: SignIn, files: dict[str, bytes], passphrase: str, field: str, sentence: str
) -> None:
    console = visit(BEGIN)
    answer = send(console, {"name": "new", "passphrase": passphrase}, **files)
    assert answer.status_code == 422
    assert f'id="fault-{field}"' in answer.text
    assert sentence in answer.text
    assert answer.text.count('class="fault"') == 1
    assert 'value="new"' in answer.text
    assert "right" not in answer.text.split("<main")[1]
    assert console.draft == BEGIN


def test_a_file_that_is_far_too_large_is_one_clear_sentence(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = send(console, {"name": "new"}, file=bytes(MAX_BODY + 1))
    assert answer.status_code == 413
    assert "this is larger than what the web console takes in one piece; nothing was changed" in answer.text
    assert console.draft == BEGIN


def test_a_private_key_and_a_passphrase_never_come_back(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = send(console, {"name": "bad name", "passphrase": "open sesame", "text": HELD.certificate + OTHER.private_key})
    assert answer.status_code == 422
    assert "PRIVATE KEY" not in answer.text
    assert "open sesame" not in answer.text
    kept = send(console, {"name": "bad name", "text": HELD.certificate})
    assert HELD.certificate.splitlines()[1] in kept.text.replace("&#43;", "+")
    for path in ("", "/certificate/mx", "/certificate/mx/pem", "/certificate/mx/csr"):
        assert "PRIVATE KEY" not in console.get(f"/certificates{path}").text


def test_the_list_says_who_shows_each_and_how_long_it_is_good(visit: SignIn) -> None:
    page = (
        visit(
            Config(
                certificates={"mx": entry(HELD), "spare": entry(OTHER), "late": entry(EXPIRED)},
                default_destination=DefaultDestination(certificate="mx"),
            )
        )
        .get("/certificates")
        .text
    )
    assert "mx.example.com, mail.example.com" in page
    assert "deliveries, as the client certificate" in page
    assert "11 days left" in page
    assert "expired less than a day ago" in page


def test_one_that_is_used_stays(visit: SignIn) -> None:
    console = visit(BEGIN)
    refused = console.post("/certificates/certificate/mx/delete")
    assert (refused.status_code, "certificate mx is used by" in refused.text) == (422, True)
    assert console.post("/certificates/certificate/spare/delete").headers["Location"] == "/certificates"
    assert list(console.draft.certificates) == ["mx"]


def test_a_self_signed_one_is_made(visit: SignIn) -> None:
    console = visit(BEGIN)
    form = {"name": "own", "hostnames": "a.example.com\r\nb.example.com", "days": "30", "kind": "RSA 2048"}
    assert console.post("/certificates/self-signed", form).headers["Location"] == "/certificates/certificate/own"
    page = console.get("/certificates/certificate/own").text
    assert "a.example.com, b.example.com" in page
    assert "RSA 2048" in page
    wrong = console.post("/certificates/self-signed", {"name": "MX", "days": "9" * 5000, "kind": "DSA"})
    for field in ("name", "days", "kind"):
        assert f'id="fault-{field}"' in wrong.text
    bad = console.post("/certificates/self-signed", {**form, "name": "x", "hostnames": "a..example"})
    assert 'id="fault-hostnames"' in bad.text


def test_a_signing_request_is_for_the_names_that_are_wanted(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.get("/certificates/certificate/mx/csr?organization=Example&country=DE")
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''mx.csr"
    request = x509.load_pem_x509_csr(answer.content)
    assert request.subject.rfc4514_string() == "CN=mx.example.com,O=Example,C=DE"
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.example.com", "mail.example.com"]
    bad = console.get("/certificates/certificate/mx/csr?country=Germany")
    assert (bad.status_code, "country" in bad.text, 'value="Germany"' in bad.text) == (422, True, True)


def test_the_export_is_the_chain_alone(visit: SignIn) -> None:
    answer = visit(BEGIN).get("/certificates/certificate/mx/pem")
    assert answer.text == HELD.certificate
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''mx.pem"


def test_authorities_come_and_go(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert "There is none of your own" in console.get("/certificates/authorities").text
    refused = console.post("/certificates/authorities", text=HELD.certificate)
    assert (refused.status_code, "is not that of an authority" in refused.text) == (422, True)
    assert "choose a file" in console.post("/certificates/authorities").text
    assert console.post("/certificates/authorities/clear").status_code == 303


def test_only_an_administrator_may_touch_certificates(visit: SignIn) -> None:
    console = visit(BEGIN, "operator")
    assert "Import Certificate" not in console.get("/certificates").text
    assert console.get("/certificates/certificate/mx/csr").status_code == 403
    for path in ("import", "self-signed", "certificate/spare/delete", "authorities", "authorities/clear"):
        assert console.post(f"/certificates/{path}", name="x").status_code == 403
    assert console.draft == BEGIN
    assert console.get("/certificates/certificate/nobody").status_code == 404
