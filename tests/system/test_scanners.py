"""What testssl.sh says of a listener as it comes: nothing above LOW that docs/tls.md does not explain.

A quick part of its tests; the whole, and what sslyze says, was run by hand and stands in the same place.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.gateway import gateway
from tests.support.process import free_port, run

TLS_DOCUMENT = Path(__file__).parents[2] / "docs" / "tls.md"
NAME = "mx1.example.com"
DOCUMENT = """
[gateway]
hostname = "mx1.example.com"

[listeners.InboundMail]
address = "127.0.0.1"
port = {port}
certificates = ["mx"]

[listeners.InboundMail.default_policy]
tls = "preferred"
"""
MILD = {"OK", "INFO", "LOW"}
"""Severities that need no explanation; WARN, a test that could not be made, does."""
TESTS = ("--protocols", "--server-defaults", "--pfs", "--vulnerable")


def explained() -> set[str]:
    """Return the findings that the documentation names, each at the start of a row of its table."""
    section = TLS_DOCUMENT.read_text().partition("\n## What scanners say")[2].partition("\n## ")[0]
    return {name for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Scan a listener; the severity of each finding."""
    directory = tmp_path_factory.mktemp("scanned")
    port = free_port()
    with gateway(directory, start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", NAME)
        one.configure(DOCUMENT.format(port=port))
        one.start()
        file = directory / "findings.json"
        plain = ("--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", "127.0.0.1")
        target = ("--starttls", "smtp", *TESTS, "--jsonfile", str(file), f"{NAME}:{port}")
        done = run("testssl", *plain, *target, timeout=180)
        assert file.exists(), done.stdout + done.stderr
        assert "Internal error" not in one.log()
        assert one.workers()
    return {finding["id"]: finding["severity"] for finding in json.loads(file.read_text())}


def test_the_scan_is_whole(findings: dict[str, str]) -> None:
    assert len(findings) > 50
    assert "scanTime" in findings
    good = (
        "SSLv2",
        "SSLv3",
        "TLS1_2",
        "TLS1_3",
        "PFS",
        "heartbleed",
        "ROBOT",
        "secure_renego",
        "secure_client_renego",
        "LOGJAM",
    )
    assert {name: findings.get(name) for name in good} == dict.fromkeys(good, "OK")


def test_every_finding_is_explained(findings: dict[str, str]) -> None:
    told = {name: severity for name, severity in findings.items() if severity not in MILD}
    assert "cert_chain_of_trust" in told, "a certificate that signs itself must be noticed, or nothing is"
    assert not told.keys() - explained(), {name: told[name] for name in told.keys() - explained()}
