"""`certconfig`: certificates come and go, keys are kept and never shown; authorities."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from gatepost.admin.console.certificates import certconfig
from gatepost.admin.operations import certificates, documents, files
from gatepost.admin.operations.drafts import current
from gatepost.admin.operations.operator import Operator
from gatepost.tls.certificates import KeyPair, check_pair, load_chain, to_pkcs12
from tests.admin.console.conftest import talk
from tests.admin.console.dialogues import run
from tests.support import tls
from tests.support.tls import authority, issued

CHAIN = issued("mx1.example.com")


async def typed(operator: Operator, *lines: str) -> str:
    """Type lines in the menu of certificates, and leave."""
    screen = await run(certconfig, operator, "certificate", *lines, "", "")
    assert "PRIVATE KEY" not in screen.replace("-----BEGIN CERTIFICATE REQUEST", "")
    return screen


def held(operator: Operator, name: str) -> KeyPair:
    entry = current(operator).certificates[name]
    return KeyPair(entry.certificate, entry.private_key)


async def test_a_pkcs12_file_is_imported_as_the_appliance_asks_for_it(operator: Operator) -> None:
    files.write(operator, "esacertpfx", to_pkcs12(CHAIN, "x", "secret"))
    screen = await typed(operator, "import", "partner_tls", "esacertpfx", "secret")
    assert "Enter a name for this certificate profile:\n[]> \n" in screen
    assert "Certificates: none." in screen
    assert "Certificates: partner_tls." in screen
    assert "mx1.example.com" in screen
    assert "Nothing is live before `commit`." in screen
    check_pair(held(operator, "partner_tls"))
    assert load_chain(held(operator, "partner_tls").certificate) == load_chain(CHAIN.certificate)


async def test_a_passphrase_is_no_answer_that_a_history_could_keep(operator: Operator) -> None:
    files.write(operator, "c.p12", to_pkcs12(CHAIN, "x", "secret"))
    one, script = talk(operator, "certificate", "import", "a", "c.p12", "secret", "", "")
    await certconfig(one, "")
    assert script.kinds == ["answer", "answer", "answer", "answer", "secret", "answer", "answer"]
    assert "secret" not in script.screen


async def test_a_wrong_passphrase_is_refused_and_the_menu_stays(operator: Operator) -> None:
    files.write(operator, "c.p12", to_pkcs12(CHAIN, "x", "secret"))
    screen = await typed(operator, "import", "a", "c.p12", "wrong")
    assert "neither PEM nor PKCS#12, or its passphrase is wrong" in screen
    assert not current(operator).certificates


async def test_a_file_that_is_not_there_is_asked_for_again(operator: Operator) -> None:
    files.write(operator, "c.pem", CHAIN.certificate + CHAIN.private_key)
    screen = await typed(operator, "import", "a", "/etc/passwd", "none.pem", "c.pem", "", "")
    assert "no directory" in screen
    assert "cannot be read: No such file or directory" in screen
    check_pair(held(operator, "a"))


async def test_pem_with_its_key_in_another_file(operator: Operator) -> None:
    files.write(operator, "c.pem", CHAIN.certificate)
    files.write(operator, "k.pem", CHAIN.private_key)
    screen = await typed(operator, "import", "a", "c.pem", "n", "")
    assert "the file holds no private key" in screen
    await typed(operator, "import", "a", "c.pem", "y", "k.pem", "")
    check_pair(held(operator, "a"))


async def test_pasting_replaces_only_what_may_be_overwritten(operator: Operator) -> None:
    certificates.make_self_signed(operator, "mx", hostnames=["old.example.com"])
    before = held(operator, "mx")
    screen = await typed(operator, "paste", "mx", "n")
    question = 'Certificate profile "mx" already exists. Do you want to overwrite with this new one?\n[N]> \n'
    assert question in screen
    assert held(operator, "mx") == before
    pasted = [*CHAIN.certificate.splitlines(), *CHAIN.private_key.splitlines(), "."]
    await typed(operator, "paste", "mx", "y", *pasted, "")
    check_pair(held(operator, "mx"))
    assert "mx1.example.com" in str(certificates.show(operator, "mx").chain[0].dns_names)


async def test_a_self_signed_certificate_its_request_and_the_answer_to_it(operator: Operator) -> None:
    documents.set_field(operator, "gateway.hostname", "mx1.example.com")
    screen = await typed(operator, "new", "mx", "", "90", "2")
    assert "Enter the DNS names that it is for, separated by commas.\n[mx1.example.com]> \n" in screen
    found = certificates.show(operator, "mx").chain[0]
    assert (found.dns_names, found.key, found.self_signed) == (("mx1.example.com",), "RSA 2048", True)
    screen = await typed(operator, "csr", "mx", "mx1.example.com, mx2.example.com", "Example", "", "", "", "GB")
    begin, end = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"
    pem = begin + screen.partition(begin)[2].partition(end)[0] + end
    request = x509.load_pem_x509_csr(pem.encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx1.example.com", "mx2.example.com"]
    assert "Example" in request.subject.rfc4514_string()


async def test_what_is_exported_another_program_reads(operator: Operator) -> None:
    files.write(operator, "c.pem", CHAIN.certificate + CHAIN.private_key)
    await typed(operator, "import", "mx", "c.pem", "", "")
    screen = await typed(operator, "export", "mx", "", "")
    assert "under a passphrase only" in screen
    assert files.listing(operator) == ["c.pem"]
    await typed(operator, "export", "mx", "", "open sesame")
    path = files.directory(operator) / "mx.p12"
    assert path.stat().st_mode & 0o777 == 0o600
    done = openssl("pkcs12", "-in", str(path), "-passin", "pass:open sesame", "-nodes")
    assert held(operator, "mx").private_key.strip() in done
    assert done.count("BEGIN CERTIFICATE") == CHAIN.certificate.count("BEGIN CERTIFICATE")
    await typed(operator, "import", "again", "mx.p12", "open sesame")
    assert held(operator, "again") == held(operator, "mx")


def openssl(*arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, timeout=30, check=True).stdout


async def test_delete_is_refused_while_it_is_used(operator: Operator) -> None:
    certificates.make_self_signed(operator, "mx", hostnames=["mx.example.com"])
    documents.set_field(operator, "default_destination.certificate", "mx")
    assert "used by default_destination.certificate" in await typed(operator, "delete", "mx")
    documents.set_field(operator, "default_destination.certificate", "")
    await typed(operator, "delete", "1")
    assert not current(operator).certificates


async def test_print_lists_them_and_shows_one(operator: Operator) -> None:
    files.write(operator, "c.pem", CHAIN.certificate + CHAIN.private_key)
    assert "There is none yet." in await typed(operator, "print")
    await typed(operator, "import", "mx", "c.pem", "", "")
    screen = await typed(operator, "print", "mx")
    assert "Name:    mx\nUsed by: nothing\n" in screen
    assert "Issuer:    " in screen


AUTHORITY = authority().cert_pem.bytes().decode()
OTHER = authority("Other CA").cert_pem.bytes().decode()


async def authorities(operator: Operator, *lines: str) -> str:
    return await run(certconfig, operator, "certauthority", *lines, "", "")


async def test_authorities_are_added_replaced_and_removed(operator: Operator) -> None:
    screen = await authorities(operator, "paste", *AUTHORITY.splitlines(), ".")
    assert "Authorities besides those of the operating system: none." in screen
    assert "1 authority trusted." in screen
    files.write(operator, "ca.pem", OTHER + AUTHORITY)
    assert "2 authorities trusted." in await authorities(operator, "import", "ca.pem", "n")
    assert "Other CA" in await authorities(operator, "print")
    files.write(operator, "ca.pem", OTHER)
    assert "1 authority trusted." in await authorities(operator, "import", "ca.pem", "y")
    assert [one.subject for one in certificates.authorities(operator)] == [load_chain(OTHER)[0].subject.rfc4514_string()]
    await authorities(operator, "clear", "y")
    assert current(operator).gateway.certificate_authorities == ""


@pytest.mark.parametrize("pem", [tls.pair("mx.example.com").certificate, "no certificate at all\n"])
async def test_what_is_no_authority_is_refused(operator: Operator, pem: str, tmp_path: Path) -> None:
    files.write(operator, "ca.pem", pem)
    screen = await authorities(operator, "import", "ca.pem")
    assert "is not that of an authority" in screen or "the certificate is not PEM" in screen
    assert current(operator).gateway.certificate_authorities == ""
