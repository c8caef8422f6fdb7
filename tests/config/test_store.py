"""Revisions and draft: what two editors, a killed process and a damaged file may do, and what they may not."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from sqlalchemy import StaticPool, create_engine, text

from gatepost.config.edit import set_path
from gatepost.config.model import Config
from gatepost.config.state import StateFiles
from gatepost.config.store import ConfigStore, last_good
from gatepost.config.toml import dumps
from gatepost.errors import Conflict, GatepostError, StateError
from tests.config.documents import patient, tables


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(state: Path) -> Iterator[ConfigStore]:
    opened = ConfigStore.open(state)
    yield opened
    opened.close()


def named(name: str) -> Config:
    return set_path(Config(), "gateway.hostname", name)


def commit(store: ConfigStore, config: Config, comment: str = "") -> int:
    draft = store.save_draft(config, store.draft().tag)
    return store.commit(draft.tag, author="ann", comment=comment, build=lambda config, number: None).number


def test_an_empty_store(store: ConfigStore) -> None:
    assert store.committed() is None
    assert store.log(10) == []
    draft = store.draft()
    assert (draft.config, draft.base, draft.changed) == (Config(), 0, False)


def test_commit_makes_numbered_revisions(store: ConfigStore, state: Path) -> None:
    assert commit(store, named("a.example"), "first") == 1
    assert commit(store, named("b.example"), "second") == 2
    committed = store.committed()
    assert committed is not None
    assert (committed.number, committed.author, committed.comment, committed.config) == (
        2,
        "ann",
        "second",
        named("b.example"),
    )
    assert store.revision(1).config == named("a.example")
    assert [(info.number, info.comment) for info in store.log()] == [(2, "second"), (1, "first")]
    assert [info.number for info in store.log(1)] == [2]
    draft = store.draft()
    assert (draft.base, draft.changed, draft.config) == (2, False, named("b.example"))
    assert last_good(state) == named("b.example")
    with pytest.raises(GatepostError, match="there is no revision 3: the latest one is 2"):
        store.revision(3)


def test_a_second_editor_is_refused_and_nothing_is_lost(store: ConfigStore, state: Path) -> None:
    other = ConfigStore.open(state)
    tag = store.draft().tag
    assert other.draft().tag == tag
    kept = store.save_draft(named("mine.example"), tag)
    for change in (
        lambda: other.save_draft(named("theirs.example"), tag),
        lambda: other.clear_draft(tag),
        lambda: other.commit(tag, author="x", comment="", build=lambda config, number: None),
    ):
        with pytest.raises(Conflict, match="somebody else"):
            change()
    assert other.draft() == kept
    other.close()


def test_a_draft_that_cannot_be_built_is_not_committed(store: ConfigStore, state: Path) -> None:
    draft = store.save_draft(named("a.example"), store.draft().tag)

    def build(config: Config, number: int) -> None:
        assert (config, number) == (named("a.example"), 1)
        raise LookupError("no such thing")

    with pytest.raises(LookupError):
        store.commit(draft.tag, author="ann", comment="", build=build)
    assert store.committed() is None
    assert store.draft() == draft
    assert last_good(state) is None


def test_a_draft_that_changes_while_it_is_built_is_not_committed(store: ConfigStore) -> None:
    draft = store.save_draft(named("a.example"), store.draft().tag)
    with pytest.raises(Conflict):
        store.commit(
            draft.tag,
            author="ann",
            comment="",
            build=lambda config, number: store.save_draft(named("b.example"), draft.tag),
        )
    assert store.committed() is None
    assert store.draft().config == named("b.example")


def test_of_two_committers_one_wins(state: Path) -> None:
    stores = [ConfigStore.open(state) for _ in range(2)]
    draft = stores[0].save_draft(named("a.example"), stores[0].draft().tag)
    both_built = threading.Barrier(2)
    results: list[Any] = []

    def run(store: ConfigStore) -> None:
        try:
            made = store.commit(draft.tag, author="ann", comment="", build=lambda config, number: both_built.wait(10))
            results.append(made.number)
        except Conflict:
            results.append("refused")

    threads = [threading.Thread(target=run, args=[store]) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results, key=str) == [1, "refused"]
    assert [info.number for info in stores[1].log()] == [1]
    for store in stores:
        store.close()


def test_a_draft_of_an_older_revision_is_not_committed(store: ConfigStore, state: Path) -> None:
    commit(store, named("a.example"))
    draft = store.save_draft(named("b.example"), store.draft().tag)
    with store._engine.begin() as connection:  # as a restored copy of half the store would have it
        connection.execute(
            text("insert into config_revisions select 2, time, author, comment, document, digest from config_revisions")
        )
    with pytest.raises(Conflict, match="made from revision 1, and revision 2 is committed by now"):
        store.commit(draft.tag, author="ann", comment="", build=lambda config, number: None)
    assert store.draft() == draft


def test_nothing_to_commit(store: ConfigStore) -> None:
    with pytest.raises(GatepostError, match="nothing to commit"):
        store.commit(store.draft().tag, author="ann", comment="", build=lambda config, number: None)
    commit(store, named("a.example"))
    draft = store.save_draft(named("a.example"), store.draft().tag)
    assert not draft.changed
    with pytest.raises(GatepostError, match="nothing to commit"):
        store.commit(draft.tag, author="ann", comment="", build=lambda config, number: None)


def test_clear_and_rollback(store: ConfigStore) -> None:
    commit(store, named("a.example"))
    commit(store, named("b.example"))
    draft = store.save_draft(named("c.example"), store.draft().tag)
    with pytest.raises(Conflict, match="not committed"):
        store.rollback(1)
    assert store.draft() == draft
    assert store.rollback(1, force=True).config == named("a.example")
    cleared = store.clear_draft(store.draft().tag)
    assert (cleared.config, cleared.changed) == (named("b.example"), False)
    back = store.rollback(1)
    assert (back.config, back.base, back.changed) == (named("a.example"), 2, True)
    assert store.commit(back.tag, author="ann", comment="back", build=lambda config, number: None).number == 3
    with pytest.raises(GatepostError, match="no revision 9"):
        store.rollback(9)


def test_files_are_for_their_owner_alone_whatever_the_umask(state: Path) -> None:
    before = os.umask(0)
    try:
        opened = ConfigStore.open(state / "deep")
        commit(opened, named("a.example"))
        opened.close()
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (state / "deep").iterdir()}
    assert modes == {"config.db": 0o600, "config.last-good.toml": 0o600}
    assert stat.S_IMODE((state / "deep").stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(store: ConfigStore, state: Path) -> None:
    (state / "config.db").chmod(0o644)
    ConfigStore.open(state).close()
    assert stat.S_IMODE((state / "config.db").stat().st_mode) == 0o600


def _damage(state: Path, how: str) -> None:
    database = state / "config.db"
    whole = database.read_bytes()
    match how:
        case "garbage":
            database.write_bytes(b"garbage" * 1000)
        case "cut":
            database.write_bytes(whole[:6000])
        case "bit":
            database.write_bytes(whole.replace(b"a.example", b"b.example"))
        case "empty":
            database.write_bytes(b"")
        case "gone":
            database.unlink()


@pytest.mark.parametrize("how", ["garbage", "cut", "bit", "empty", "gone"])
def test_a_damaged_store_is_named_and_left_and_the_last_good_document_stays(state: Path, how: str) -> None:
    opened = ConfigStore.open(state)
    commit(opened, named("a.example"))
    opened.close()
    _damage(state, how)
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    with pytest.raises(StateError) as refusal:
        ConfigStore.open(state).committed()
    assert str(state / "config.db") in str(refusal.value)
    assert "config.last-good.toml" in str(refusal.value)
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before
    assert last_good(state) == named("a.example")


def test_the_last_good_copy_itself_may_be_damaged(state: Path) -> None:
    assert last_good(state) is None
    state.mkdir()
    (state / "config.last-good.toml").write_text("[gateway\n")
    assert last_good(state) is None


def test_a_commit_stands_when_its_copy_cannot_be_written(store: ConfigStore, state: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert commit(store, named("a.example")) == 1
    assert sorted(path.name for path in state.iterdir()) == ["config.db"]


def test_a_store_of_another_version_is_refused(store: ConfigStore, state: Path) -> None:
    commit(store, named("a.example"))
    with store._engine.begin() as connection:
        connection.execute(text("update config_schema set version = 9"))
    with pytest.raises(StateError, match="has version 9"):
        ConfigStore.open(state)


def test_a_document_of_another_version_is_refused(store: ConfigStore) -> None:
    commit(store, named("a.example"))
    document = "[future]\n"
    with store._engine.begin() as connection:
        statement = text("update config_revisions set document = :document, digest = :digest")
        connection.execute(statement, {"document": document, "digest": hashlib.sha256(document.encode()).hexdigest()})
    with pytest.raises(StateError, match="another version of this program"):
        store.committed()


def test_a_revision_that_was_stored_as_toml_is_read(store: ConfigStore) -> None:
    commit(store, named("a.example"))
    document = dumps(named("old.example"), with_keys=True, every_field=True)
    with store._engine.begin() as connection:
        statement = text("update config_revisions set document = :document, digest = :digest")
        connection.execute(statement, {"document": document, "digest": hashlib.sha256(document.encode()).hexdigest()})
    committed = store.committed()
    assert committed is not None
    assert committed.config == named("old.example")


@given(tables())
@settings(patient, max_examples=40)
def test_every_document_is_read_as_it_was_stored(config: Config) -> None:
    store = ConfigStore(create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}))
    draft = store.save_draft(config, store.draft().tag)
    assert draft.config == config
    store.close()


def test_a_state_directory_that_cannot_be_used(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        ConfigStore.open(tmp_path / "file")


def test_a_locked_store_says_so(store: ConfigStore, state: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("gatepost.config.tables.BUSY_SECONDS", 0.01)
    other = ConfigStore.open(state)
    with (
        store._engine.connect().execution_options(writes=True) as connection,
        connection.begin(),
        pytest.raises(StateError, match="locked"),
    ):
        other.save_draft(named("a.example"), other.draft().tag)
    other.close()


def test_a_store_without_its_draft_row_is_damaged(store: ConfigStore) -> None:
    with store._engine.begin() as connection:
        connection.execute(text("delete from config_draft"))
    with pytest.raises(StateError, match="is damaged"):
        store.draft()


def test_any_engine_serves() -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    store = ConfigStore(engine)
    assert commit(store, named("a.example")) == 1
    again = ConfigStore(engine)
    assert again.log()[0].number == 1


_KILLED = """
import os, sys
from pathlib import Path
from sqlalchemy import event
import gatepost.config.state as files
from gatepost.config.edit import set_path
from gatepost.config.store import ConfigStore
store = ConfigStore.open(Path(sys.argv[1]))
where = sys.argv[2]
def die(*_):
    os.kill(os.getpid(), 9)
