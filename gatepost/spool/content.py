"""Mail data on its way into the spool: in memory up to 256 KiB, beyond that in a file that is written as it comes.

A raw write does not fail when a disk fills up, it writes less: so every count is looked at, and the length is compared
before anything is committed. Faults are kept until `finish`, because a session must swallow mail data to its end before it
refuses. Never holds more than what `drain` was not yet awaited for.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
import zlib
from collections.abc import Callable, Container
from concurrent.futures import Executor

from gatepost.durable import sync_directory
from gatepost.errors import SpoolFull, SpoolSick
from gatepost.spool.layout import Layout
from gatepost.spool.message import Content
from gatepost.spool.room import Room

IN_MEMORY = 256 << 10
PIECES = 1000
"""Pieces that are held before they become one: a message that comes octets at a time would cost twenty times its size."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Incoming:
    """Collects the octets of one message. After `write`, await `drain` whenever `backlog` is over a megabyte."""

    def __init__(
        self,
        mid: int,
        layout: Layout,
        room: Room,
        executor: Executor,
        owned: Container[int],
        sicken: Callable[[str], None],
    ) -> None:
        self.size = 0
        self.backlog = 0
        """Octets that are held in memory."""
        self._mid = mid
        self._layout = layout
        self._room = room
        self._executor = executor
        self._owned = owned
        self._sicken = sicken
        self._chunks: list[bytes] = []
        self._file = -1
        self._written = 0
        self._checksum = 0
        self._fault: SpoolFull | SpoolSick | None = None
        self._gone = False
        # a cancelled session discards while a write of it may still run in its thread
        self._busy = threading.Lock()

    def write(self, octets: bytes) -> None:
        """Take the next octets; never waits."""
        self.size += len(octets)
        if self._fault is None and not self._gone:
            self.backlog += len(octets)
            self._chunks.append(octets)
            if len(self._chunks) >= PIECES:
                self._chunks = [b"".join(self._chunks)]

    async def drain(self) -> None:
        """Wait until what was taken is in the file, if there is to be one."""
        if self.size > IN_MEMORY and self._chunks:
            await self._in_thread(self._flush)

    async def finish(self) -> Content:
        """Return the content, durable if it is a file; SpoolFull or SpoolSick when it could not be written."""
        if self.size <= IN_MEMORY:
            octets = b"".join(self._chunks)
            self._forget()
            return Content(octets=octets)
        await self._in_thread(self._complete)
        if self._fault is not None:
            self.discard()
            raise self._fault
        return Content(path=str(self._layout.body(self._mid)), checksum=self._checksum)

    def discard(self) -> None:
        """Drop everything; harmless at any time, also twice, and after the message was committed."""
        self._gone = True
        self._forget()
        if self.size > IN_MEMORY and self._mid not in self._owned:
            try:
                self._executor.submit(self._drop)
            except RuntimeError:
                pass  # the spool is closed: an orphan, which the next start removes

    def _forget(self) -> None:
        self._chunks = []
        self.backlog = 0

    async def _in_thread(self, work: Callable[[list[bytes]], None]) -> None:
        chunks, self._chunks = self._chunks, []
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._guarded, work, chunks)
        finally:
            self.backlog = sum(map(len, self._chunks))

    # --- in a thread of the executor

    def _guarded(self, work: Callable[[list[bytes]], None], chunks: list[bytes]) -> None:
        """Do the work; turn its errors into the fault that `finish` tells."""
        with self._busy:
            if self._fault is not None or self._gone:
                return
            try:
                work(chunks)
            except OSError as error:
                path = self._layout.body(self._mid)
                if error.errno in NO_ROOM:
                    self._fault = SpoolFull(f"{path} cannot grow: {error.strerror}")
                    return
                self._fault = SpoolSick(f"{path} cannot be written: {error.strerror}")
                self._sicken(str(self._fault))
            except SpoolFull as fault:
                self._fault = fault

    def _flush(self, chunks: list[bytes]) -> None:
        if self._file < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._layout.body(self._mid), flags, 0o600)
        for chunk in chunks:
            self._checksum = zlib.crc32(chunk, self._checksum)
            view = memoryview(chunk)
            while view:
                count = os.write(self._file, view)
                self._written += count
                view = view[count:]
        # many large messages at once must not eat what the floor keeps for deliveries
        lack = self._room.lack()
        if lack:
            raise SpoolFull(lack)

    def _complete(self, chunks: list[bytes]) -> None:
        self._flush(chunks)
        length = os.fstat(self._file).st_size
        if length != self.size or self._written != self.size:
            raise OSError(errno.EIO, f"the file has {length} octets of {self.size}")
        os.fsync(self._file)
        self._close()
        sync_directory(self._layout.bodies)

    def _close(self) -> None:
        if self._file >= 0:
            descriptor, self._file = self._file, -1
            os.close(descriptor)

    def _drop(self) -> None:
        with self._busy:
            try:
                self._close()
                self._layout.body(self._mid).unlink(missing_ok=True)
            except OSError:
                pass  # an orphan, which the next start removes
