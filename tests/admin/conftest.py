"""The command line in this process: arguments in, exit status and both streams out."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gatepost.admin.cli import run
from gatepost.admin.operations import certificates, configuration, documents
from gatepost.admin.operations.operator import Operator


class Done:
    """What a command came to."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Runs commands on one state directory."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.state, self._capsys, self._monkeypatch = state, capsys, monkeypatch

    def __call__(self, *arguments: str, status: int = 0, stdin: str = "") -> Done:
        self._capsys.readouterr()
        self._monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        got = run(["--state", str(self.state), *arguments])
        out, err = self._capsys.readouterr()
        assert got == status, f"gatepost {' '.join(arguments)}: status {got}\n{out}{err}"
        return Done(got, out, err)

    def json(self, *arguments: str) -> Any:
        return self(*arguments, "--json").json


def configure(state: Path, document: str) -> None:
    """Commit a document; a certificate `mx` is made for it."""
    operator = Operator(state, "tester")
    certificates.make_self_signed(operator, "mx", hostnames=["mx1.example.com"])
    file = state.with_suffix(".toml")
    file.write_text(document)
    documents.import_file(operator, str(file))
    configuration.commit(operator, "Begin")


@pytest.fixture
def gatepost(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A command line with a state directory of its own, which does not exist yet."""
    monkeypatch.delenv("GATEPOST_STATE", raising=False)
    monkeypatch.delenv("GATEPOST_DEBUG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal(tmp_path / "state", capsys, monkeypatch)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory with one partner, to be copied: committing takes time."""
    state = tmp_path_factory.mktemp("template") / "state"
    configure(state, PARTNER)
    return state


@pytest.fixture
def configured(gatepost: Terminal, template: Path) -> Terminal:
    """A command line on a committed configuration with one partner."""
    shutil.copytree(template, gatepost.state)
    return gatepost


PARTNER = """\
[gateway]
hostname = "mx1.example.com"
[address_lists.must_encrypt]
addresses = ["@bank.example"]
[listeners.InboundMail]
address = "127.0.0.1"
port = 2525
certificates = ["mx"]
default_policy = { tls = "preferred" }
[listeners.InboundMail.policies.PARTNER_TLS]
tls = "required"
max_messages_per_connection = 10
[listeners.InboundMail.policies.BANKS]
tls_mandatory_senders = "must_encrypt"
[listeners.InboundMail.policies.BLOCKED]
behavior = "reject"
[listeners.InboundMail.policies.LOOK_ON]
behavior = "continue"
[[listeners.InboundMail.sender_groups]]
name = "WATCHED"
senders = ["198.51.100.0/25"]
policy = "LOOK_ON"
[[listeners.InboundMail.sender_groups]]
name = "PARTNERS"
senders = ["198.51.100.0/24", ".relay.partner.example"]
policy = "PARTNER_TLS"
[[listeners.InboundMail.sender_groups]]
name = "NARROW"
senders = ["198.51.100.7"]
policy = "BANKS"
[[listeners.InboundMail.sender_groups]]
name = "BANKHOSTS"
senders = ["192.0.2.1"]
policy = "BANKS"
[[listeners.InboundMail.sender_groups]]
name = "BAD"
senders = ["203.0.113.66"]
policy = "BLOCKED"
[[listeners.InboundMail.recipients]]
match = "example.com"
[[listeners.InboundMail.recipients]]
match = ".example.com"
[destinations."partner.example"]
tls = "required-verify"
max_connections = 5
[routes]
"example.com" = ["127.0.0.1:2526", "10.0.0.6:2525/pri=10"]
".example.com" = ["USEDNS"]
"gone.example" = ["/dev/null"]
"""