def die_after(verb):
    event.listen(store._engine, "after_cursor_execute", lambda _, __, said, *___: die() if said.startswith(verb) else None)
draft = store.draft()
if where == "save": die_after("UPDATE")
draft = store.save_draft(set_path(draft.config, "gateway.hostname", "b.example"), draft.tag)
if where == "insert": die_after("INSERT")
if where == "copy": files.StateFiles.keep_last_good = die
if where == "rename": os.replace = die
store.commit(draft.tag, author="x", comment="", build=die if where == "build" else lambda config, number: None)
"""


@pytest.mark.parametrize(
    ("where", "revision", "changed"),
    [("save", 1, False), ("build", 1, True), ("insert", 1, True), ("copy", 2, False), ("rename", 2, False)],
)
def test_a_process_killed_in_the_middle_leaves_the_old_or_the_new(
    state: Path, where: str, revision: int, changed: bool
) -> None:
    opened = ConfigStore.open(state)
    commit(opened, named("a.example"))
    opened.close()
    killed = subprocess.run([sys.executable, "-c", _KILLED, str(state), where], capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr.decode()
    again = ConfigStore.open(state)
    committed = again.committed()
    assert committed is not None
    assert (committed.number, again.draft().changed) == (revision, changed)
    assert last_good(state) == named("a.example")
    assert commit(again, named("c.example")) == revision + 1
    assert last_good(state) == named("c.example")
    again.close()


def test_processes_that_make_the_store_at_once(state: Path) -> None:
    code = (
        "import sys, pathlib, gatepost.config.store as it; print(it.ConfigStore.open(pathlib.Path(sys.argv[1])).draft().tag)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(state)], stdout=subprocess.PIPE) for _ in range(4)]
    tags = {process.communicate()[0] for process in started}
    assert len(tags) == 1
    assert [process.returncode for process in started] == [0] * 4


def test_owner_follows_the_directory(state: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    state.mkdir()
    os.chown(state, 12345, 12345)
    files = StateFiles(state)
    files.prepare()
    files.keep_last_good(1, "")
    assert {path.stat().st_uid for path in state.iterdir()} == {12345}
