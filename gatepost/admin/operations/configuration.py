"""The life of a configuration: draft, check, difference, commit, log, rollback.

Works on the store itself, whether or not the gateway runs. Only a commit goes through the running service, which must take
the new configuration in the same step; without a service it is built here and stored.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import base, opened
from gatepost.config.check import check
from gatepost.config.diff import Change, differences, unified
from gatepost.config.model import Config
from gatepost.config.problems import ConfigErrors, Problem, errors, warnings
from gatepost.config.store import ConfigStore, Draft, Revision, RevisionInfo
from gatepost.errors import Conflict, ControlError, GatepostError

NOTHING_TO_COMMIT = "There is no data to commit."
COMMIT_TIMEOUT = 600.0
"""Seconds for a commit."""
LOOK = 0.2
"""Seconds between two looks at how far the gateway has come with it."""

Told = Callable[[str, int, int], None]
"""Is told what a commit is doing, how many of its steps are done, and of how many."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What the draft would change."""

    tag: str
    base: int
    """Revision that the draft stands on; 0: nothing is committed yet."""
    changes: list[Change]
    problems: list[Problem]
    """What is wrong with the draft as it stands, errors first."""
    notes: list[str] = []


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between two documents."""

    old: str
    """`revision 3`, `the draft`; `nothing` before the first revision."""
    new: str
    changes: list[Change]
    text: str
    """As a unified diff, keys masked."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """A commit that is done."""

    revision: int
    time: float
    live: bool
    """Whether a running gateway has taken it."""
    warnings: list[Problem] = []


def replace(operator: Operator, config: Config, *, force: bool = False, problems: list[Problem] | None = None) -> Pending:
    """Put another document in the draft's place; refused while the draft holds changes of its own, unless forced.

    `problems`: what `check` says of it, where that is known already.
    """
    with opened(operator, writes=True) as store:
        draft = _expected(operator, store)
        if draft.changed and not force and _loses(draft.config, base(store), config):
            raise GatepostError(
                "the draft has changes that are not committed, and an import replaces it: commit or clear them first, "
                "or import with --force"
            )
        return _pending(store, store.save_draft(config, draft.tag), problems)


def edit(
    operator: Operator, change: Callable[[Config], Config], judge: Callable[[Config], list[Problem]] | None = None
) -> Pending:
    """Change the draft by a pure function; Conflict when somebody else changed it in between.

    `judge` says what is wrong with the new draft, for a change that had to have it checked already.
    """
    with opened(operator, writes=True) as store:
        draft = _expected(operator, store)
        saved = store.save_draft(change(draft.config), draft.tag)
        return _pending(store, saved, judge(saved.config) if judge else None)


def pending(operator: Operator) -> Pending:
    """Return what the draft would change, and what is wrong with it."""
    with opened(operator) as store:
        return _pending(store, store.draft())


def changes(operator: Operator) -> list[Change]:
    """Return what the draft would change, without a judgement: a question that is asked with every page."""
    if not operator.config_db.exists():
        return []
    with opened(operator) as store:
        draft = store.draft()
        return differences(base(store), draft.config) if draft.changed else []


def tag(operator: Operator) -> str:
    """Return what names the draft as it stands; empty where nothing is configured."""
    if not operator.config_db.exists():
        return ""
    with opened(operator) as store:
        return store.draft().tag


def is_changed(operator: Operator) -> bool:
    """Whether the draft would change anything; a question that judges nothing, and is cheap."""
    if not operator.config_db.exists():
        return False
    with opened(operator) as store:
        return store.draft().changed


def difference_text(operator: Operator) -> str:
    """Return what the draft would change as a unified diff, keys masked."""
    with opened(operator) as store:
        return unified(base(store), store.draft().config)


def commit(operator: Operator, comment: str, told: Told = lambda doing, done, of: None) -> Committed:
    """Make the draft the next revision, in the running gateway too if there is one."""
    with opened(operator) as store:
        return _commit(operator, store, _expected(operator, store), comment, told)


def rollback(
    operator: Operator,
    number: int,
    comment: str = "",
    told: Told = lambda doing, done, of: None,
    *,
    force: bool = False,
) -> Committed:
    """Commit an older revision's document once more; refused with changes pending, unless forced."""
    with opened(operator) as store:
        _expected(operator, store)
        draft = store.rollback(number, force=force)
        if not draft.changed:
            raise GatepostError(f"revision {number} holds what is in force already; nothing was committed")
        return _commit(operator, store, draft, comment or f"Rollback to revision {number}", told)


