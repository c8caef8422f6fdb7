"""`sslconfig`: what is shown, taken and refused; the dialogue as a whole is in tests/system/test_console_ssl.py."""

from __future__ import annotations

import re
from functools import partial

import msgspec
import pytest

from gatepost.admin.console.sslconfig import sslconfig
from gatepost.admin.operations import certificates, ciphers, costs, documents
from gatepost.admin.operations.costs import FILE, Costs, machine
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.tls_settings import method_numbers, read_methods
from gatepost.config.model import TlsProfile
from gatepost.errors import GatepostError
from gatepost.tls.cost import Bulk, Figures, Handshake
from tests.admin.console.dialogues import run

DEFAULT = TlsProfile()
KEEP = ("", "", "", "", "")
"""Empty lines for each question of an inbound profile with TLS 1.2 and 1.3."""


async def typed(operator: Operator, *lines: str) -> str:
    return await run(sslconfig, operator, *lines, "")


def listen(operator: Operator, kind: str = "EC", **fields: str) -> None:
    """Put a listener with one certificate into the draft."""
    certificates.make_self_signed(operator, "mx", hostnames=["mx.example.com"], kind=kind)  # type: ignore[arg-type]
    documents.set_field(operator, "listeners.InboundMail.certificates", '["mx"]')
    for field, value in fields.items():
        documents.set_field(operator, f"listeners.InboundMail.default_policy.{field}", value)


@pytest.mark.parametrize(
    ("text", "methods"),
    [
        ("3-4", ["TLSv1.2", "TLSv1.3"]),
        ("4,3", ["TLSv1.2", "TLSv1.3"]),
        ("1-2, 3 4", ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        ("1", ["TLSv1.0"]),
        ("2-2", ["TLSv1.1"]),
    ],
)
def test_methods_are_read_as_numbers_and_ranges(text: str, methods: list[str]) -> None:
    assert read_methods(text) == methods
    assert read_methods(method_numbers(read_methods(text))) == methods


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,3", "TLS 1.0 and 1.2 without 1.1 cannot be had: .* Add 2, or leave out"),
        ("1,4", "TLS 1.0 and 1.3 without 1.1 and 1.2 cannot be had: .* Add 2, 3, or leave out"),
        ("1-2,4", "TLS 1.0, 1.1 and 1.3 without 1.2 cannot be had"),
        ("4-3", "4-3 is not a number from 1 to 4"),
        ("5", "5 is not a number from 1 to 4"),
        ("TLSv1.2", "TLSv1.2 is not a number from 1 to 4"),
        (",", "Choose at least one method"),
    ],
)
def test_methods_with_a_gap_or_no_sense_are_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(GatepostError, match=said):
        read_methods(text)


async def test_empty_lines_change_nothing_and_say_nothing_of_a_commit(operator: Operator) -> None:
    screen = await typed(operator, "inbound", *KEEP)
    assert "commit" not in screen
    assert screen.count("sslconfig settings:") == 2
    assert ciphers.profile(operator, "inbound") == DEFAULT


async def test_each_side_is_edited_and_shown_by_itself(operator: Operator) -> None:
    screen = await typed(operator, "gui", "4", "", "", "", "outbound", "3", "ECDHE+AESGCM", "X25519:P-256")
    assert ciphers.profile(operator, "gui").methods == ["TLSv1.3"]
    outbound = ciphers.profile(operator, "outbound")
    assert (outbound.methods, outbound.ciphers, outbound.groups) == (["TLSv1.2"], "ECDHE+AESGCM", ["X25519", "P-256"])
    assert ciphers.profile(operator, "inbound") == DEFAULT
    assert "Enter the GUI HTTPS ssl method you want to use." in screen
    assert "Enter the outbound SMTP ssl cipher you want to use." in screen
    assert "Enter the GUI HTTPS ssl cipher" not in screen, "no cipher string touches TLS 1.3"
    assert "Enter the outbound SMTP TLS 1.3 suites" not in screen
    last = screen.rpartition("sslconfig settings:")[2]
    assert "  GUI HTTPS method:  tlsv1_3\n" in last
    assert "  Outbound SMTP method:  tlsv1_2\n  Outbound SMTP ciphers: ECDHE+AESGCM\n" in last
    assert screen.count("Nothing is live before `commit`.") == 2


