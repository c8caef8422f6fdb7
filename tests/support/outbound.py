"""The whole outbound side over a real spool, with a journal that remembers and leases that are kept here.

async with Outbound(tmp_path, routed(peer.port)) as out:
    mid = await out.send("ann@example.com")
    await out.finished(mid)
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from gatepost.config.model import BounceProfile, Config, Gateway
from gatepost.net.dns import Resolver
from gatepost.outbound.scheduler import Scheduler
from gatepost.outbound.suspects import Suspects
from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.metrics import Metrics
from gatepost.records.tls_record import TlsRecord
from gatepost.snapshot import Snapshot
from gatepost.spool.message import Content, Envelope, Message
from gatepost.spool.store import Floor, Spool

BODY = b"From: <bob@sender.example>\r\nSubject: hello\r\nMessage-ID: <1@sender.example>\r\n\r\n.dots\r\nand text\r\n"
FAST = BounceProfile(max_retries=100, max_age=259200, initial_wait=1, max_wait=1)


class Memory:
    """A journal that only remembers."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.lines: list[str] = []
        self.faults: list[str] = []
        self.tls_records: list[TlsRecord] = []
        self.messages: list[MessageRecord] = []
        self.outcomes: list[OutcomeRecord] = []
        self._changed = changed

    def info(self, text: str) -> None:
        self.lines.append(text)
        self._changed()

    def infos(self, *texts: str) -> None:
        for text in texts:
            self.info(text)

    warning = info
    debug = info

    def critical(self, text: str) -> None:
        self.faults.append(text)
        self.info(text)

    def tls(self, record: TlsRecord) -> None:
        self.tls_records.append(record)
        self._changed()

    def message(self, record: MessageRecord) -> None:
        self.messages.append(record)

    def outcome(self, record: OutcomeRecord) -> None:
        self.outcomes.append(record)
        self._changed()


class LocalLeases:
    """Exact limits within one process."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.spent: Counter[str] = Counter()

    async def take(self, key: str, limit: int) -> bool:
        if 0 <= limit <= self.taken[key]:
            return False
        self.taken[key] += 1
        self.most[key] = max(self.most[key], self.taken[key])
        return True

    def give_back(self, key: str) -> None:
        self.taken[key] -= 1

    async def spend(self, key: str, amount: int, limit: int, seconds: int) -> bool:
        if 0 <= limit < self.spent[key] + amount:
            return False
        self.spent[key] += amount
        return True


class Outbound:
    """Scheduler, spool and what they need; an async context manager."""

    def __init__(
        self, directory: Path, config: Config, *, dns: str = "127.0.0.1:9", mx_port: int = 25, start: bool = True
    ) -> None:
        self._changed = asyncio.Event()
        self._start = start
        self.journal = Memory(self._changed.set)
        self.metrics = Metrics()
        self.leases = LocalLeases()
        self.directory = directory
        self.spool = Spool.open(directory, 0, Floor(space=0, inodes=0))
        self.suspects = Suspects(directory, 0)
        self.resolver = Resolver([dns], patience=1.0)
        self.configure(config)
        self._mids, self._dcids = itertools.count(1000), itertools.count(1)
        self.scheduler = Scheduler(
            suspects=self.suspects,
            snapshot=lambda: self.snapshot,
            spool=self.spool,
            journal=self.journal,  # type: ignore[arg-type]
            metrics=self.metrics,
            leases=self.leases,
            next_mid=lambda: next(self._mids),
            next_dcid=lambda: next(self._dcids),
            resolver=lambda: self.resolver,
            mx_port=mx_port,
        )

    def configure(self, config: Config, revision: int = 1) -> None:
        """Put a configuration in force."""
        self.snapshot = Snapshot.build(config, revision)

    async def __aenter__(self) -> Outbound:
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        if self._start:
            self.run()
        return self

    def run(self) -> None:
        """Start delivering, where the rig was made with start=False."""
        self._tasks.create_task(self.scheduler.run())

    async def __aexit__(self, kind: object, fault: object, trace: object) -> None:
        await self.scheduler.stop(0.2 if kind else 0.5)
        await self._tasks.__aexit__(None, None, None)
        if not self.spool.sick:
            await self.spool.close()

    async def commit(self, *recipients: str, octets: bytes = BODY, **envelope: object) -> Message:
        """Put a message into the spool as the inbound side does."""
        mid = next(self._mids)
        incoming = self.spool.incoming(mid)
        incoming.write(octets)
        content: Content = await incoming.finish()
        fields = {"icid": 7, "received": time.time(), "reverse_path": "bob@sender.example", **envelope}
        message = Message(Envelope(mid=mid, recipients=recipients, size=len(octets), **fields), content)  # type: ignore[arg-type]
        await self.spool.commit(message)
        return message

    async def send(self, *recipients: str, octets: bytes = BODY, **envelope: object) -> int:
        """Commit a message and hand it on."""
        message = await self.commit(*recipients, octets=octets, **envelope)
        self.scheduler.enqueue(message)
        return message.envelope.mid

    async def until(self, fact: Callable[[], object], timeout: float = 15.0) -> None:
        """Wait until something holds that the journal tells."""
        try:
            async with asyncio.timeout(timeout):
                while not fact():
                    self._changed.clear()
                    # Not every fact is told to the journal: look again soon in any case.
                    try:
                        async with asyncio.timeout(0.02):
                            await self._changed.wait()
                    except TimeoutError:
                        pass
        except TimeoutError:
            raise AssertionError("it never came; the log says:\n" + "\n".join(self.journal.lines)) from None

    async def until_line(self, *parts: str, count: int = 1) -> str:
        """Wait for a log line that holds all parts, and return the last such."""
        await self.until(lambda: len(self.lines(*parts)) >= count)
        return self.lines(*parts)[-1]

    async def finished(self, mid: int) -> None:
        """Wait until every recipient of a message is settled and the spool has let go of it."""
        await self.until_line(f"Message finished MID {mid} done")

    def lines(self, *parts: str) -> list[str]:
        """Return the log lines that hold all parts."""
        return [line for line in self.journal.lines if all(part in line for part in parts)]


def routed(port: int, **fields: object) -> Config:
    """Return a configuration that sends example.com to one port of 127.0.0.1 and discards the rest; retries are fast."""
    defaults: dict[str, object] = {
        "gateway": Gateway(hostname="gate.example"),
        "routes": {"example.com": [f"127.0.0.1:{port}"], "ALL": ["/dev/null"]},
        "bounce_profiles": {"Default": FAST},
    }
    return Config(**{**defaults, **fields})  # type: ignore[arg-type]