def clear(operator: Operator) -> list[Change]:
    """Give the draft up; returns what is lost."""
    with opened(operator) as store:
        draft = _expected(operator, store)
        lost = differences(base(store), draft.config)
        store.clear_draft(draft.tag)
        return lost


def log(operator: Operator, limit: int | None = None) -> list[RevisionInfo]:
    """Return the revisions, the latest first."""
    with opened(operator) as store:
        return store.log(limit)


def revision(operator: Operator, number: int) -> Revision:
    """Return one revision with its document."""
    with opened(operator) as store:
        return store.revision(number)


def compare(operator: Operator, old: int | None, new: int | None) -> Comparison:
    """Return what differs between two revisions; None is the draft, 0 what was before the first."""
    with opened(operator) as store:
        (before, old_name), (after, new_name) = _numbered(store, old), _numbered(store, new)
        text = unified(before, after, old_name, new_name)
        return Comparison(old=old_name, new=new_name, changes=differences(before, after), text=text)


def _numbered(store: ConfigStore, number: int | None) -> tuple[Config, str]:
    if number is None:
        return store.draft().config, "the draft"
    return (store.revision(number).config, f"revision {number}") if number else (Config(), "nothing")


def _expected(operator: Operator, store: ConfigStore) -> Draft:
    """Return the draft, unless it is another one than somebody was shown."""
    draft = store.draft()
    if operator.tag and draft.tag != operator.tag:
        raise Conflict("the draft was changed by somebody else since this was shown: look again; nothing was overwritten")
    return draft


def _commit(operator: Operator, store: ConfigStore, draft: Draft, comment: str, told: Told) -> Committed:
    if not draft.changed:
        raise GatepostError(NOTHING_TO_COMMIT)
    told("checking", 0, 1)
    problems = check(draft.config, in_force=base(store))
    if errors(problems):
        raise ConfigErrors(problems)
    if operator.is_served:
        with _following(operator, told):
            answer = operator.ask("commit", COMMIT_TIMEOUT, tag=draft.tag, author=operator.author, comment=comment)
        number, when, live = int(answer["revision"]), float(answer.get("time") or time.time()), True
    else:
        from gatepost.snapshot import Snapshot

        made = store.commit(draft.tag, author=operator.author, comment=comment, build=Snapshot.build)
        number, when, live = made.number, made.time, False
    return Committed(revision=number, time=when, live=live, warnings=warnings(problems))


@contextmanager
def _following(operator: Operator, told: Told) -> Iterator[None]:
    """Ask the gateway again and again how far its commit has come."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK):
            with suppress(ControlError):
                answer = operator.ask("commit_progress")
                if answer["doing"]:
                    told(answer["doing"], 1 + answer["done"], 1 + answer["of"])

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _pending(store: ConfigStore, draft: Draft, problems: list[Problem] | None = None) -> Pending:
    before = base(store)
    problems = check(draft.config, in_force=before) if problems is None else problems
    return Pending(tag=draft.tag, base=draft.base, changes=differences(before, draft.config), problems=problems)


def _loses(draft: Config, base: Config, wanted: Config) -> bool:
    """Whether changes of the draft are in nobody's hands once `wanted` has replaced it; certificates come over with it."""
    rest = [
        {
            name: entry
            for name, entry in one.certificates.items()
            if wanted.certificates.get(name) != draft.certificates.get(name)
        }
        for one in (draft, base)
    ]
    replaced = [msgspec.structs.replace(one, certificates=kept) for one, kept in zip((draft, base), rest, strict=True)]
    return draft != wanted and replaced[0] != replaced[1]