async def test_suites_groups_and_order_are_taken_and_refused_with_reasons(operator: Operator) -> None:
    suites = ("TLS_AES_128_GCM_SHA512", "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384")
    groups = ("X25519MLKEM786", "X25519 P-256")
    screen = await typed(operator, "inbound", "", "", *suites, *groups, "2")
    said = " ".join(screen.split())
    assert "is not a suite of TLSv1.3 that this gateway has" in said
    assert "did you mean TLS_AES_128_" in said
    assert "is not a key exchange group that this gateway has; did you mean X25519MLKEM768" in said
    found = ciphers.profile(operator, "inbound")
    assert found.suites == ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]
    assert (found.groups, found.cipher_order) == (["X25519", "P-256"], "client")


async def test_old_methods_are_taken_with_a_warning(operator: Operator) -> None:
    listen(operator, "RSA")
    screen = await typed(operator, "inbound", "1-3", "ECDHE+AES", "", "")
    assert "allows TLSv1.0 and TLSv1.1, deprecated by RFC 8996" in screen
    assert ciphers.profile(operator, "inbound").methods == ["TLSv1.0", "TLSv1.1", "TLSv1.2"]


async def test_a_method_that_the_ciphers_leave_out_is_refused(operator: Operator) -> None:
    screen = await typed(operator, "inbound", "2-4", "", "ECDHE+AES", "", "", "")
    assert "The string matches no cipher of TLSv1.1; add ciphers that TLSv1.1 has" in screen
    assert ciphers.profile(operator, "inbound").ciphers == "ECDHE+AES"


RC4 = "RC4 is prohibited in TLS by RFC 7465 (2015)"


async def test_a_string_of_words_that_are_gone_is_refused_word_by_word(operator: Operator) -> None:
    screen = await typed(operator, "inbound", "", "RC4-SHA:RC4-MD5", *KEEP[1:])
    answer = screen.partition("> \nRC4-SHA")[2]
    lines = screen.splitlines()
    for word in ("RC4-SHA", "RC4-MD5"):
        (line,) = [line for line in lines if line.startswith(f"{word}: ")]
        assert RC4 in line
        assert "; nearest: " in line
    assert "The string matches no cipher of TLSv1.2.\nThe old value is kept.\n" in screen
    assert answer
    assert ciphers.profile(operator, "inbound") == DEFAULT


async def test_a_string_with_dead_words_is_taken_with_a_warning(operator: Operator) -> None:
    screen = await typed(operator, "inbound", "", "RC4-SHA:RC4-MD5:ALL", "", "", "")
    assert "Warning: 2 of its 3 words match nothing: RC4-SHA, RC4-MD5.\n" in screen
    assert screen.count(RC4) == 2
    assert ciphers.profile(operator, "inbound").ciphers == "RC4-SHA:RC4-MD5:ALL"


async def test_a_misspelt_word_is_named_with_what_stands_nearest(operator: Operator) -> None:
    screen = await typed(operator, "inbound", "", "ECHDE+AESGCM", "ECDHE+AESGCM:CHACHA21", "", "", "")
    assert "ECHDE+AESGCM: OpenSSL knows no ECHDE; nearest: ECDHE+AESGCM" in screen
    assert "CHACHA21: " in screen
    assert "Warning: 1 of its 2 words matches nothing: CHACHA21." in screen
    assert ciphers.profile(operator, "inbound").ciphers == "ECDHE+AESGCM:CHACHA21"


async def test_a_list_that_leaves_a_certificate_without_a_suite_is_refused(operator: Operator) -> None:
    listen(operator)
    screen = await typed(operator, "inbound", "", "ECDHE+aRSA", *KEEP[1:])
    assert "The string leaves certificate mx (EC P-256) without a suite in TLSv1.2" in screen
    assert ciphers.profile(operator, "inbound") == DEFAULT
    await typed(operator, "outbound", "", "ECDHE+aRSA", "", "")
    assert ciphers.profile(operator, "outbound").ciphers == "ECDHE+aRSA", "there the certificate is the server's"


async def test_the_web_shows_its_certificate_under_the_profile_gui(operator: Operator) -> None:
    certificates.make_self_signed(operator, "web", hostnames=["mx.example.com"], kind="RSA")
    documents.set_field(operator, "web.certificate", "web")
    screen = await typed(operator, "gui", "", "ECDHE+aECDSA", *KEEP[1:])
    assert "The string leaves certificate web (RSA 2048) without a suite in TLSv1.2" in screen
    await typed(operator, "inbound", "", "ECDHE+aECDSA", "", "", "")
    assert ciphers.profile(operator, "inbound").ciphers == "ECDHE+aECDSA"


async def test_a_certificate_under_another_profile_does_not_count(operator: Operator) -> None:
    documents.set_field(operator, "tls_profiles.other.ciphers", "ECDHE+AESGCM")
    listen(operator, tls_profile="other")
    await typed(operator, "inbound", "", "ECDHE+aRSA", "", "", "")
    assert ciphers.profile(operator, "inbound").ciphers == "ECDHE+aRSA"


