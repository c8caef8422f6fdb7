"""A gateway under the judge's load: mail without end while a test hurts the gateway, then the verdict.

with trial(tmp_path, workers=2) as one:
    ...
    one.judge(duplicates=10)
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gatepost.errors import ControlError
from tests.faults.judge import Verdict, settle, verdict
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.judge import Mix, Sent, Sink, Terms, send
from tests.support.process import free_port, wait_for
from tests.support.tls import pair

MIX = Mix(size=4096, large=300_000, every=20)
"""Every twentieth message is too large for the database and has a body file."""
DOCUMENT = """{relay}
[default_destination]
max_connections = 10

[bounce_profiles.Default]
initial_wait = 1
max_wait = 5

[certificates.mx]
certificate = '''
{certificate}'''
private_key = '''
{private_key}'''
"""


def document(port: int, inside: int, *, gateway: str = "") -> str:
    """A relay that offers STARTTLS, tries again after a second, and has ten deliveries at a time under way."""
    text = relay(port, inside, more='certificates = ["mx"]', policy='tls = "preferred"', gateway=gateway)
    return DOCUMENT.format(relay=text, certificate=pair().certificate, private_key=pair().private_key)


class Load:
    """Mail without end in a thread, from the start to the end of the block; the first `tls` clients use STARTTLS."""

    def __init__(self, port: int, *, clients: int = 10, tls: int = 3, mix: Mix = MIX, pause: float = 0.05) -> None:
        self.sent, self._over = Sent(), threading.Event()
        self._terms = [
            Terms(port, mix=mix, tls=at < tls, pause=pause, patience=30, over=self._over.is_set) for at in range(clients)
        ]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        numbers = itertools.takewhile(lambda _: not self._over.is_set(), itertools.count())
        asyncio.run(send(self._terms, numbers, self.sent))

    def more(self, count: int, seconds: float = 30.0) -> None:
        """Wait until so many more have been answered 250."""
        before = len(self.sent.acked)
        wait_for(lambda: len(self.sent.acked) >= before + count, f"{count} more messages are answered 250", seconds)

    def settled(self, seconds: float, quiet: float = 1.0) -> None:
        """Wait, so long at most, until the sessions that a fault hit are through with it: a while without trouble."""
        deadline = time.monotonic() + seconds
        while self.sent.troubles and time.monotonic() - self.sent.troubles[-1][0] < quiet and time.monotonic() < deadline:
            time.sleep(0.05)

    def troubles_in(self, seconds: float) -> Counter[str]:
        """Let that much time pass and return what was not a 250 meanwhile."""
        seen = len(self.sent.troubles)
        time.sleep(seconds)
        return Counter(what for _, what in self.sent.troubles[seen:])


class Trial:
    """A running gateway, the load, the sink."""

    def __init__(self, gateway: Gateway, load: Load, sink: Sink, port: int) -> None:
        self.gateway, self.load, self.sink, self.port = gateway, load, sink, port
        self.sent = load.sent

    def empty(self) -> bool:
        """Whether the queue is empty."""
        try:
            status = self.gateway.ask("status")
        except ControlError:
            return False
        return status["queue"]["messages"] == 0 and all(worker["up"] for worker in status["workers"])

    def clean(self, seconds: float, within: float = 10.0) -> None:
        """Demand that mail comes back by itself, and then for a while no answer but 250."""
        self.load.more(1, within)
        wait_for(lambda: all(worker["up"] for worker in self.gateway.ask("status")["workers"]), "workers are up", within)
        self.load.settled(within)
        troubles = self.load.troubles_in(seconds)
        assert not troubles, troubles

    def judge(self, duplicates: int, *, refused_may_arrive: bool = False, least: int = 100) -> Verdict:
        """End the load, wait for what is on its way, and demand a clean verdict on at least so many messages."""
        self.load.__exit__()
        done = settle(self.sent, self.sink, self.empty, 40)
        found = verdict(self.sent, self.sink, empty=done, duplicates=duplicates, refused_may_arrive=refused_may_arrive)
        print(found)
        assert found.clean, f"{found}\n{self.gateway.log()[-3000:]}\n{self.gateway.output.read_text()[-2000:]}"
        assert found.acked >= least
        return found


@contextlib.contextmanager
def trial(
    directory: Path, *, workers: int = 2, mix: Mix = MIX, clients: int = 10, tls: int = 3, pause: float = 0.05
) -> Iterator[Trial]:
    """Start everything and let mail flow."""
    port = free_port()
    with (
        Sink(mix=mix) as sink,
        gateway(directory, document(port, sink.port), workers=workers) as one,
        Load(port, mix=mix, clients=clients, tls=tls, pause=pause) as load,
    ):
        load.more(20)
        yield Trial(one, load, sink, port)
