"""The process that serves the web console: a child of the gateway, which may die without touching mail.

Speaks HTTPS only, under the TLS profile `gui`, with the certificate that the configuration names or one of its own. What is
committed meanwhile holds from the next connection on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import uvicorn

from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Users
from gatepost.admin.web.app import application
from gatepost.admin.web.door import HEAD_SECONDS, Connection, Door, Http
from gatepost.config.model import Config, tls_profile
from gatepost.config.store import ConfigStore
from gatepost.errors import GatepostError
from gatepost.records.backlog import note
from gatepost.service.process import die_with_parent
from gatepost.snapshot import terms
from gatepost.tls.certificates import KeyPair
from gatepost.tls.making import Subject, self_signed
from gatepost.tls.sides import ServerContext

PROFILE = "gui"
OWN_CERTIFICATE = "web.pem"
LEAVE_SECONDS = 3
"""For answers that are under way when the process is to end; a stream of events would hold it for an hour."""


class Terms:
    """Under which TLS the next connection is served: as the latest revision says."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._revision = -1
        self._context: ServerContext | None = None

    def context(self) -> ServerContext:
        """Return the context of the latest revision; of the one before when the latest cannot be read."""
        try:
            revision = latest_number(self._state)
            if revision != self._revision:
                self._context, self._revision = make_context(committed(self._state), self._state), revision
        except GatepostError as error:
            if self._context is None:
                raise
            note(f"web console: {error}; the TLS of revision {self._revision} goes on")
        assert self._context is not None
        return self._context


def make_context(config: Config, state: Path) -> ServerContext:
    """Return how a configuration wants the web console to speak TLS."""
    profile = tls_profile(config, PROFILE)
    assert profile is not None
    named = config.certificates.get(config.web.certificate)
    pair = KeyPair(named.certificate, named.private_key) if named else own_certificate(config, state)
    return ServerContext(terms(profile), [pair], profile=PROFILE)


def own_certificate(config: Config, state: Path) -> KeyPair:
    """Return the self-signed certificate that stands in until one is imported; made when there is none."""
    file = state / OWN_CERTIFICATE
    try:
        certificate, _, key = file.read_text().partition("\n\n")
        if key:
            return KeyPair(certificate, key)
    except FileNotFoundError:
        pass
    made = self_signed(Subject(names=(config.gateway.hostname, "localhost")), days=825)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as out:
        out.write(f"{made.certificate.strip()}\n\n{made.private_key}")
    return made


def latest_number(state: Path) -> int:
    """Return the number of the revision in force, which costs far less than to read it."""
    store = ConfigStore.open(state)
    try:
        return next((revision.number for revision in store.log(1)), 0)
    finally:
        store.close()


def committed(state: Path) -> Config:
    """Return the configuration in force."""
    store = ConfigStore.open(state)
    try:
        latest = store.committed()
    finally:
        store.close()
    return latest.config if latest else Config()


def run(state: Path) -> None:
    """Serve until the process is ended, or another place is wanted: then the gateway starts it there."""
    web = committed(state).web
    password = Users(Operator(state).users_db).make_first()
    if password:
        note(f"web console: the first user is admin, the password for one use is {password}")
    held = Terms(state)
    held.context()

    door = Door()

    def protocol(**arguments: Any) -> asyncio.Protocol:
        return Connection(door, held.context(), Http(**arguments))

    settings = uvicorn.Config(
        application(Operator(state)),
        host=web.address,
        port=web.port,
        http=protocol,  # type: ignore[arg-type]
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",  # what strangers send is no news
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=int(HEAD_SECONDS),
        timeout_graceful_shutdown=LEAVE_SECONDS,
    )
    server = uvicorn.Server(settings)

    def look(*_: object) -> None:
        now = committed(state).web
        server.should_exit = not now.enabled or (now.address, now.port) != (web.address, web.port)

    signal.signal(signal.SIGHUP, look)
    host = f"[{web.address}]" if ":" in web.address else web.address
    note(f"web console on https://{host}:{web.port}/")
    server.run()


def main() -> None:
    """Entry point of the process; its arguments come from the master."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--parent", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.parent:
        die_with_parent(arguments.parent)
    try:
        run(arguments.state)
    except (GatepostError, OSError) as error:
        note(f"web console: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
