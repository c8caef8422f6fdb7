"""The configuration in force: loaded from the store or its copy, replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gatepost.config.model import Config, Gateway, Listener, SenderGroup
from gatepost.config.store import ConfigStore
from gatepost.errors import Conflict, GatepostError, StateError
from gatepost.policy.verdict import Host
from gatepost.service.configuration import Configuration
from gatepost.service.worker import _snapshot
from gatepost.snapshot import Snapshot
from tests.support.process import free_port, listening


def config(hostname: str = "mx1.example.com", **ports: int) -> Config:
    listeners = {name: Listener(address="127.0.0.1", port=port) for name, port in ports.items()}
    return Config(gateway=Gateway(hostname=hostname), listeners=listeners)


def draft(state: Path, wanted: Config) -> str:
    """Make it the draft; return its tag."""
    store = ConfigStore.open(state)
    try:
        return store.save_draft(wanted, store.draft().tag).tag
    finally:
        store.close()


def commit(state: Path, wanted: Config) -> None:
    """Commit as the command line does where no gateway runs."""
    tag = draft(state, wanted)
    store = ConfigStore.open(state)
    store.commit(tag, author="test", comment="", build=Snapshot.build)
    store.close()


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def running(tmp_path: Path, port: int) -> Iterator[Configuration]:
    """A configuration in force with one listener."""
    commit(tmp_path, config(A=port))
    one = Configuration.load(tmp_path)
    one.bind()
    yield one
    one.close()


def test_a_first_start_has_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    one = Configuration.load(tmp_path)
    one.bind()
    assert (one.config, one.revision, one.places()) == (Config(), 0, [])
    assert "gatepost config import FILE" in one.note
    assert one.for_worker()[0]["listeners"] == []


def test_what_is_committed_is_loaded_and_bound(running: Configuration, port: int) -> None:
    assert (running.revision, running.note) == (1, "")
    assert running.places() == [f"A on 127.0.0.1 port {port}"]
    assert listening(port)
    told, sockets = running.for_worker()
    assert (told["revision"], told["listeners"]) == (1, ["A"])
    assert [sock.getsockname()[1] for sock in sockets] == [port]


async def test_a_commit_is_in_force_when_it_returns(running: Configuration, tmp_path: Path, port: int) -> None:
    fresh = free_port()
    revision = await running.commit(draft(tmp_path, config(B=fresh)), "ann", "moved")
    assert (revision.number, revision.author, revision.comment) == (2, "ann", "moved")
    assert (running.revision, running.config) == (2, config(B=fresh))
    assert (listening(port), listening(fresh)) == (False, True)


async def test_what_cannot_be_bound_is_not_stored(running: Configuration, tmp_path: Path, port: int) -> None:
    fresh, nowhere = free_port(), Listener(address="203.0.113.1", port=free_port())
    wanted = Config(listeners={"B": Listener(address="127.0.0.1", port=fresh), "C": nowhere})
    tag = draft(tmp_path, wanted)
    with pytest.raises(GatepostError, match=r"listener C: cannot listen on 203.0.113.1 .*check the address"):
        await running.commit(tag, "ann", "")
    assert (running.revision, running.config) == (1, config(A=port))
    assert (listening(port), listening(fresh)) == (True, False)
    store = ConfigStore.open(tmp_path)
    assert len(store.log()) == 1
    assert store.draft().tag == tag
    store.close()


async def test_what_was_bound_for_a_commit_that_lost_the_race_is_closed(running: Configuration, tmp_path: Path) -> None:
    fresh = free_port()
    tag = draft(tmp_path, config(B=fresh))
    draft(tmp_path, config(hostname="other.example", B=fresh))
    with pytest.raises(Conflict):
        await running.commit(tag, "ann", "")
    assert not listening(fresh)


async def test_a_commit_made_while_we_started_is_caught_up_with(running: Configuration, tmp_path: Path, port: int) -> None:
    assert await running.catch_up() is None
    commit(tmp_path, config(hostname="mx2.example.com", A=port))
    caught = await running.catch_up()
    assert caught is not None
    assert (caught.number, running.revision, running.config.gateway.hostname) == (2, 2, "mx2.example.com")


async def test_a_damaged_store_leaves_the_copy_in_force(tmp_path: Path, port: int) -> None:
    commit(tmp_path, config(A=port))
    (tmp_path / "config.db").write_bytes(b"garbage" * 1000)
    one = Configuration.load(tmp_path)
    assert one.config == config(A=port)
    assert f"{tmp_path}/config.db is damaged" in one.note
    assert "going on with that copy, and commits are refused until it is mended" in one.note
    assert await one.catch_up() is None
    with pytest.raises(StateError, match="is damaged"):
        await one.commit("tag", "ann", "")
    (tmp_path / "config.last-good.toml").unlink()
    with pytest.raises(StateError, match="is damaged"):
        Configuration.load(tmp_path)


def test_a_store_that_is_gone_is_not_taken_for_a_first_start(tmp_path: Path, port: int) -> None:
    commit(tmp_path, config(A=port))
    (tmp_path / "config.db").unlink()
    one = Configuration.load(tmp_path)
    assert one.config == config(A=port)
    assert f"{tmp_path}/config.db is empty or gone" in one.note
    assert not (tmp_path / "config.db").exists()


async def test_a_worker_gets_the_tables_packed_and_the_document_without_their_members(tmp_path: Path, port: int) -> None:
    group = SenderGroup(name="PARTNERS", senders=["192.0.2.0/24", "mx.partner.example"], policy="REJECT")
    wanted = Config(listeners={"A": Listener(address="127.0.0.1", port=port, sender_groups=[group])})
    one = Configuration.load(tmp_path)
    one.bind()
    await one.commit(draft(tmp_path, wanted), "ann", "")
    told, _ = one.for_worker()
    assert b"192.0.2.0/24" not in told["document"]
    snapshot = _snapshot(told["document"], told["revision"], msgspec.to_builtins(told["packed"], builtin_types=(bytes,)))
    verdict = snapshot.listeners["A"].hat.match(Host("192.0.2.7"))
    assert (verdict.group, verdict.entry, verdict.policy.behavior) == ("PARTNERS", "192.0.2.0/24", "reject")
    assert one.config == wanted
    one.close()


async def test_a_commit_tells_how_far_it_has_come(
    running: Configuration, tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    build = Snapshot.build

    def watched(config: Config, revision: int) -> Snapshot:
        seen.append(running.progress())
        return build(config, revision)

    monkeypatch.setattr(Snapshot, "build", watched)
    await running.commit(draft(tmp_path, config("other.example", A=port)), "ann", "")
    assert seen == [{"doing": "building its tables", "done": 1, "of": 4}]
    assert running.progress() == {"doing": "", "done": 0, "of": 4}
    tag = draft(tmp_path, config("third.example", A=port))
    with pytest.raises(Conflict):
        await running.commit(tag + "x", "ann", "")
    assert not running.doing
