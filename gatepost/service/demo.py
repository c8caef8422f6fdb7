"""`make run`: a gateway to look at, on ports that need no root, in front of a small mail server of its own.

At the first start it commits a configuration: one public listener on loopback with a self-signed certificate, and a route to
the demo inside server. What is committed later stays; the demo never overwrites a configuration.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from gatepost.config.model import Certificate, Config, DefaultPolicy, Gateway, Listener, Recipient
from gatepost.config.store import ConfigStore
from gatepost.errors import GatepostError
from gatepost.service.process import python_module
from gatepost.snapshot import Snapshot
from gatepost.tls.making import Subject, self_signed

HOST = "127.0.0.1"
LISTEN, INSIDE = 2525, 2526
NAME = "mx1.example.com"


def configuration() -> Config:
    """Return the demo's first configuration."""
    made = self_signed(Subject(names=(NAME, "localhost")), days=825)
    return Config(
        gateway=Gateway(hostname=NAME, postmaster="postmaster@example.com"),
        certificates={"mx": Certificate(certificate=made.certificate, private_key=made.private_key)},
        listeners={
            "InboundMail": Listener(
                address=HOST,
                port=LISTEN,
                certificates=["mx"],
                default_policy=DefaultPolicy(tls="preferred"),
                recipients=[Recipient(match="example.com")],
            )
        },
        routes={"ALL": [f"{HOST}:{INSIDE}"]},
    )


def prepare(state: Path) -> None:
    """Commit the demo's configuration unless something is committed already; GatepostError when a draft is in the way."""
    store = ConfigStore.open(state)
    try:
        draft = store.draft()
        if store.committed() is not None:
            return
        if draft.changed:
            raise GatepostError(
                f"the draft in {state} has changes that are not committed, and the demo does not replace them: commit or "
                "clear them, or name another --state"
            )
        draft = store.save_draft(configuration(), draft.tag)
        store.commit(draft.tag, author="gatepost", comment="Demo configuration", build=Snapshot.build)
    finally:
        store.close()


def start_inside(state: Path) -> subprocess.Popen[bytes]:
    """Start the demo inside server; it ends with us. GatepostError when its port is taken."""
    inbox = state / "demo-inbox"
    inbox.mkdir(mode=0o700, exist_ok=True)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, INSIDE))
        except OSError as error:
            raise GatepostError(
                f"the demo inside server cannot listen on {HOST} port {INSIDE}: {error.strerror}; stop the other program"
            ) from None
    command = [*python_module("gatepost.service.demo_inside"), str(inbox), str(INSIDE), str(os.getpid())]
    print(
        f"gatepost: demo inside server on {HOST} port {INSIDE}; what it receives is kept in {inbox}\n"
        f"gatepost: send a test message with: {Path(sys.argv[0]).absolute()} --state {state} try",
        file=sys.stderr,
        flush=True,
    )
    return subprocess.Popen(command, stdin=subprocess.DEVNULL)
