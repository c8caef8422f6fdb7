"""The writer of a shard: one thread that commits what waits, in groups.

It takes all that waits, runs it as one transaction, and only when COMMIT has synced does a caller hear of it. What cannot be
written is said, never kept back for later: a group whose sync failed is answered with a fault, and the shard takes nothing
more until it is opened anew.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable

from gatepost.errors import SpoolFull, SpoolSick, StateError
from gatepost.spool import batch, upkeep
from gatepost.spool.batch import Operation
from gatepost.spool.faults import Fault, classify
from gatepost.spool.groups import Groups
from gatepost.spool.layout import Layout
from gatepost.spool.room import Room

CHECKPOINT_OCTETS = 8 << 20
"""A larger WAL falls out of the processor's cache and costs more than the checkpoints it saves."""
ROOM_SECONDS = 1.0


class Writer:
    """Owns the writing connection; its attributes are set by its thread and may be read by any."""

    def __init__(self, connection: sqlite3.Connection, layout: Layout, room: Room, bodies: set[int]) -> None:
        self._connection = connection
        self._layout = layout
        self.room = room
        self.bodies = bodies
        """MIDs whose body file belongs to a message that is in the spool, or on its way in."""
        self.groups = Groups()
        self.sick = ""
        self.lack = self._lack()
        self.messages = 0
        self.recipients = 0
        self._looked = 0.0
        self._written = 0
        self._thread = threading.Thread(target=self._run, name=f"spool-{layout.shard}", daemon=True)

    def start(self) -> None:
        """Begin; counters are set by now."""
        self._thread.start()

    def sicken(self, reason: str) -> None:
        """Take nothing more, because another part of the spool met a failing disk; the first reason stays."""
        self.sick = self.sick or reason

    def join(self) -> None:
        """Wait for the end of the thread, once its groups are closed; then checkpoint and close."""
        self._thread.join()
        if not self.sick:
            try:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error:
                pass  # the WAL holds everything, the next start reads it
        self._connection.close()

    # --- the thread

    def _run(self) -> None:
        while (group := self.groups.take(ROOM_SECONDS)) is not None:
            try:
                if time.monotonic() - self._looked >= ROOM_SECONDS:
                    self._look()
                if group:
                    self._commit(group)
            except Exception as error:  # a bug here must not leave callers waiting for ever
                self._fall_sick(group, f"{self._layout.database}: the writer failed: {error!r}")
            if group:
                self.groups.report(group)
                self._tidy(group)

    def _look(self) -> None:
        """See whether there is room; if not, what the database and its WAL can give back; and give back in idle times."""
        self._looked = time.monotonic()
        wanted = self.groups.wanted
        lack = self._lack()
        if lack and not self.sick:
            self._upkeep(lambda: upkeep.shrink(self._connection, 0, wanted))
            if self.room.wal_is_in_the_way():
                self._upkeep(lambda: upkeep.cut_wal(self._connection))
            lack = self._lack()
        elif not wanted() and not self.sick:
            self._upkeep(lambda: upkeep.shrink(self._connection, upkeep.SPARE, wanted))
        self.lack = lack

    def _lack(self) -> str:
        """Say what is lacking; a reserve that was given up is taken back first."""
        try:
            lack = self.room.lack()
        except OSError as error:
            return f"the spool's file system does not answer: {error}"
        if not lack and not self.room.hold():
            return "there is no room for the spool's reserve"
        return lack

    def _commit(self, group: list[Operation]) -> None:
        """Write a group; afterwards each operation is durable or carries its error."""
        if self.sick:
            _fail(group, SpoolSick(self.sick))
            return
        try:
            self._transact(group)
        except Exception as error:  # whatever it is, callers wait for an answer
            self._failed(group, error)

    def _transact(self, group: list[Operation]) -> None:
        # what it adds to the WAL, about: the pages that every transaction touches, then contents in whole pages
        self._written += 1 << 14
        try:
            self.messages += batch.run(self._connection, group)
        except Exception:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        for operation in group:
            self._written += operation.octets * 5 // 4 + 2048
            self.recipients += operation.inserts - operation.finals

    def _failed(self, group: list[Operation], error: Exception) -> None:
        match classify(error):
            case Fault.FULL:
                self._make_room(group, error)
            case Fault.BUSY:
                _fail(group, SpoolSick(f"{self._layout.database} is locked by another program: {error}"))
            case Fault.SICK:
                self._fall_sick(group, f"{self._layout.database} cannot be written: {error}")
            case Fault.DAMAGED:
                self._layout.mark_suspect(str(error))
                self._fall_sick(group, f"{self._layout.database} is damaged: {error}")
            case Fault.OWN if len(group) > 1:
                for operation in group:
                    self._commit([operation])
            case Fault.OWN:
                _fail(group, StateError(f"{self._layout.database} refused an entry: {error}"))

    def _fall_sick(self, group: list[Operation], reason: str) -> None:
        """Trust this connection no more: after a failed sync the kernel may hold back what it could not write."""
        self.sick = reason
        _fail(group, SpoolSick(reason))

    def _make_room(self, group: list[Operation], error: Exception) -> None:
        """The disk is full: new mail is refused, and the reserve goes to what lets mail leave, when something does."""
        self.lack = f"{self._layout.database} cannot grow: {error}"
        _fail(group, SpoolFull(self.lack))
        freeing = [operation for operation in group if operation.frees]
        if freeing:
            # not for new mail: blocks once given back are anybody's, and the disk is full because somebody takes them
            self.room.release()
        self._upkeep(lambda: upkeep.checkpoint(self._connection))
        if freeing and not self.sick:
            try:
                self._transact(freeing)
                _fail(freeing, None)
            except Exception as again:
                if classify(again) is not Fault.FULL:
                    self._fall_sick(freeing, f"{self._layout.database} cannot be written: {again}")

    def _tidy(self, group: list[Operation]) -> None:
        """Do what nobody waits for: body files of messages that left, and the checkpoint."""
        for operation in group:
            if operation.error is None:
                if operation.finish in self.bodies:
                    self._unlink(operation.finish)
            elif isinstance(operation.error, SpoolFull) and operation.row is not None and operation.row[6] is None:
                # rolled back for certain. After any other fault it may come back, and then needs its body
                self._unlink(operation.row[0])
        if self._written >= CHECKPOINT_OCTETS:
            self._written = 0
            self._upkeep(lambda: upkeep.checkpoint(self._connection))

    def _unlink(self, mid: int) -> None:
        self.bodies.discard(mid)
        try:
            self._layout.body(mid).unlink()
        except OSError:
            pass  # an orphan, which the next start removes

    def _upkeep(self, work: Callable[[], None]) -> None:
        """Do what nobody waits for; a full disk may stop it, any other error is the disk's."""
        try:
            work()
        except sqlite3.Error as error:
            if classify(error) is not Fault.FULL:
                self.sick = f"{self._layout.database} cannot be written: {error}"


def _fail(group: list[Operation], error: Exception | None) -> None:
    for operation in group:
        operation.error = error
