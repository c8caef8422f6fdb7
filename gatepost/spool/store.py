"""The spool of one worker: mail that was answered 250 and is not settled yet, durable, in one shard.

Everything that is awaited here is on disk when the await returns (RFC 5321 section 4.2.5: after 250 the mail is ours).
Commits and progress go through the writer's groups, questions through a reader that neither waits for them nor holds
them up.
Never delivers, never decides when to retry, and never deletes a message that is not final.
"""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from gatepost.errors import SpoolFull, SpoolSick, StateError
from gatepost.spool import batch, queries
from gatepost.spool.content import Incoming
from gatepost.spool.entries import DestinationCount, Fresh, QueueEntry, RecipientDue, Sent, Untried
from gatepost.spool.faults import Fault, classify
from gatepost.spool.layout import Layout, leftover_shards
from gatepost.spool.message import Message, Progress, RecipientState
from gatepost.spool.reader import Reader
from gatepost.spool.room import Floor, Room
from gatepost.spool.salvage import open_or_salvage
from gatepost.spool.writer import Writer

__all__ = ["Floor", "Incoming", "Spool", "leftover_shards"]

MAX_WAITING = 2000
MAX_WAITING_OCTETS = 64 << 20
"""Beyond these a commit is refused at once: the disk is slow, and memory is not where mail belongs."""
CHUNK = 500
"""Most recipients that one operation of an operator changes, so that mail in between does not wait for a million."""
FIRST = (float("-inf"), 0, 0)
"""Stands before every deferred recipient."""


