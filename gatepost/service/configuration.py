"""The configuration in force: loaded at the start, replaced by commits, handed to workers with the sockets it asks for.

A commit is taken whole or not at all: the snapshot is built and the sockets are bound before the revision is stored, and
what was in force stays in force when anything of that fails. The large tables are built here, once, and handed to the
workers packed. Knows no worker; the master hands on what stands here.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gatepost.config.model import Config
from gatepost.config.state import last_good
from gatepost.config.store import ConfigStore, Revision
from gatepost.errors import StateError
from gatepost.policy.access import PackedTable
from gatepost.records import maillog
from gatepost.service import sockets
from gatepost.service.process import giving_way
from gatepost.service.sockets import Place, Sockets
from gatepost.snapshot import Packed, Snapshot, slim

Build = Callable[[Config, int], None]
Taken = TypeVar("Taken", Revision, Revision | None)
READING, BUILDING, STORING, HANDING_OUT = STEPS = (
    "reading the draft",
    "building its tables",
    "storing the revision",
    "handing it to the workers",
)


class Configuration:
    """What is in force; its changes are for one caller at a time."""

    def __init__(self, state: Path, config: Config, revision: int, *, from_copy: bool = False, note: str = "") -> None:
        self.config, self.revision = config, revision
        self.note = note
        """What there is to say about where it came from; empty when it is simply the committed one."""
        self.doing = ""
        """Which of STEPS a commit is at; empty: none is under way."""
        self._packed: Packed = {}
        self._state, self._from_copy = state, from_copy
        self._sockets = Sockets()

    @classmethod
    def load(cls, state: Path) -> Configuration:
        """Read what is committed, or the copy of it when config.db is damaged; StateError when there is neither."""
        try:
            store = ConfigStore.open(state)
            try:
                revision = store.committed()
            finally:
                store.close()
        except StateError as fault:
            good = last_good(state)
            if good is None:
                raise
            return cls(state, good, 0, from_copy=True, note=maillog.last_good_in_force(str(fault)))
        if revision is None:
            return cls(state, Config(), 0, note=maillog.nothing_committed())
        return cls(state, revision.config, revision.number)

    def bind(self) -> None:
        """Build what was loaded and open its sockets, before root is given up; GatepostError in words."""
        self._packed = Snapshot.build(self.config, self.revision).pack()
        self._sockets.adopt(self._sockets.prepare(self.config), self.config)

    def places(self) -> list[str]:
        """Name the listeners and where they listen."""
        return [f"{name} on {item.address} port {item.port}" for name, item in self.config.listeners.items()]

    def for_worker(self) -> tuple[dict[str, Any], list[socket.socket]]:
        """Return what a worker is told, and the sockets that go with it, in the order of the names."""
        by_name = self._sockets.by_listener(self.config)
        document = msgspec.msgpack.encode(slim(self.config))
        told = {"document": document, "packed": self._packed, "revision": self.revision, "listeners": list(by_name)}
        return told, list(by_name.values())

    def progress(self) -> dict[str, Any]:
        """Return how far a commit has come."""
        doing = self.doing
        return {"doing": doing, "done": STEPS.index(doing) if doing else 0, "of": len(STEPS)}

    async def commit(self, tag: str, author: str, comment: str) -> Revision:
        """Build and bind everything for the draft, store the revision, then have it in force."""

        def store(configs: ConfigStore, build: Build) -> Revision:
            return configs.commit(tag, author=author, comment=comment, build=build)

        return await self._take(store)

    async def catch_up(self) -> Revision | None:
        """Take what the command line committed by itself after we had read and before it could ask us."""
        if self._from_copy:
            return None  # that was said

        def read(configs: ConfigStore, build: Build) -> Revision | None:
            revision = configs.committed()
            if revision is None or revision.number <= self.revision:
                return None
            build(revision.config, revision.number)
            return revision

        return await self._take(read)

    async def _take(self, step: Callable[[ConfigStore, Build], Taken]) -> Taken:
        """Put in force the revision that `step` returns, after it had everything built; nothing changes when it raises."""
        fresh: dict[Place, socket.socket] = {}
        packed: dict[str, PackedTable] = {}

        def build(config: Config, number: int) -> None:
            self.doing = BUILDING
            packed.update(Snapshot.build(config, number).pack())
            fresh.update(self._sockets.prepare(config))
            self.doing = STORING

        def work() -> Taken:
            configs = ConfigStore.open(self._state)
            try:
                with giving_way():
                    return step(configs, build)
            finally:
                configs.close()

        self.doing = READING
        try:
            revision = await asyncio.to_thread(work)
        except Exception:
            sockets.discard(fresh)
            raise
        finally:
            self.doing = ""
        if revision is not None:
            self.config, self.revision, self._packed = revision.config, revision.number, packed
            self._sockets.adopt(fresh, revision.config)
        return revision

    def close(self) -> None:
        """Close the sockets."""
        self._sockets.close()
