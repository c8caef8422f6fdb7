"""The ground of the verbs that edit one table of the draft: look an entry up, judge it alone, put it back.

`config.check` judges whole documents, whenever a draft is looked at. Here the same checks judge one entry before it goes
in, so that whoever wrote it hears of it at once and the draft stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.config.checks.common import check_names, check_texts
from gatepost.config.checks.listeners import check_listeners
from gatepost.config.checks.numbers import check_numbers
from gatepost.config.model import Config, Listener
from gatepost.config.paths import Part, did_you_mean, join
from gatepost.config.problems import Problem, Report, errors
from gatepost.errors import GatepostError

T = TypeVar("T")
Check = Callable[[Config, Report], None]


class Unfit(GatepostError):
    """An entry that may not go into the draft; `problems` has every reason, each with its path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems; the text has a line for each."""
        self.problems = list(problems)
        super().__init__("\n".join(map(str, problems)))


class Several(GatepostError):
    """What more than one judgement has against an entry."""

    def __init__(self, faults: Sequence[GatepostError]) -> None:
        """Keep the faults; the text has all of theirs."""
        self.faults = list(faults)
        super().__init__("\n".join(map(str, faults)))


def together(*judgements: Callable[[], object]) -> None:
    """Make every judgement, and raise what all of them have against an entry: a form tells it all at once."""
    faults = []
    for judgement in judgements:
        try:
            judgement()
        except GatepostError as fault:
            faults.append(fault)
    if faults:
        raise faults[0] if len(faults) == 1 else Several(faults)


def current(operator: Operator) -> Config:
    """Return the draft; an empty document where nothing is configured yet."""
    return load(operator, draft=True).config if operator.config_db.exists() else Config()


def known(entries: Mapping[str, T], name: str, what: str) -> T:
    """Return the entry of that name, or say which names there are."""
    if name not in entries:
        raise GatepostError(f"there is no {what} {name!r}: {did_you_mean(name, entries)}")
    return entries[name]


def free(entries: Iterable[str], name: str, what: str) -> None:
    """Refuse a name that another entry bears, in whatever case: two that differ in case alone would be mixed up."""
    taken = next((other for other in entries if other.lower() == name.lower()), None)
    if taken is not None:
        raise GatepostError(
            f"there is {'an' if what[0] in 'aeiou' else 'a'} {what} {taken!r} already: choose another name, or edit that one"
        )


def renamed(entries: Mapping[str, T], old: str, new: str) -> dict[str, T]:
    """Return the entries in their order with another name for one of them."""
    return {new if name == old else name: entry for name, entry in entries.items()}


def without(entries: Mapping[str, T], name: str) -> dict[str, T]:
    """Return the entries but for one."""
    return {other: entry for other, entry in entries.items() if other != name}


def judge(part: Config, place: Sequence[Part], *checks: Check) -> None:
    """Refuse what is wrong at or below one place of a document, all of it, a line each."""
    _judge(part, [place], checks)


def _judge(part: Config, places: Sequence[Sequence[Part]], checks: Iterable[Check]) -> None:
    report = Report()
    for check in checks:
        check(part, report)
    paths = [join(place) for place in places]
    found = [problem for problem in errors(report.problems) if any(below(problem.path, path) for path in paths)]
    if found:
        raise Unfit(found)


def judge_listener(config: Config, name: str, *places: tuple[Part, ...]) -> None:
    """Judge places of a listener but for its sender groups and recipients: those may be many and have their own verbs."""
    slim = {
        other: msgspec.structs.replace(listener, sender_groups=[], recipients=[])
        for other, listener in config.listeners.items()
    }
    last = {**without(slim, name), name: slim[name]}  # of two that clash, the later one is told of
    part = msgspec.structs.replace(config, listeners=last, destinations={}, routes={})
    checks = check_names, check_texts, check_numbers, check_listeners
    _judge(part, [("listeners", name, *place) for place in places], checks)


def edit_listener(operator: Operator, name: str, change: Callable[[Config, Listener], Listener]) -> Pending:
    """Change one listener of the draft by a pure function."""

    def edited(config: Config) -> Config:
        listener = known(config.listeners, name, "listener")
        return with_listener(config, name, change(config, listener))

    return configuration.edit(operator, edited)


def with_listener(config: Config, name: str, listener: Listener) -> Config:
    """Return the document with one listener put in the place of that name."""
    return msgspec.structs.replace(config, listeners={**config.listeners, name: listener})


def touching(pending: Pending, *places: Sequence[Part]) -> list[Problem]:
    """Return what is wrong with the draft at or below places, or because of them."""
    paths = [join(place) for place in places]
    return [
        problem
        for problem in pending.problems
        if any(below(told, path) for told in (problem.path, *problem.related) for path in paths)
    ]


def below(path: str, place: str) -> bool:
    """Whether a path is the place or lies below it."""
    return path == place or (path.startswith(place) and path[len(place)] in ".[")
