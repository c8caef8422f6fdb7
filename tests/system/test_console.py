"""`gatepost shell` as a process: over a pipe, at a terminal, with and without a running gateway."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from gatepost.admin.operations import configuration, documents
from gatepost.admin.operations.operator import Operator
from tests.admin.conftest import PARTNER, configure
from tests.support.client import Client
from tests.support.console import Console, Terminal, dialogue, type_secret
from tests.support.documents import relay
from tests.support.gateway import gateway
from tests.support.process import free_port

DISCARD = 9
DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\w{3}) [ \d]\d \d\d:\d\d:\d\d \d{4} UTC"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    configure(tmp_path / "state", PARTNER)
    return Operator(tmp_path / "state", "tester")


def rename(operator: Operator, name: str = "mx9.example.com") -> None:
    documents.set_field(operator, "gateway.hostname", name)


def test_commit_as_the_model_has_it(operator: Operator) -> None:
    rename(operator)
    with Console(operator.state, author="ann") as console:
        assert console.screen.endswith("\n\nmx1.example.com> ")
        seen = console.type("commit", "Require TLS on InboundMail")
        assert re.fullmatch(
            "commit\n"
            "\n"
            "Please enter some comments describing your changes:\n"
            r"\[\]> Require TLS on InboundMail" + "\n"
            "\n"
            f"Changes committed: {DATE}\n"
            r"No gateway runs; it is in force at the next start\." + "\n"
            r"1 warning; `showchanges` shows it\." + "\n"
            "\n"
            "mx9.example.com> ",
            seen,
        ), seen
        assert console.type("commit") == "commit\n\nThere is no data to commit.\n\nmx9.example.com> "
    done = configuration.log(operator, 1)[0]
    assert (done.number, done.author, done.comment) == (2, "ann", "Require TLS on InboundMail")


def test_a_commit_reaches_the_running_gateway(tmp_path: Path) -> None:
    port = free_port()
    with gateway(tmp_path, relay(port, DISCARD)) as one:
        rename(Operator(one.state))
        with Client(port) as open_session:
            seen = dialogue(one.state, "commit", "Rename", "quit")
            assert re.search(f"\nChanges committed: {DATE}\n", seen)
            assert "No gateway runs" not in seen
            assert open_session.banner.split()[1] == "mx1.example.com"
        with Client(port) as client:
            assert client.banner.split()[1] == "mx9.example.com"


def test_a_draft_with_errors_is_refused_whole(operator: Operator) -> None:
    rename(operator)
    documents.set_field(operator, "listeners.InboundMail.bounce_profile", "Nowhere")
    seen = dialogue(operator.state, "commit Try it", status=1)
    assert "listeners.InboundMail.bounce_profile" in seen
    assert "cannot be taken: 1 error" in seen
    assert "There are changes that are not committed; they stay in the draft." in seen
    assert len(configuration.log(operator)) == 1


def test_changes_are_shown_and_given_up(operator: Operator) -> None:
    rename(operator)
    seen = dialogue(
        operator.state, "showchanges", "showchanges text", "clearchanges", "", "clearchanges", "y", "clearchanges"
    )
    assert "1 change since revision 1:\n  gateway.hostname: mx1.example.com -> mx9.example.com\n" in seen
    assert '-hostname = "mx1.example.com"\n+hostname = "mx9.example.com"\n' in seen
    assert seen.count("Are you sure you want to clear all the changes since the last commit?\n[N]> ") == 2
    assert seen.count("Changes cleared:\n  gateway.hostname: mx1.example.com -> mx9.example.com\n") == 1
    assert seen.endswith("There are no changes.\n\nmx1.example.com> \n")
    assert not configuration.is_changed(operator)


def test_leaving_with_changes_asks(operator: Operator) -> None:
    rename(operator)
    seen = dialogue(operator.state, "quit", "n", "exit", "")
    assert seen.count("There are changes that are not committed; they stay in the draft. Do you want to leave?\n[Y]> ") == 2
    assert configuration.is_changed(operator)
    configuration.clear(operator)
    assert dialogue(operator.state, "quit").endswith("> quit\n")


def test_save_load_and_go_back(operator: Operator) -> None:
    saved = dialogue(operator.state, "saveconfig", "", "../x", "before.toml", "saveconfig", "n", "keys.toml")
    directory = operator.state / "configuration"
    assert "'../x' is not the name of a file" in saved
    assert "PRIVATE KEY" not in (directory / "before.toml").read_text()
    assert "PRIVATE KEY" in (directory / "keys.toml").read_text()
    assert {stat.S_IMODE(one.stat().st_mode) for one in directory.iterdir()} == {0o600}
    rename(operator)
    loaded = dialogue(
        operator.state, "commit Rename", "showconfig", "loadconfig", "before.toml", "commit Back", "commitlog 2"
    )
    assert 'hostname = "mx9.example.com"' in loaded
    assert "The private key of certificate mx is masked; it is taken over from the draft." in loaded
    assert re.findall(r"^ +(\d)  ", loaded, re.M) == ["3", "2"]
    back = dialogue(operator.state, "rollbackconfig", "2", "", "rollbackconfig", "", "y")
    assert "Enter the number of the revision to roll back to.\n[2]> " in back
    assert back.count("Changes committed: ") == 1
    assert configuration.log(operator, 1)[0].comment == "Rollback to revision 2"
    assert back.endswith("mx9.example.com> \n")


def test_a_document_is_pasted(operator: Operator) -> None:
    text = documents.export(operator).replace("mx1.example.com", "pasted.example.com", 1)
    rename(operator)
    with Console(operator.state) as console:
        console.type("loadconfig", "n")
        assert configuration.pending(operator).changes[0].new == "mx9.example.com"
        assert "Paste it, then type a . on a line by itself." in console.type("loadconfig", "y", "1")[-200:]
        assert "gateway.hostname: mx1.example.com -> pasted.example.com" in console.paste(text)
        console.type("loadconfig", "y", "1")
        refused = console.paste("[gateway]\nhostnam = 1")
        assert "gateway.hostnam" in refused
        assert refused.endswith("> ")
    assert configuration.pending(operator).changes[0].new == "pasted.example.com"


def test_interrupting_leaves_the_dialogue_and_not_the_console(operator: Operator) -> None:
    rename(operator)
    with Console(operator.state) as console:
        console.type("commit")
        assert console.interrupt().endswith("mx1.example.com> ")
        assert console.interrupt().endswith("mx1.example.com> ")
        assert console.type("version").startswith("version\n\nGatepost ")
        assert console.end() == 0
    assert len(configuration.log(operator)) == 1


def test_what_is_not_known_or_cut_short_is_told(operator: Operator) -> None:
    rename(operator)
    assert "There is no command comit: did you mean commit? `help` lists those there are." in dialogue(
        operator.state, "comit", status=1
    )
    assert "There is no command zzz: `help` lists" in dialogue(operator.state, "help zzz", "", "  ", status=1)
    dialogue(operator.state, "commit", status=1)


def test_a_console_before_anything_is_configured(tmp_path: Path) -> None:
    seen = dialogue(tmp_path / "none", "?", "commit", "showconfig", "who", "quit", status=1)
    assert seen.startswith("Gatepost ")
    assert "\n\ngatepost> ?\n\n" in seen
    assert re.search(r"^clearchanges +Give up all changes since the last commit\.$", seen, re.M)
    assert "There is no data to commit." in seen
    assert "there is no state directory" in seen
    assert not (tmp_path / "none").exists()


def test_who_is_there(operator: Operator) -> None:
    with Console(operator.state, author="ann"), Console(operator.state, author="bob") as bob:
        seen = bob.type("who")
        assert re.findall(r"^(ann|bob) +\w{3} .* UTC  local +\d+$", seen, re.M) == ["ann", "bob"]
    assert list((operator.state / "consoles").iterdir()) == []


def test_a_killed_console_is_not_there(operator: Operator) -> None:
    with Console(operator.state, author="ann") as ann:
        ann.kill()
        seen = dialogue(operator.state, "who", author="bob")
    assert "bob" in seen
    assert "ann" not in seen


def test_at_a_terminal(operator: Operator) -> None:
    rename(operator)
    with Terminal(operator.state) as terminal:
        terminal.expect("mx1.example.com>")
        terminal.send("comm\t")
        terminal.expect("commit")
        terminal.send("\x03")
        terminal.expect("mx1.example.com>")
        terminal.send("clearch\t\r")
        terminal.expect("since the last commit?")
        terminal.expect("[N]>")
        terminal.send("secretive\r")
        terminal.expect("must be Y or N")
        terminal.send("\x03")
        terminal.expect("mx1.example.com>")
        terminal.send("clearchanges\r")
        terminal.expect("since the last commit?")
        terminal.expect("[N]>")
        terminal.send("\x04")
        terminal.expect("mx1.example.com>")
        type_secret(terminal, "s3cret")
        terminal.send("\x04")
        assert terminal.wait() == 0
        assert "s3cret" not in terminal.screen
        assert "they stay in the draft" in terminal.screen
    history = operator.state / "console_history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    kept = [line[1:] for line in history.read_text().splitlines() if line.startswith("+")]
    assert kept == ["clearchanges", "certconfig"], "no answer, and twice the same is once"
    assert configuration.is_changed(operator)
