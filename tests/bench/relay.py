"""Gatepost and Postfix relay the same mail in the same run: messages a second, and server CPU for each message.

    python -m tests.bench.relay [--messages 4000] [--rounds 3] [--size 4096] [--new-connections]

Both are durable (an answer of 250 means fsynced), both speak to smtp-sink, both are loaded by smtp-source with 20 sessions.
Runs alternate, A B A B, and the medians are compared, for these machines are shared: only the ratio means anything. CPU is
that of all processes of a server, those that ended included.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import cpu_seconds
from tests.support.documents import relay
from tests.support.gateway import gateway
from tests.support.postfix import as_root, postfix
from tests.support.process import free_port, listening, running, wait_for


@dataclass
class Server:
    """A server under load."""

    name: str
    port: int
    root_pid: int
    queued: Callable[[], int]


def load(server: Server, options: argparse.Namespace, messages: int) -> dict[str, float]:
    """Send `messages` through a server and wait until its queue is empty."""
    command = ["smtp-source", "-s", "20", "-m", str(messages), "-l", str(options.size), "-t", "box@example.com"]
    if not options.new_connections:
        command.append("-d")
    before, began = cpu_seconds(server.root_pid), time.monotonic()
    subprocess.run([*command, f"127.0.0.1:{server.port}"], check=True)
    accepted = time.monotonic() - began
    wait_for(lambda: server.queued() == 0, f"{server.name} delivers everything", 300)
    relayed = time.monotonic() - began
    spent = cpu_seconds(server.root_pid) - before
    return {"accepted": messages / accepted, "relayed": messages / relayed, "cpu_ms": 1000 * spent / messages}


@contextlib.contextmanager
def servers(workers: int) -> Iterator[list[Server]]:
    """Run both servers in front of one sink."""
    inside = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    settings = {
        "relayhost": f"[127.0.0.1]:{inside}",
        "virtual_mailbox_domains": "",
        "smtpd_client_connection_count_limit": "0",
        "default_process_limit": "100",
        "maillog_file_permissions": "0644",
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(running("smtp-sink", *user, f"127.0.0.1:{inside}", "1000"))
        wait_for(lambda: listening(inside), "smtp-sink listens")
        port, directory = free_port(), Path(tempfile.mkdtemp(prefix="gatepost-bench-"))
        ours = stack.enter_context(gateway(directory, relay(port, inside), workers=workers))
        assert ours.process is not None
        theirs = stack.enter_context(postfix(settings=settings))
        master = int(as_root("cat", str(theirs.root / "queue/pid/master.pid")).stdout)

        def waiting() -> int:
            folders = [str(theirs.root / "queue" / name) for name in ("incoming", "active", "deferred", "maildrop")]
            return len(as_root("find", *folders, "-type", "f").stdout.split())

        yield [
            Server("gatepost", port, ours.process.pid, lambda: int(ours.json("status")["queue"]["messages"])),
            Server("postfix", theirs.port, master, waiting),
        ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Relay through Gatepost and Postfix, in turn, and compare.")
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--new-connections", action="store_true", help="one connection for each message")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {}
    with servers(options.workers) as both:
        for server in both:
            load(server, options, 500)  # warm: processes started, connections open
        for turn in range(options.rounds):
            for server in both:
                results.setdefault(server.name, []).append(load(server, options, options.messages))
                print(f"round {turn + 1} {server.name}: {results[server.name][-1]}", file=sys.stderr)
    medians = {
        name: {kind: statistics.median(run[kind] for run in runs) for kind in runs[0]} for name, runs in results.items()
    }
    ratio = medians["postfix"]["cpu_ms"] / medians["gatepost"]["cpu_ms"]
    if options.json:
        print(json.dumps({"medians": medians, "cpu_ratio": ratio, "options": vars(options)}))
        return
    for name, values in medians.items():
        print(
            f"{name:9} accepted {values['accepted']:7.0f}/s  relayed {values['relayed']:7.0f}/s"
            f"  CPU {values['cpu_ms']:.3f} ms a message"
        )
    print(f"Postfix's CPU for a message is {ratio:.1f} times Gatepost's")


if __name__ == "__main__":
    main()
