"""One worker up to one for each core: messages a second, CPU for each message, and memory.

Load and next hop run on the same cores, so the gain of another worker is what they leave of it: CPU for a message, which
must stay what it is, says more than messages a second.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.measure import cpu_seconds, memory
from tests.bench.scale_memory import MB
from tests.support.documents import relay
from tests.support.gateway import gateway
from tests.support.process import free_port, listening, running, wait_for

LOAD = 4_000
ROUNDS = 3


def measure(workers: int) -> dict[str, float]:
    """Measure one number of workers."""
    port, sink = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="gatepost-scale-") as name, ExitStack() as stack:
        stack.enter_context(running("smtp-sink", "-u", "nobody", f"127.0.0.1:{sink}", "1000"))
        wait_for(lambda: listening(sink), "smtp-sink listens")
        one = stack.enter_context(gateway(Path(name), relay(port, sink), workers=workers))
        assert one.process is not None
        root = one.process.pid
        rates, spent = [], []
        for turn in range(ROUNDS + 1):
            before, began = cpu_seconds(root), time.monotonic()
            command = ["smtp-source", "-d", "-s", "40", "-m", str(LOAD), "-l", "4096", "-t", "box@example.com"]
            subprocess.run([*command, f"127.0.0.1:{port}"], check=True, timeout=120)
            took = time.monotonic() - began
            wait_for(lambda: int(one.ask("status")["queue"]["messages"]) == 0, "all is delivered", 60)
            if turn:  # the first one warms
                rates.append(LOAD / took)
                spent.append(1000 * (cpu_seconds(root) - before) / LOAD)
        return {
            "accepted_per_s": statistics.median(rates),
            "cpu_ms": statistics.median(spent),
            "memory_mb": memory(root) / MB,
        }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
