"""A listener's Host Access Table as text: written for an export, and read to take the place of the one in the draft.

The text format is that of `config.hat_text`. An import replaces the table or changes nothing: what is wrong with the text
itself and what is wrong with it beside the rest of the draft is told at once, each by its line.
"""

from __future__ import annotations

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending, Told
from gatepost.admin.operations.documents import read_file
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.admin.operations.tables import listener_of
from gatepost.config.check import check
from gatepost.config.hat_text import Table, examine, in_order, write
from gatepost.config.model import Config
from gatepost.config.paths import join
from gatepost.config.problems import ConfigErrors, Problem, errors
from gatepost.errors import GatepostError


def export_text(operator: Operator, listener_name: str = "", *, draft: bool = True) -> str:
    """Return the table of a listener (none named: the first public one), as the draft or the committed document has it."""
    _, listener = listener_of(load(operator, draft=draft).config, listener_name)
    return write(listener)


def import_text(operator: Operator, listener_name: str, text: str, told: Told = lambda doing, done, of: None) -> Pending:
    """Replace the table of a listener in the draft; ConfigErrors with every bad line, and then nothing is changed.

    What was passed over (settings of the appliance that Gatepost does not have) is in the notes of what is returned.
    """
    problems: list[Problem] = []
    notes: list[str] = []

    def change(config: Config) -> Config:
        name, listener = listener_of(config, listener_name)
        table, bad = examine(text, lambda done, of: told("reading", done, of))
        told("checking", 0, 1)
        changed = msgspec.structs.replace(config, listeners=config.listeners | {name: table.put(listener)})
        problems.extend(check(changed, in_force=config))
        bad += _beside_the_rest(table, join(("listeners", name)), problems, bad)
        if bad:
            raise ConfigErrors(in_order(bad))
        told("storing", 0, 1)
        notes.extend(table.notes)
        return changed

    made = configuration.edit(operator, change, lambda config: problems)
    return msgspec.structs.replace(made, notes=notes)


def import_file(operator: Operator, listener_name: str, file: str, told: Told = lambda doing, done, of: None) -> Pending:
    """Replace the table of a listener in the draft by what a file holds, `-` for standard input."""
    octets = read_file(file)
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise GatepostError(f"{file} is not UTF-8 text (line {line}): save it as UTF-8") from None
    return import_text(operator, listener_name, text, told)


def _beside_the_rest(table: Table, listener: str, problems: list[Problem], known: list[Problem]) -> list[Problem]:
    """Return the errors of the document that lines of the text are to blame for, and that are not told already."""
    told = {problem.path for problem in known}
    found: list[Problem] = []
    for problem in errors(problems):
        line = table.line(problem.path.removeprefix(f"{listener}.")) if problem.path.startswith(f"{listener}.") else 0
        if line and f"line {line}" not in told:
            place = problem.path.removeprefix(f"{listener}.")
            found.append(msgspec.structs.replace(problem, path=f"line {line}", wrong=f"{place} {problem.wrong}"))
    return found
