"""The command line as a whole: global options, exit statuses, sentences instead of tracebacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatepost.admin.cli import COMMANDS, run

from .conftest import Terminal


def test_a_missing_state_directory_is_named_and_not_made(gatepost: Terminal) -> None:
    for command in (
        ["status"],
        ["config", "log"],
        ["config", "export"],
        ["config", "commit", "-m", "x"],
        ["cert", "list"],
        ["queue", "list"],
        ["track"],
        ["user", "list"],
        ["explain", "out", "example.com"],
        ["try"],
    ):
        done = gatepost(*command, status=1)
        assert done.err.startswith(f"gatepost: there is no state directory {gatepost.state}:"), command
        assert done.err.count("\n") == 1
    assert not gatepost.state.exists()


def test_global_options_stand_before_or_behind_the_command(gatepost: Terminal, configured: Terminal) -> None:
    state = str(gatepost.state)
    for arguments in (
        ["--json", "--state", state, "config", "log"],
        ["--state", state, "config", "--json", "log"],
        ["config", "log", "--state", state, "--json"],
        ["config", f"--state={state}", "log", "--json"],
    ):
        done = gatepost(*arguments)
        assert done.json[0]["number"] == 1


def test_the_state_directory_may_come_from_the_environment(
    configured: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEPOST_STATE", str(configured.state))
    assert run(["config", "get", "gateway.hostname"]) == 0
    assert capsys.readouterr().out == "mx1.example.com\n"


def test_wrong_usage_is_status_2(gatepost: Terminal) -> None:
    for arguments in (
        ["nonsense"],
        ["config", "nonsense"],
        ["config", "set", "only-a-path"],
        ["queue", "show", "x"],
        ["--no"],
    ):
        done = gatepost(*arguments, status=2)
        assert "Error" in done.err
        assert "Traceback" not in done.err


def test_every_command_has_one_sentence_of_help(gatepost: Terminal) -> None:
    for name in COMMANDS:
        assert "Usage: gatepost" in gatepost(name, "--help").out


def test_no_line_of_a_list_of_commands_is_cut_off(gatepost: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for group in ([], *([name] for name in COMMANDS), ["listener", "hat"], ["user", "token"]):
        _, *lines = gatepost(*group, "--help").out.splitlines()
        assert not [line for line in lines if line.endswith("...")], group


def test_a_word_that_is_no_command_is_answered_with_what_was_meant_or_what_there_is(gatepost: Terminal) -> None:
    for arguments, answer in (
        (["stauts"], "No such command 'stauts'. Did you mean 'status'?"),
        (["config", "comit"], "No such command 'comit'. Did you mean 'commit'?"),
        (["track", "tsl"], "No such command 'tsl'. Did you mean 'tls'?"),
        (["track", "--json", "MID"], "No such command 'MID'. There are: search, tls, gaps."),
        (["explain", "192.0.2.1"], "No such command '192.0.2.1'. There are: in, out."),
    ):
        assert gatepost(*arguments, status=2).err.endswith(f"Error: {answer}\n"), arguments


def test_a_bug_is_told_in_one_sentence(gatepost: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.admin.operations.ciphers.judge", lambda *_, **__: 1 / 0)
    done = gatepost("tls", "ciphers", "ALL", status=1)
    assert done.err == (
        "gatepost: internal error: ZeroDivisionError: division by zero; set GATEPOST_DEBUG=1 for the traceback\n"
    )
    monkeypatch.setenv("GATEPOST_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        gatepost("tls", "ciphers", "ALL")


def test_a_file_that_may_not_be_read_is_named(gatepost: Terminal, tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    done = gatepost("config", "check", str(tmp_path / "config.toml"), status=1)
    assert done.err == f"gatepost: {tmp_path / 'config.toml'} cannot be read: Is a directory\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read it")
def test_whoever_may_not_read_the_state_directory_is_told_who_may(configured: Terminal) -> None:
    commands = (["config", "log"], ["config", "set", "web.enabled", "true"], ["cert", "list"], ["track"], ["try"])
    for command in commands:  # what a command imports lazily need not be readable for nobody
        run(["--state", str(configured.state / "none"), *command])
    configured("config", "log")
    os.seteuid(65534)
    try:
        for command in commands:
            told = configured(*command, status=1).err
            assert told == f"gatepost: {configured.state} may not be read by this user; use the gateway's user or root\n"
    finally:
        os.seteuid(0)


def _process(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "80"}
    environment.pop("GATEPOST_STATE", None)
    return subprocess.run(
        [sys.executable, "-m", "gatepost", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


def test_the_real_process_leaves_with_the_same_statuses(configured: Terminal) -> None:
    state = ["--state", str(configured.state)]
    good = _process(*state, "config", "log", "--json")
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)[0]["comment"] == "Begin"
    refused = _process(*state, "config", "commit")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "gatepost: There is no data to commit.\n"
    assert _process("config", "--nonsense").returncode == 2


def test_a_look_at_the_service_imports_no_database_and_no_tls() -> None:
    """Half a second for each `gatepost status` of a script that asks every few seconds is felt."""
    heavy = ("sqlalchemy", "OpenSSL", "cryptography", "litestar", "asyncssh")
    look = f"import sys, gatepost.admin.cli_service; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_output_that_nobody_reads_is_no_error(configured: Terminal) -> None:
    command = f"{sys.executable} -m gatepost --state {configured.state} config export | head -0"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def test_a_pipe_gets_no_colours(configured: Terminal) -> None:
    assert "\x1b" not in _process("--state", str(configured.state), "config", "log").stdout


def test_the_version_is_printed(gatepost: Terminal) -> None:
    assert gatepost("--version").out.startswith("gatepost 0.")
