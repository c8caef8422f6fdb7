"""The measured costs of TLS: kept where they were measured, for this machine and this library alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from gatepost.admin.operations import certificates, costs
from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError, StateError
from gatepost.tls.catalogue import catalogue

from .conftest import Terminal


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """A gateway with an RSA 3072 certificate, measured as quickly as can be."""
    made = Operator(tmp_path_factory.mktemp("costs") / "state", "tester")
    certificates.make_self_signed(made, "mx", hostnames=["mx1.example.com"], kind="RSA", bits=3072)
    costs.measure(made, seconds=0)
    return made


def test_figures_are_kept_for_the_owner_alone(operator: Operator) -> None:
    assert stat.S_IMODE((operator.state / costs.FILE).stat().st_mode) == 0o600
    assert not [path for path in operator.state.iterdir() if path.name.startswith(".costs")]
    kept = costs.costs(operator)
    assert kept is not None
    assert kept.machine == costs.machine()
    assert "OpenSSL" in kept.machine.library


def test_installed_kinds_of_key_are_measured(operator: Operator) -> None:
    assert costs.keys_in_use(operator) == ["RSA 3072"]
    kept = costs.costs(operator)
    assert kept is not None
    assert kept.keys == ["RSA 2048", "EC P-256", "RSA 3072"]
    suite = catalogue()["ECDHE-RSA-AES128-GCM-SHA256"]
    one = kept.handshake(suite, "RSA 3072", ["X25519MLKEM768", "P-384"])
    assert one is not None
    assert (one.group, one.key) == ("P-384", "RSA 3072")  # the first that TLS 1.2 has
    assert kept.handshake(suite, "EC P-256") is None
    smaller = kept.handshake(suite, "RSA 2048", ["X25519"])
    larger = kept.handshake(suite, "RSA 3072", ["X25519"])
    assert smaller is not None
    assert larger is not None
    assert smaller.ms * 1.5 < larger.ms
    assert kept.bulk(suite) is not None


@pytest.mark.parametrize("change", ["processor", "library"])
def test_figures_of_another_machine_are_not_used(operator: Operator, tmp_path: Path, change: str) -> None:
    kept = costs.costs(operator)
    assert kept is not None
    other = msgspec.structs.replace(kept, machine=msgspec.structs.replace(kept.machine, **{change: "another"}))
    elsewhere = Operator(tmp_path, "tester")
    (tmp_path / costs.FILE).write_bytes(msgspec.json.encode(kept))
    assert costs.costs(elsewhere) == kept
    (tmp_path / costs.FILE).write_bytes(msgspec.json.encode(other))
    assert costs.costs(elsewhere) is None
    (tmp_path / costs.FILE).write_bytes(b"{")
    assert costs.costs(elsewhere) is None


def test_a_process_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "Order", lambda **_: {"seconds": "many"})
    with pytest.raises(GatepostError, match=r"TLS could not be measured: msgspec.ValidationError: Expected `float`"):
        costs.measure(Operator(tmp_path, "tester"))


def test_a_place_that_cannot_be_written_is_named(operator: Operator, tmp_path: Path) -> None:
    (tmp_path / costs.FILE).mkdir()  # even root cannot put a file in its place
    with pytest.raises(StateError, match=r"costs\.json cannot be written: Is a directory"):
        costs._keep(tmp_path / costs.FILE, b"{}")
    assert os.listdir(tmp_path) == [costs.FILE]


def test_the_command_line_shows_what_was_measured(operator: Operator, gatepost: Terminal) -> None:
    assert "has not been measured on this machine" in gatepost("tls", "ciphers", "AES128-SHA").out
    gatepost.state = operator.state
    out = gatepost("tls", "ciphers", "ECDHE+aRSA").out
    assert f"UTC on {costs.machine().processor}\nwith OpenSSL" in out
    assert max(map(len, out.splitlines())) <= 80
    table = [line.split() for line in out.partition("Suite     ")[2].partition("Suite     ")[2].splitlines()]
    assert table[0] == ["Group", "RSA", "2048", "EC", "P-256", "RSA", "3072", "in", "out"]
    row = next(line for line in table if line[:1] == ["ECDHE-RSA-AES128-GCM-SHA256"])
    assert row[1] == "X25519"
    assert len(row) == 6  # both RSA keys, no figure for the other kind
    told = gatepost.json("tls", "ciphers", "ECDHE+aRSA")["costs"]
    assert told["machine"]["processor"] == costs.machine().processor


def test_the_command_line_measures(gatepost: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    quick = costs.measure
    monkeypatch.setattr(costs, "measure", lambda operator, told: quick(operator, told, seconds=0))
    gatepost.state.mkdir()
    assert "Cost, measured " in gatepost("tls", "ciphers", "AES128-SHA", "--measure").out
    assert "X25519MLKEM768" in gatepost("tls", "ciphers", "--all").out