class Spool:
    """One shard; made by `open`, of use until `close`."""

    def __init__(self, layout: Layout, writer: Writer, reader: Reader, repaired: str) -> None:
        self.shard = layout.shard
        self.repaired = repaired
        """What was done to a damaged shard when it was opened, for the log; empty: nothing had to be done."""
        self._layout = layout
        self._writer = writer
        self._groups = writer.groups
        self._reader = reader
        self._files = ThreadPoolExecutor(4, f"spool-{layout.shard}-files")

    @classmethod
    def open(cls, directory: Path, shard: int, floor: Floor | None = None) -> Spool:
        """Own a shard and make it ready, new or left behind by a crash; StateError says what stands in the way."""
        layout = Layout(directory, shard)
        try:
            with ExitStack() as undo:
                layout.prepare()
                layout.lock()
                undo.callback(layout.unlock)
                room = Room(directory, floor or Floor(), layout.reserve)
                room.make_way()
                connection, repaired = open_or_salvage(layout)
                undo.callback(connection.close)
                bodies = queries.with_body(connection, layout.body_mids())
                layout.remove_orphans(bodies)
                writer = Writer(connection, layout, room, bodies)
                writer.messages, writer.recipients = queries.counts(connection)
                reader = Reader(layout, writer.sicken)
                writer.start()
                undo.pop_all()
        except (OSError, sqlite3.Error) as error:
            if classify(error) is Fault.DAMAGED:
                layout.mark_suspect(str(error))
            raise StateError(f"spool shard {shard} in {directory} cannot be opened: {error}") from error
        return cls(layout, writer, reader, repaired)

    # --- how it stands

    @property
    def accepting(self) -> bool:
        """Whether new mail may come in; when not, `sick` or `lack` says why."""
        return not (self._writer.sick or self._writer.lack)

    @property
    def sick(self) -> str:
        """Why this shard takes nothing more until it is opened anew; empty when well."""
        return self._writer.sick

    @property
    def lack(self) -> str:
        """What there is too little of for new mail; empty when there is room. Mends itself."""
        return self._writer.lack

    @property
    def messages(self) -> int:
        """Messages in this shard."""
        return self._writer.messages

    @property
    def recipients(self) -> int:
        """Recipients that are not final."""
        return self._writer.recipients

    def keep_free(self, floor: Floor) -> None:
        """Take another floor from now on."""
        self._writer.room.floor = floor

    # --- writing

    def incoming(self, mid: int) -> Incoming:
        """Return a collector for the mail data of one message."""
        writer = self._writer
        return Incoming(mid, self._layout, writer.room, self._files, writer.bodies, writer.sicken)

    async def commit(self, message: Message, states: tuple[RecipientState, ...] = ()) -> None:
        """Make a message durable; SpoolFull (452) when there is no room, SpoolSick (451) when the disk fails or lags.

        `states`: where its recipients stood in another shard; what is final there never becomes fresh here.
        The message may become durable although the caller was cancelled or told SpoolSick.
        """
        writer = self._writer
        groups = self._groups
        if writer.sick or writer.lack or groups.waiting >= MAX_WAITING or groups.waiting_octets >= MAX_WAITING_OCTETS:
            self._refuse(message)
        operation = batch.insertion(message, states)
        if message.content.path:
            writer.bodies.add(message.envelope.mid)  # from here on the body file is the spool's
        await self._submit(operation)

    async def settle(self, progress: Progress) -> None:
        """Make a delivery's outcome durable, with the DSN it caused."""
        if self._writer.sick:
            raise SpoolSick(self._writer.sick)
        await self._submit(batch.progression(progress))

    def settle_later(self, progress: Progress) -> None:
        """Record an outcome without waiting for it; a crash before it is durable delivers once more."""
        if not self._writer.sick:
            self._groups.submit_later(batch.progression(progress))

    def finish_later(self, mid: int, finals: int) -> None:
        """Record without waiting that a message is done with, whose last `finals` recipients were settled at once.

        Says what `settle_later` says of a finished message, whose recipients' states nobody reads any more.
        """
        if not self._writer.sick:
            self._groups.submit_later(batch.departure(mid, finals))

    async def reschedule(self, *, mid: int | None = None, destination: str | None = None, due: float) -> int:
        """Bring deferred recipients forward to `due`: all, of one message, or of one destination; return how many."""
        changed = 0
        while True:
            operation = batch.Operation()
            operation.frees = True
            operation.change = lambda connection: batch.bring_forward(connection, mid, destination, due, CHUNK)
            count = await self._submit(operation)
            assert isinstance(count, int)
            changed += count
            if count < CHUNK:
                return changed

    # --- reading

    async def load(self, mid: int) -> Message | None:
        """Return a message with its content; None when it is not there, or not whole: then its recipients are HELD."""
        try:
            return await self._reader.ask(queries.load, mid, self._layout.body(mid))
        except queries.Damaged as damaged:
            await self.settle(await self._reader.quarantine(damaged))
            return None

    async def fresh(self, after_mid: int, limit: int) -> list[Fresh]:
        """Return messages that have recipients never tried, in MID order; what cannot be read is HELD and left out."""
        while True:
            found = await self._reader.ask(queries.fresh, after_mid, limit)
            whole = [entry for entry in found if isinstance(entry, Fresh)]
            for entry in found:
                if isinstance(entry, queries.Damaged):
                    await self.settle(await self._reader.quarantine(entry))
                    after_mid = max(after_mid, entry.mid)
            if whole or not found:
                return whole

    async def due(self, before: float, limit: int, after: tuple[float, int, int] = FIRST) -> list[RecipientDue]:
        """Return deferred recipients due until `before`, earliest first; `after`: (due, mid, rid) of the last one seen."""
        return await self._reader.ask(queries.due, before, limit, after)

    async def next_due(self) -> float | None:
        """Return the wall clock of the earliest attempt that is due; None when nothing is deferred."""
        return await self._reader.ask(queries.next_due)

    async def by_destination(self) -> list[DestinationCount]:
        """Return what waits for each destination; recipients never tried are not in it: see `untried`."""
        return await self._reader.ask(queries.by_destination)

    async def untried(self, after_mid: int, limit: int) -> Untried:
        """Return the recipients never tried of the next messages in MID order."""
        return await self._reader.ask(queries.untried, after_mid, limit)

    async def sent(self, after_mid: int, limit: int) -> list[Sent]:
        """Return who sent the next messages in MID order, and when."""
        return await self._reader.ask(queries.sent, after_mid, limit)

    async def waiting_for(self, destination: str) -> list[int]:
        """Return the MIDs of the messages with a recipient waiting for a destination, of those that were tried before."""
        return await self._reader.ask(queries.waiting_for, destination)

    async def listing(self, *, destination: str = "", limit: int = 100, offset: int = 0) -> list[QueueEntry]:
        """Return waiting messages in MID order, all or those waiting for one destination."""
        return await self._reader.ask(queries.listing, destination, limit, offset)

    async def entry(self, mid: int) -> QueueEntry | None:
        """Return one message as it waits."""
        return await self._reader.ask(queries.entry, mid)

    # --- the end

    async def close(self) -> None:
        """Write what was submitted, then give the shard up."""
        self._groups.close()
        await asyncio.get_running_loop().run_in_executor(None, self._finish)

    def close_now(self) -> None:
        """Do the same without a loop."""
        self._groups.close()
        self._finish()

    def _finish(self) -> None:
        self._files.shutdown()
        self._reader.close()
        self._writer.join()
        self._layout.unlock()

    async def _submit(self, operation: batch.Operation) -> object:
        done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        operation.done = done
        self._groups.submit(operation)
        return await done

    def _refuse(self, message: Message) -> None:
        """Raise the fault that stands in the way of new mail, and drop the body that came for it."""
        writer = self._writer
        if message.content.path:
            self._files.submit(self._layout.body(message.envelope.mid).unlink, missing_ok=True)
        if writer.sick:
            raise SpoolSick(writer.sick)
        if writer.lack:
            raise SpoolFull(writer.lack)
        raise SpoolSick(f"the spool's disk is slow: {self._groups.waiting} commits wait for it")
