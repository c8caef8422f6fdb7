"""The console over SSH: served by the gateway itself, to OpenSSH's client and to asyncssh's."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from gatepost.admin.operations import configuration, documents
from gatepost.admin.operations.operator import Operator
from gatepost.admin.ssh_keys import read_keys
from gatepost.admin.users import Users
from tests.support.client import Client
from tests.support.console import Terminal, type_secret
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.process import alive, free_port, listening, run, wait_for

DISCARD = 9
PASSWORD = "correct horse battery"


class Served:
    """A gateway that serves consoles, and a user with a key."""

    def __init__(self, one: Gateway, smtp: int, port: int, key: Path) -> None:
        self.one, self.smtp, self.port, self.key = one, smtp, port, key
        self.state = one.state
        self.users = Users(one.state / "users.db")

    def command(self, *words: str, user: str = "anna", port: int = 0) -> list[str]:
        options = {"UserKnownHostsFile": str(self.key.with_name("known_hosts")), "StrictHostKeyChecking": "accept-new"}
        options |= {"IdentitiesOnly": "yes", "BatchMode": "yes", "ConnectTimeout": "20", "LogLevel": "ERROR"}
        given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return ["ssh", "-F", "none", *given, "-i", str(self.key), "-p", str(port or self.port), f"{user}@127.0.0.1", *words]

    def ssh(self, *words: str, input: str = "", user: str = "anna", port: int = 0) -> subprocess.CompletedProcess[str]:
        return run(*self.command(*words, user=user, port=port), input=input)

    def audit(self) -> str:
        return (self.state / "log" / "audit_logs").read_text()

    def process(self) -> int:
        """Return the number of the process that serves the consoles."""
        found = run("pgrep", "-f", f"gatepost.admin.console.ssh --state {self.state}").stdout.split()
        return int(found[0]) if found else 0


def document(smtp: int, port: int, *, enabled: bool = True) -> str:
    return f"{relay(smtp, DISCARD)}\n[ssh]\nenabled = {str(enabled).lower()}\nport = {port}\n"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "id"
    assert run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)).returncode == 0
    return file


@contextlib.contextmanager
def serving(directory: Path, key: Path) -> Iterator[Served]:
    smtp, port = free_port(), free_port()
    key.with_name("known_hosts").unlink(missing_ok=True)
    with gateway(directory, document(smtp, port)) as one:
        made = Served(one, smtp, port, key)
        made.users.add("anna", PASSWORD)
        made.users.add_keys("anna", read_keys(Path(f"{key}.pub").read_text()))
        wait_for(lambda: listening(port), "the console over SSH listens")
        yield made


@pytest.fixture
def served(tmp_path: Path, key: Path) -> Iterator[Served]:
    with serving(tmp_path, key) as made:
        yield made


@pytest.fixture(scope="module")
def one_for_all(tmp_path_factory: pytest.TempPathFactory, key: Path) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("shared"), key) as made:
        yield made


@pytest.fixture
def shared(one_for_all: Served) -> Iterator[Served]:
    """A gateway for tests that commit nothing and mistype no password."""
    one_for_all.key.with_name("known_hosts").unlink(missing_ok=True)
    yield one_for_all
    configuration.clear(Operator(one_for_all.state))


def client(served: Served, **options: object) -> asyncssh.connect:
    given = {"known_hosts": None, "username": "anna", "client_keys": None, "agent_path": None, "config": None}
    return asyncssh.connect("127.0.0.1", served.port, **given | options)


def test_a_key_signs_in_and_a_commit_is_live(served: Served) -> None:
    documents.set_field(Operator(served.state), "gateway.hostname", "mx9.example.com")
    done = served.ssh(input="who\ncommit\nOver SSH\nquit\n")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^anna +\w{3} .* UTC  127\.0\.0\.1 +\d+$", done.stdout, re.M)
    assert "Please enter some comments describing your changes:\n[]> \n\nChanges committed: " in done.stdout
    assert done.stdout.endswith("\n\nmx9.example.com> \n")
    with Client(served.smtp) as smtp:
        assert smtp.banner.split()[1] == "mx9.example.com"
    revision = served.one.json("config", "log")[0]
    assert (revision["author"], revision["comment"]) == ("anna", "Over SSH")
    assert re.search(r"anna from 127\.0\.0\.1: signed in over SSH with key SHA256:\S{43}\n", served.audit())
    assert "anna from 127.0.0.1: left the console over SSH" in wait_for(served.audit, "an audit log")


def test_one_command_and_its_status(shared: Served) -> None:
    assert re.fullmatch(r"\nGatepost \d.*\n", shared.ssh("version").stdout)
    refused = shared.ssh("comit")
    assert (refused.returncode, "did you mean commit?" in refused.stdout) == (1, True)
    documents.set_field(Operator(shared.state), "gateway.hostname", "mx9.example.com")
    assert "Changes cleared:" in shared.ssh("clearchanges", input="y\n").stdout
    assert shared.ssh("commit").stdout == "\nThere is no data to commit.\n"


def test_at_a_terminal(shared: Served) -> None:
    documents.set_field(Operator(shared.state), "gateway.hostname", "mx9.example.com")
    command = shared.command()
    with Terminal(shared.state, command[0], "-tt", *command[1:]) as terminal:
        terminal.expect("mx1.example.com> ")
        terminal.send("clearch\t\r")
        terminal.expect("clearchanges")
        terminal.expect("since the last commit?\n[N]> ")
        terminal.send("\x03")
        terminal.expect("mx1.example.com> ")
        terminal.send("loadconfig\r")
        terminal.expect("[N]> ")
        terminal.send("\x04")
        terminal.expect("mx1.example.com> ")
        type_secret(terminal, "s3cret")
        terminal.send("tail mail_logs\r")
        terminal.expect("Gatepost")
        terminal.send("\x03")
        terminal.expect("mx1.example.com> ")
        terminal.send("\x04")
        assert terminal.wait() == 0
        assert "s3cret" not in terminal.screen
        assert "they stay in the draft" in terminal.screen


async def test_whoever_does_not_read_holds_up_nobody(shared: Served) -> None:
    big = shared.state / "configuration"
    big.mkdir(mode=0o700)
    entries = ",".join(f'"{number:040}@example.com"' for number in range(100_000))
    (big / "big.toml").write_text(f"[address_lists.big]\naddresses = [{entries}]\n")
    async with client(shared, client_keys=[str(shared.key)]) as connection:
        process = await connection.create_process(term_type=None)
        process.stdin.write("loadconfig\nbig.toml\nshowconfig draft\n")
        await process.stdout.readuntil("[address_lists.big]")
        assert shared.ssh("version").returncode == 0
    assert shared.ssh("version").returncode == 0


def test_strangers_are_refused_and_told(shared: Served) -> None:
    refused = shared.ssh("version", user="otto")
    assert refused.returncode == 255
    assert "Permission denied" in refused.stderr
    wait_for(lambda: "otto from 127.0.0.1: SSH login failed: no key was accepted" in shared.audit(), "it is told")


def test_a_key_that_is_taken_away_opens_nothing(served: Served) -> None:
    (known,) = served.users.keys("anna")
    served.one.cli("user", "delete-key", "anna", known.fingerprint)
    assert served.ssh("version").returncode == 255


async def test_passwords_and_too_many_wrong_ones(served: Served) -> None:
    async with client(served, password=PASSWORD) as connection:
        done = await connection.run("version")
        assert (done.exit_status, "Gatepost" in str(done.stdout)) == (0, True)
    assert "anna from 127.0.0.1: signed in over SSH with a password" in served.audit()
    for _ in range(5):
        with pytest.raises(asyncssh.PermissionDenied):
            await client(served, password="wrong horse battery")
    with pytest.raises(asyncssh.PermissionDenied):
        await client(served, password=PASSWORD)
    audit = served.audit()
    assert audit.count("anna from 127.0.0.1: SSH login failed: wrong password or unknown user\n") == 5
    assert re.search(r"anna from 127\.0\.0\.1: SSH login refused: too many failed logins, again in \d+ seconds\n", audit)
    assert PASSWORD not in audit
    assert served.ssh("version").returncode == 0, "a key still signs in"


async def test_asking_for_another_password_is_no_way_to_guess(served: Served) -> None:
    class Guessing(asyncssh.SSHClient):
        def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
            return "wrong horse battery", "my own long password"

    served.users.add("bert", PASSWORD, must_change=True)
    for _ in range(6):
        with pytest.raises(asyncssh.PermissionDenied):
            await client(served, username="bert", password=PASSWORD, client_factory=Guessing)
    assert served.users.verify("bert", PASSWORD)
    assert "bert from 127.0.0.1: SSH login refused: too many failed logins" in served.audit()


def test_who_only_connects_keeps_nobody_out(shared: Served) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(socket.create_connection(("127.0.0.1", shared.port)))
        assert shared.ssh("version").returncode == 0
        assert shared.audit().count("SSH connection ended: too many wait for a login") >= 10


async def test_a_given_password_is_changed_first(served: Served) -> None:
    chosen = "my own long password"
    served.users.add("bert", PASSWORD, must_change=True)

    class Changing(asyncssh.SSHClient):
        asked: list[str] = []  # noqa: RUF012

        def password_change_requested(self, prompt: str, lang: str) -> tuple[str, str]:
            self.asked.append(prompt)
            return PASSWORD, ("short" if len(self.asked) == 1 else chosen)

    async with client(served, username="bert", password=PASSWORD, client_factory=Changing) as connection:
        assert (await connection.run("version")).exit_status == 0
    assert "choose one of your own" in Changing.asked[0]
    assert "at least 12 characters" in Changing.asked[1]
    assert served.users.verify("bert", chosen)
    with pytest.raises(asyncssh.PermissionDenied):
        await client(served, username="bert", password=PASSWORD)


async def test_roles_hold_from_one_command_to_the_next(shared: Served) -> None:
    shared.users.add("bert", PASSWORD, role="read-only")
    shared.users.add("carl", PASSWORD)
    async with client(shared, username="bert", password=PASSWORD) as connection:
        process = await connection.create_process(term_type=None)

        async def type_(line: str) -> str:
            process.stdin.write(f"{line}\n")
            return str(await process.stdout.readuntil(re.compile(r"\S+> $")))

        await process.stdout.readuntil("> ")
        assert "Your role, read-only, may not use commit" in await type_("commit")
        listed = await type_("help")
        assert "showconfig" in listed
        assert "saveconfig" not in listed
        shared.users.set_role("bert", "administrator")
        assert "There is no data to commit." in await type_("commit")
        shared.users.delete("bert")
        process.stdin.write("showconfig\n")
        assert "hostname" not in str(await process.stdout.read()), "who is gone may nothing any more"


async def test_a_session_is_a_console_or_nothing(shared: Served) -> None:
    async with client(shared, client_keys=[str(shared.key)]) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_connection("127.0.0.1", shared.smtp)
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", 9)
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.start_sftp_client()


async def test_another_port_cuts_nobody_off(served: Served) -> None:
    async with client(served, client_keys=[str(served.key)]) as connection:
        process = await connection.create_process(term_type=None)
        await process.stdout.readuntil("> ")
        port = free_port()
        documents.set_field(Operator(served.state), "ssh.port", str(port))
        process.stdin.write("commit Move\n")
        assert "Changes committed: " in str(await process.stdout.readuntil("> "))
        wait_for(lambda: listening(port) and not listening(served.port), "it has moved")
        assert served.ssh("version", port=port).returncode == 0
        documents.set_field(Operator(served.state), "ssh.enabled", "false")
        process.stdin.write("commit Off\n")
        assert "Changes committed: " in str(await process.stdout.readuntil("> "))
        wait_for(lambda: not listening(port), "it is closed")
        pid = served.process()
        process.stdin.write("version\n")
        assert "Gatepost" in str(await process.stdout.readuntil("> "))
        process.stdin.write("quit\n")
        await process.wait_closed()
    wait_for(lambda: not alive(pid), "it ends with the last session")
    with Client(served.smtp) as smtp:
        assert smtp.banner.startswith("220")


def test_its_death_touches_no_mail(served: Served) -> None:
    key = served.state / "ssh_host_key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before, workers = key.read_bytes(), served.one.workers()
    with Client(served.smtp) as smtp:
        pid = served.process()
        os.kill(pid, signal.SIGKILL)
        served.one.wait_log("The process of the console over SSH ended by signal SIGKILL; it is started again at once")
        assert smtp.ehlo()
    wait_for(lambda: served.process() not in (0, pid) and listening(served.port), "it serves again")
    assert served.ssh("version").returncode == 0, "under the same key"
    assert key.read_bytes() == before
    assert served.one.workers() == workers
    last = served.process()
    assert served.one.stop() == 0
    assert not alive(last)


def test_a_port_that_somebody_has_is_taken_when_it_is_free(served: Served) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        documents.set_field(Operator(served.state), "ssh.port", str(port))
        served.one.cli("config", "commit", "-m", "move")
        told = f"the console over SSH cannot listen on 127.0.0.1 port {port}"
        wait_for(lambda: told in served.one.output.read_text(), "it is told")
    wait_for(lambda: served.ssh("version", port=port).returncode == 0, "it has the port", 30)
    assert served.one.output.read_text().count(told) == 1


def test_it_is_off_unless_asked_for(tmp_path: Path) -> None:
    smtp, port = free_port(), free_port()
    with gateway(tmp_path, document(smtp, port, enabled=False)) as one:
        assert not listening(port)
        assert not (one.state / "ssh_host_key").exists()
