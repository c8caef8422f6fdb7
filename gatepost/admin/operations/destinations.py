"""Destination controls in the draft: list, set, delete, and the whole table as the appliance's text file."""

from __future__ import annotations

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current, free, known, without
from gatepost.admin.operations.explain_out import FIELDS
from gatepost.admin.operations.explanation import Setting, settings
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.tables import readable
from gatepost.config import destinations_text
from gatepost.config.checks.delivery import check_destinations
from gatepost.config.checks.numbers import check_numbers
from gatepost.config.destinations_text import Table
from gatepost.config.model import Config, DefaultDestination, DestinationControl
from gatepost.config.problems import ConfigErrors, Problem, Report, errors
from gatepost.config.routes import parse_key
from gatepost.errors import GatepostError
from gatepost.policy.destination import DestinationTable

_WHAT = "destination control"


def listing(operator: Operator) -> dict[str, DestinationControl]:
    """Return the destination controls of the draft, in their order."""
    return current(operator).destinations


def default(operator: Operator) -> DefaultDestination:
    """Return what every other domain gets."""
    return current(operator).default_destination


def find(operator: Operator, domain: str) -> DestinationControl:
    """Return one control; GatepostError when there is none for exactly that domain."""
    return known(listing(operator), read_domain(domain), _WHAT)


def detail(operator: Operator, domain: str) -> list[Setting]:
    """Return every setting that mail to a domain of the table gets, those inherited from the default among them."""
    config = current(operator)
    control = known(config.destinations, domain, _WHAT)
    below = f"any{domain}" if domain.startswith(".") else domain
    with readable():
        found = DestinationTable({domain: control}, config.default_destination).find(below)
    return settings(found, FIELDS, found.inherited)


def read_domain(text: str) -> str:
    """Return a domain, or `.domain`, as the table has it; GatepostError with one sentence for anything else."""
    domain = text.strip().lower()
    try:
        parse_key(domain, allow_all=False)
    except ValueError as fault:
        raise GatepostError(str(fault)) from None
    return domain


def new_domain(operator: Operator, text: str) -> str:
    """Read a domain that has no control yet."""
    domain = read_domain(text)
    free(listing(operator), domain, _WHAT)
    return domain


def put(operator: Operator, domain: str, control: DestinationControl) -> Pending:
    """Set the control of a domain, whether or not it has one; refused with every fault in it."""

    def change(config: Config) -> Config:
        made = msgspec.structs.replace(config, destinations={**config.destinations, read_domain(domain): control})
        return _sound(made)

    return configuration.edit(operator, change)


def put_default(operator: Operator, control: DefaultDestination) -> Pending:
    """Set what every other domain gets; refused with every fault in it."""
    return configuration.edit(operator, lambda config: _sound(msgspec.structs.replace(config, default_destination=control)))


def delete(operator: Operator, domain: str) -> Pending:
    """Take a control out; the domain gets the default from then on."""

    def change(config: Config) -> Config:
        name = read_domain(domain)
        known(config.destinations, name, _WHAT)
        return msgspec.structs.replace(config, destinations=without(config.destinations, name))

    return configuration.edit(operator, change)


def clear(operator: Operator) -> Pending:
    """Take all controls out; the default stays."""
    return configuration.edit(operator, lambda config: msgspec.structs.replace(config, destinations={}))


def export_text(operator: Operator) -> str:
    """Return the table of the draft, the default with it, as a text file."""
    config = current(operator)
    return destinations_text.dumps(config.destinations, config.default_destination)


def import_text(operator: Operator, text: str) -> Pending:
    """Replace the table and the default by a text file; refused with every bad line, and then nothing is changed."""
    table = destinations_text.loads(text)

    def change(config: Config) -> Config:
        made = msgspec.structs.replace(config, destinations=table.destinations, default_destination=table.default)
        wrong = [_at_line(problem, table) for problem in _problems(made)]
        if wrong:
            raise ConfigErrors(destinations_text.by_line(wrong))
        return made

    return configuration.edit(operator, change)


def _sound(config: Config) -> Config:
    wrong = _problems(config)
    if wrong:
        raise ConfigErrors(wrong)
    return config


def _problems(config: Config) -> list[Problem]:
    """Return the errors in the destination controls, whatever else is wrong with the draft."""
    report = Report()
    check_destinations(config, report)
    check_numbers(Config(destinations=config.destinations, default_destination=config.default_destination), report)
    return errors(report.problems)


def _at_line(problem: Problem, table: Table) -> Problem:
    """Say of a fault which line of the file it stands in."""
    path = problem.path
    while path not in table.lines and "." in path:
        path = path.rpartition(".")[0]
    number = table.lines.get(path, 1)
    wrong = f"{problem.path} = {problem.value} {problem.wrong}" if problem.value else f"{problem.path} {problem.wrong}"
    return destinations_text.bad_line(number, wrong, problem.mend)
