"""No tickets in TLS 1.3: how the library is loaded, in processes of their own, for it is loaded once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HANDSHAKE = """
from gatepost.tls.context import Terms
from tests.support.tls import carry, client, server
from gatepost.tls.engine import TlsEngine
there, here = TlsEngine.server(server()), TlsEngine.client(client(Terms(methods=("TLSv1.3",))), "")
flights = []
for _ in range(3):
    here.handshake(), carry(here, there), there.handshake()
    flights.append(there.outgoing())
    here.feed(flights[-1])
print(there.outcome().protocol, len(b"".join(flights[1:])), os.environ.get("OPENSSL_CONF"))
"""
ROOT = Path(__file__).parents[2]


def behind_the_handshake(before: str = "", **environment: str) -> str:
    """Do a handshake; return its protocol, the octets that follow the client's Finished, and the variable afterwards."""
    kept = {name: value for name, value in os.environ.items() if name != "OPENSSL_CONF"}
    done = subprocess.run(
        [sys.executable, "-c", f"import os\n{before}\nimport gatepost.tls\n{HANDSHAKE}"],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env=kept | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_ticket_follows_the_handshake():
    assert behind_the_handshake() == "TLSv1.3 0 None"


def test_modules_of_ours_do_not_load_the_library_otherwise():
    """Whatever is imported first, it must come to `gatepost.tls` before it comes to cryptography."""
    for module in ("gatepost.service.worker", "gatepost.admin.cli", "gatepost.config.check", "gatepost.snapshot"):
        assert behind_the_handshake(f"import {module}") == "TLSv1.3 0 None", module


def test_the_administrators_own_file_stands(tmp_path):
    file = tmp_path / "openssl.cnf"
    file.write_text("# nothing\n")
    told = behind_the_handshake(OPENSSL_CONF=str(file)).split()
    assert int(told[1]) > 0  # the library's default: tickets
    assert told[2] == str(file)


def test_loaded_by_others_before_it_sends_tickets_that_nobody_honours():
    protocol, octets, variable = behind_the_handshake("import cryptography.x509").split()
    assert (protocol, int(octets) > 0, variable) == ("TLSv1.3", True, "None")
