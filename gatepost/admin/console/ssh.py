"""The process that serves the console over SSH, kept by `service.attendants`: `[ssh]` of the committed configuration.

SIGHUP has it read the configuration once more: it moves to another port without cutting anybody off, and ends when it is not
wanted and the last session is over. The host key is made at the first start and is the gateway's for good.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import asyncssh

from gatepost import __version__
from gatepost.admin.console.ssh_login import Door, Login
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.durable import replace_file
from gatepost.errors import GatepostError, StateError
from gatepost.records.backlog import note
from gatepost.service.process import die_with_parent

HOST_KEY = "ssh_host_key"
RETRY = 5.0
"""Seconds before a port that could not be had is tried again."""
LOGIN_SECONDS = 60
ALIVE_SECONDS = 30
MAX_LINE = 65_536


async def serve(operator: Operator) -> None:
    """Serve until SIGTERM, or until nobody wants it."""
    loop, stopping, door = asyncio.get_running_loop(), asyncio.Event(), Door(operator)

    def stop() -> None:
        stopping.set()
        door.changed.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, door.changed.set)
    key = host_key(operator.state)
    acceptor: asyncssh.SSHAcceptor | None = None
    place: tuple[str, int] | None = None
    failed: tuple[str, int] | None = None
    while not stopping.is_set():
        wanted = _place(operator, place)
        if wanted != place and acceptor is not None:
            acceptor.close()
            acceptor, place = None, None
        if wanted is not None and acceptor is None:
            try:
                acceptor, place, failed = await _listen(door, key, wanted), wanted, None
            except OSError as error:
                if failed != wanted:
                    note(f"the console over SSH cannot listen on {wanted[0]} port {wanted[1]}: {error.strerror}")
                failed = wanted
        if wanted is None and not door.sessions:
            break
        try:
            async with asyncio.timeout(RETRY if wanted != place else None):
                await door.changed.wait()
        except TimeoutError:
            pass
        door.changed.clear()
    if acceptor is not None:
        acceptor.close()


def host_key(state: Path) -> asyncssh.SSHKey:
    """Return the gateway's key, made where there is none; StateError for a file that holds none."""
    path = state / HOST_KEY
    if not path.exists():
        replace_file(path, asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    try:
        return asyncssh.read_private_key(path)
    except (OSError, asyncssh.KeyImportError) as error:
        raise StateError(f"{path} is not a private key: {error}; move it away, and another one is made") from None


def _place(operator: Operator, present: tuple[str, int] | None) -> tuple[str, int] | None:
    """Return where to listen; where it is when the configuration cannot be read."""
    try:
        wanted = load(operator).config.ssh
    except GatepostError as fault:
        note(f"the console over SSH stays where it is: {fault}")
        return present
    return (wanted.address, wanted.port) if wanted.enabled else None


async def _listen(door: Door, key: asyncssh.SSHKey, place: tuple[str, int]) -> asyncssh.SSHAcceptor:
    return await asyncssh.listen(
        *place,
        server_factory=lambda: Login(door),
        server_host_keys=[key],
        server_version=f"Gatepost_{__version__}",
        login_timeout=LOGIN_SECONDS,
        keepalive_interval=ALIVE_SECONDS,
        kbdint_auth=False,
        host_based_auth=False,
        agent_forwarding=False,
        line_history=1000,
        max_line_length=MAX_LINE,
        encoding="utf-8",
        errors="replace",
        reuse_address=True,
    )


def main() -> None:
    """Entry point of the process; its arguments come from the master."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--parent", required=True, type=int)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    try:
        asyncio.run(serve(Operator(arguments.state)))
    except (GatepostError, OSError) as fault:
        note(f"the console over SSH: {fault}")
        sys.exit(1)


if __name__ == "__main__":
    main()
