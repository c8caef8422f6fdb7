"""A client that sends one small mail after another and says how long each took: what the others do is felt here.

    python -m tests.bench.scale_probe PORT [INTERVAL]

Each mail is a connection of its own: banner, EHLO, MAIL, RCPT, DATA, QUIT, as a stranger's server sends it. One line on
stdout for each: when it began (monotonic seconds) and how long it took to the 250 behind the dot; `failed` in its place
where it was not taken. Ends when its stdin does.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.client import Client


def one_mail(port: int) -> str:
    """Send a mail; return the answer to the dot, or what came instead."""
    with Client(port, timeout=60) as client:
        if not client.banner.startswith("220"):
            return client.banner or "no banner"
        client.ehlo()
        answer = client.send_text()
        client.send(b"QUIT\r\n")
        return answer


def main() -> None:
    """Send until stdin ends."""
    port = int(sys.argv[1])
    interval = float(sys.argv[2]) if len(sys.argv) > 2 else 0.01
    while not select.select([sys.stdin], [], [], interval)[0]:
        began = time.monotonic()
        try:
            answer = one_mail(port)
        except (OSError, AssertionError) as fault:
            answer = f"{type(fault).__name__} {fault}"
        took = time.monotonic() - began
        print(json.dumps([began, took, "" if answer.startswith("250") else answer]), flush=True)


@dataclass
class Latencies:
    """What mails took, in milliseconds, by when they began."""

    took: list[tuple[float, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def between(self, start: float, end: float) -> list[float]:
        """Return what the mails took that were under way in this time, the fastest first."""
        return sorted(took for began, took in self.took if began + took / 1000 >= start and began <= end)


@contextlib.contextmanager
def probing(port: int, output: Path, interval: float = 0.01) -> Iterator[Latencies]:
    """Run the client beside a with block; what it measured is there when the block ends."""
    latencies = Latencies()
    with output.open("wb") as file:
        command = [sys.executable, "-m", "tests.bench.scale_probe", str(port), str(interval)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file)
        try:
            yield latencies
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(90)
    for line in output.read_text().splitlines():
        began, took, fault = json.loads(line)
        if fault:
            latencies.failed.append(fault)
        else:
            latencies.took.append((began, 1000 * took))


def quantile(values: list[float], share: float) -> float:
    """Return a quantile of sorted values; 0 when there are none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


if __name__ == "__main__":
    main()
