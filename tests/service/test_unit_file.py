"""The systemd unit against what the service needs: what it says must fit what the code does."""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from gatepost.admin.cli import COMMANDS
from gatepost.service import master, worker

UNIT = Path(__file__).parents[2] / "packaging" / "gatepost.service"


@pytest.fixture
def service() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_it_starts_the_command_there_is(service: configparser.SectionProxy) -> None:
    _, *arguments = service["ExecStart"].split()
    assert arguments == ["--state", "/var/lib/gatepost", "serve"]
    assert "serve" in COMMANDS


def test_systemd_waits_longer_than_the_master_and_the_master_longer_than_workers(service: configparser.SectionProxy) -> None:
    assert worker.GRACE < master.GRACE < int(service["TimeoutStopSec"])
    assert service["KillMode"] == "mixed", "the master stops its workers; a signal to them all would cut sessions short"


def test_callbacks_of_openssl_may_be_made(service: configparser.SectionProxy) -> None:
    assert "MemoryDenyWriteExecute" not in service


def test_the_sockets_that_it_needs_are_allowed(service: configparser.SectionProxy) -> None:
    assert set(service["RestrictAddressFamilies"].split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_it(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/gatepost/bin/gatepost", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
