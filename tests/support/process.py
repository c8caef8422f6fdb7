"""Starting real programs in tests and waiting on facts, never on time alone."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


_given: set[int] = set()


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on, below those that the system gives to outgoing connections meanwhile.

    Test runs side by side have ranges of their own: what one found free, another could bind before it does. None is given
    twice, for the first taker may not have bound it yet.
    """
    lane = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    while True:
        port = random.randrange(10_000 + lane * 5_500, 15_500 + lane * 5_500)
        if port in _given:
            continue
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((address, port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_for(fact: Callable[[], T], what: str, timeout: float = 20.0) -> T:
    """Return the first true value of `fact()`; AssertionError naming `what` when it does not come about."""
    end = time.monotonic() + timeout
    while True:
        value = fact()
        if value:
            return value
        assert time.monotonic() < end, f"did not come about within {timeout:g} s: {what}"
        time.sleep(0.02)


def listening(port: int, address: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex((address, port)) == 0


def alive(pid: int) -> bool:
    """Whether a process is there and not merely unburied."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def run(*command: str, timeout: float = 60.0, input: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end and return what it printed; never raises for its exit status."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        input=input,
        stdin=None if input is not None else subprocess.DEVNULL,
    )


@contextlib.contextmanager
def running(*command: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server for the length of a with block; ended, then killed."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
