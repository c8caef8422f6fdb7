"""A real Gatepost in a temporary state directory, driven as an operator would: by its command line."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.errors import ControlError
from gatepost.service.control import call
from tests.support.process import run, wait_for

COMMAND = (sys.executable, "-m", "gatepost")


class Gateway:
    """A running gateway; made by `gateway`."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.process: subprocess.Popen[bytes] | None = None
        self.output = state.parent / f"{state.name}.out"

    def cli(self, *arguments: str, check: bool = True, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one `gatepost` command on this gateway's state."""
        done = run(*COMMAND, "--state", str(self.state), *arguments, input=input)
        assert not check or done.returncode == 0, f"gatepost {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        """Run a command with --json and return its value."""
        return json.loads(self.cli(*arguments, "--json").stdout)

    def configure(self, document: str, comment: str = "test") -> None:
        """Import a document and commit it."""
        file = self.state.parent / f"{self.state.name}.toml"
        file.write_text(document)
        self.cli("config", "import", str(file))
        self.cli("config", "commit", "-m", comment)

    def commit(self, config: Config, comment: str = "test") -> int:
        """Commit a configuration without the cost of commands; returns the revision."""
        operator = Operator(self.state, author="test")
        configuration.replace(operator, config, force=True)
        return configuration.commit(operator, comment).revision

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Ask the running service without the cost of a command."""
        return call(self.state / "control.sock", verb, **arguments)

    def start(
        self,
        workers: int = 1,
        *options: str,
        up: int | None = None,
        before: Sequence[str] = (),
        python: str = sys.executable,
        env: Mapping[str, str] = {},
    ) -> None:
        """Start the service and wait until every worker serves, or `up` of them. `before`: a command that runs it."""
        serve = [*before, python, *COMMAND[1:], "--state", str(self.state), "serve", "--workers", str(workers), *options]
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                serve, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **env}
            )
        workers = workers if up is None else up
        try:
            wait_for(lambda: self._ended() or self._serves(workers), "the gateway serves")
        finally:
            assert not self._ended(), self.output.read_text()

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def _serves(self, workers: int) -> bool:
        try:
            return sum(worker["up"] for worker in self.ask("status")["workers"]) >= workers
        except ControlError:
            return False

    def stop(self) -> int:
        """End it in order; returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """Kill the master as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def workers(self) -> list[int]:
        """Return the worker processes' numbers."""
        return [worker["pid"] for worker in self.ask("status")["workers"]]

    def log(self) -> str:
        """Return the mail log so far."""
        file = self.state / "log" / "mail_logs"
        return file.read_text(errors="replace") if file.exists() else ""

    def wait_log(self, text: str, timeout: float = 20.0) -> str:
        """Wait for a log line that contains `text` and return it."""

        def found() -> str:
            return next((line for line in self.log().splitlines() if text in line), "")

        try:
            return wait_for(found, f"log line with {text!r}", timeout)
        except AssertionError as fault:
            raise AssertionError(f"{fault}\n{self.log()[-6000:]}\n{self.output.read_text()[-3000:]}") from None


@contextlib.contextmanager
def gateway(directory: Path, document: str = "", *, workers: int = 1, start: bool = True) -> Iterator[Gateway]:
    """A gateway with `document` committed, started unless told otherwise; stopped at the end, by force if need be."""
    one = Gateway(directory / "state")
    if document:
        one.commit(examine(document.encode(), Config()).accepted())
    try:
        if start:
            one.start(workers)
        yield one
    finally:
        if one.process is not None and one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.wait(40)
            except subprocess.TimeoutExpired:
                os.kill(one.process.pid, signal.SIGKILL)
                one.process.wait()