def keep_costs(operator: Operator) -> None:
    """Keep figures as a measurement of this machine would; how they are found is tested elsewhere."""
    handshake = Handshake(
        suite="ECDHE-ECDSA-AES256-GCM-SHA384", group="X25519", key="EC P-256", ms=0.256, spread=0.01, handshakes=9
    )
    newest = msgspec.structs.replace(handshake, suite="TLS_AES_256_GCM_SHA384", group="X25519MLKEM768", ms=0.5)
    bulk = Bulk(cipher="AES-256-GCM", mac="AEAD", receive=1634.4, send=1594.0)
    figures = Figures(handshakes=(newest, handshake), bulk=(bulk,), seconds=1.0)
    operator.prepare()
    kept = Costs(machine=machine(), measured_at=1.0, figures=figures)
    (operator.state / FILE).write_bytes(msgspec.json.encode(kept))


def rows(screen: str) -> dict[str, str]:
    """Return the rows of the table of suites by the suite, each with its lines joined."""
    found: dict[str, str] = {}
    name = ""
    for line in screen.partition("Cost\n")[2].partition("\n\n")[0].splitlines():
        if re.match(r"(ECDHE|DHE|AES|TLS)\S*\s+TLSv1", line):
            name = line.split()[0]
        if name:
            found[name] = " ".join([found.get(name, ""), *line.split()]).strip()
    return found


async def test_verify_shows_a_row_for_each_suite_with_what_it_costs_here(operator: Operator) -> None:
    listen(operator)
    keep_costs(operator)
    screen = await typed(operator, "verify", "")
    assert "Enter the ssl cipher string you want to verify.\n[ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM]> \n" in screen
    found = rows(screen)
    assert list(found)[:4] == [*DEFAULT.suites, "ECDHE-ECDSA-AES256-GCM-SHA384"]
    shown = found["ECDHE-ECDSA-AES256-GCM-SHA384"]
    for part in ("TLSv1.2", "0xC02C", "ECDHE", "ECDSA", "PFS", "AES-256-GCM", "256 bits", "AEAD", "in 1634", "out 1594"):
        assert part in shown, part
    assert "TLS_ECDHE_ECDSA_WITH_" in shown
    assert "0.26 ms mx" in shown
    assert "0.50 ms mx" in found["TLS_AES_256_GCM_SHA384"]
    assert "ms" not in found["ECDHE-RSA-AES256-GCM-SHA384"].split(), "no certificate of ours can serve it"
    assert "not known" in found["ECDHE-ECDSA-CHACHA20-POLY1305"]
    assert "ms: CPU of our side for a handshake with each certificate and X25519MLKEM768 or X25519;" in screen
    table = screen.partition("Cost\n")[2].partition("\n\n")[0]
    assert max(map(len, table.splitlines())) <= 80


async def test_verify_says_what_clients_would_get_and_changes_nothing(operator: Operator) -> None:
    listen(operator)
    before = documents.export(operator, draft=True)
    screen = await typed(operator, "verify", "ECDHE+AESGCM", "n")
    assert "is not measured yet. Do you want to do it now" in screen
    assert not (operator.state / FILE).exists()
    said = screen.split()
    for client in ("openssl", "postfix", "java-tls1.2", "openssl-tls1.0"):
        assert client in said, client
    assert "no TLS (peer offers only TLSv1.0" in screen
    screen = await typed(operator, "verify", "ECDHE+aRSA", "n", "verify", "bf-cbc", "n")
    assert "leaves certificate mx (EC P-256) without a suite" in screen
    assert "ECDHE-RSA-AES256-GCM-SHA384" in rows(screen)
    assert "no TLS suite has ever used Blowfish" in screen
    assert "The old value is kept." not in screen
    assert documents.export(operator, draft=True) == before


async def test_verify_measures_where_that_is_wanted(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    listen(operator)
    monkeypatch.setattr(costs, "measure", partial(costs.measure, seconds=0.1))
    screen = await typed(operator, "verify", "ECDHE+AESGCM", "y")
    assert re.search(r"0\.\d\d ms mx.* in \d+ .* out \d+", rows(screen)["ECDHE-ECDSA-AES128-GCM-SHA256"])
    assert costs.costs(operator) is not None


async def test_verify_without_a_certificate_says_that_nobody_would_get_any(operator: Operator) -> None:
    screen = await typed(operator, "verify", "ECDHE+AESGCM", "n")
    assert "No listener has a certificate under this profile" in screen
