"""Destination controls as the appliance's text file (INI, asyncos.md 5.5): reading it with a sentence for every bad line,
and writing it.

`[DEFAULT]` is the default destination and holds every setting; each further section is one domain with what it sets itself.
What is written reads back as the same table, and is then written the same again. Settings of the appliance in which
Gatepost leaves no choice are read where they ask for what Gatepost does, and refused where they ask for something else.
Names of profiles and certificates are judged in `config.check`, not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, get_args

import msgspec

from gatepost.config.decode import field_types
from gatepost.config.model import DefaultDestination, DestinationControl, RecipientRate
from gatepost.config.paths import did_you_mean, join
from gatepost.config.problems import ConfigErrors, Problem
from gatepost.config.routes import parse_key

DEFAULT = "DEFAULT"
_HEAD = "# Destination controls: [DEFAULT] is for every other domain, a section holds what its domain sets itself."
_TLS = {
    "no": "off",
    "preferred": "on",
    "required": "require",
    "preferred-verify": "on_verify",
    "required-verify": "require_verify",
    "required-verify-hosted": "require_verify_hosted",
}
"""The document's words, and those of `table_tls`; both are read."""
_NAMES = {
    "max_host_concurrency": "max_connections",
    "max_messages_per_connection": "max_messages_per_connection",
    "recipient_minutes": "recipients_per_minutes",
    "recipient_limit": "recipients_per_minutes",
    "table_tls": "tls",
    "tls_profile": "tls_profile",
    "dane": "dane",
    "mta_sts": "mta_sts",
    "bounce_profile": "bounce_profile",
    "certificate": "certificate",
}
"""Settings of the file, and the field of the document that each is, or is a part of."""
_FIXED = {
    "ip_sort_pref": (("prefer_v6",), "PREFER_V6", "Gatepost tries IPv6 addresses first"),
    "limit_type": (("host", "0"), "host", "a limit is one for the whole domain"),
    "limit_apply": (("system", "0"), "system", "a limit holds for the whole gateway"),
    "bounce_validation": (("off", "0"), "off", "Gatepost does not tag bounces"),
    "send_tls_req_alert": (("off", "0"), "off", "Gatepost sends no alert by mail, it logs every refusal"),
}
"""Settings without a field: the values that say what happens anyway, the one to write, and why there is no other."""
_NEEDED = ("max_host_concurrency", "max_messages_per_connection", "recipient_minutes", "recipient_limit", "table_tls")
"""What `[DEFAULT]` may not leave out, for nothing stands behind it."""
_SETTING = re.compile(r"(?P<name>[A-Za-z_]+)\s*[=:]\s*(?P<value>.*)")


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says."""

    default: DefaultDestination
    destinations: dict[str, DestinationControl]
    lines: dict[str, int]
    """Line of each path in the document, for faults that only show beside the rest of it."""


def dumps(destinations: Mapping[str, DestinationControl], default: DefaultDestination) -> str:
    """Write a table."""
    lines = [_HEAD, "", f"[{DEFAULT}]", "ip_sort_pref = PREFER_V6", *_written(default)]
    for domain, control in destinations.items():
        lines += ["", f"[{domain}]", *_written(control)]
    return "\n".join(lines) + "\n"


def loads(text: str) -> Table:
    """Read a file; raises ConfigErrors with every bad line."""
    return _Reader().read(text)


def bad_line(number: int, wrong: str, mend: str) -> Problem:
    """Say what is wrong with a line of a file."""
    return Problem(path=f"line {number}", wrong=wrong, mend=mend)


def by_line(problems: Iterable[Problem]) -> list[Problem]:
    """Put problems of `bad_line` in the order of their lines."""
    return sorted(problems, key=lambda problem: int(problem.path.partition(" ")[2]))


# --- writing ---------------------------------------------------------------------------------------------------------


def _written(control: DestinationControl | DefaultDestination) -> Iterator[str]:
    whole = isinstance(control, DefaultDestination)
    rate = control.recipients_per_minutes
    if control.max_connections is not None:
        yield f"max_host_concurrency = {control.max_connections}"
    if control.max_messages_per_connection is not None:
        yield f"max_messages_per_connection = {control.max_messages_per_connection}"
    if rate is not None or whole:
        yield f"recipient_minutes = {rate.minutes if rate else 60}"
        yield f"recipient_limit = {rate.recipients if rate else 0}"
    if control.max_connections is not None or rate is not None:
        yield "limit_type = host"  # the appliance wants both beside a limit
        yield "limit_apply = system"
    if control.tls is not None:
        yield f"table_tls = {_TLS[control.tls]}"
    for name in ("tls_profile", "dane", "mta_sts", "bounce_profile", "certificate"):
        value = getattr(control, name, None)
        # A default that nobody changed is left out: the appliance does not know the first three, and should read the file.
        if value is not None and not (whole and value == getattr(DefaultDestination(), name)):
            yield f"{name} = {value}"


# --- reading ---------------------------------------------------------------------------------------------------------


class _Section:
    """One section as it is read: values by the document's field, and the line of each setting."""

    def __init__(self, name: str, line: int) -> None:
        self.name, self.line = name, line
        self.lines: dict[str, int] = {}
        self.values: dict[str, Any] = {}
        self.minutes: int | None = None
        self.recipients: int | None = None

    @property
    def is_default(self) -> bool:
        return self.name == DEFAULT


class _Reader:
    """Reads line by line and notes each fault."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._sections: list[_Section] = []

    def read(self, text: str) -> Table:
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            bare = line.strip()
            if bare and bare[0] not in "#;":
                self._line(number, bare)
        default = next((section for section in self._sections if section.is_default), None)
        if default is None:
            self._note(1, f"the file has no section [{DEFAULT}]", "begin with one: it says what every other domain gets")
        else:
            for name in _NEEDED:
                if name not in default.lines:
                    self._note(default.line, f"[{DEFAULT}] lacks {name}", f"add a line {name} = ...")
        for section in self._sections:
            self._rate(section, default)
        if self._problems:
            raise ConfigErrors(by_line(self._problems))
        return self._table()

    def _line(self, number: int, bare: str) -> None:
        if bare.startswith("["):
            self._open(number, bare)
        elif (setting := _SETTING.fullmatch(bare)) is None:
            self._note(number, f"{bare!r} is neither a section nor a setting", "write [domain], or name = value")
        elif not self._sections:
            self._note(number, f"{setting['name']} stands before any section", f"write [{DEFAULT}] or [domain] above it")
        else:
            self._set(number, setting["name"].lower(), setting["value"].strip())

    def _open(self, number: int, bare: str) -> None:
        name = bare[1:-1].strip()
        section = _Section(DEFAULT if name.upper() == DEFAULT else name.lower(), number)
        if not bare.endswith("]"):
            self._note(number, f"{bare!r} lacks its closing bracket", f"write {bare}]")
        elif any(other.name == section.name for other in self._sections):
            first = next(other.line for other in self._sections if other.name == section.name)
            self._note(number, f"[{section.name}] stands twice, first in line {first}", "take one of them out")
        elif not section.is_default:
            try:
                parse_key(section.name, allow_all=False)
            except ValueError as fault:
                wrong, _, mend = str(fault).partition(": ")
                self._note(number, wrong, mend or "write a domain such as partner.example, or .partner.example")
        self._sections.append(section)  # also a bad one, so that its settings are judged

    def _set(self, number: int, name: str, value: str) -> None:
        section = self._sections[-1]
        if name in section.lines:
            self._note(number, f"{name} stands twice, first in line {section.lines[name]}", "take one of them out")
            return
        section.lines[name] = number
        try:
            self._take(section, name, value)
        except ValueError as fault:
            wrong, _, mend = str(fault).partition("; ")
            self._note(number, wrong, mend)

    def _take(self, section: _Section, name: str, value: str) -> None:
        """Read one setting into its section; ValueError says what is wrong, and behind a semicolon how to mend it."""
        match name:
            case "max_host_concurrency" | "max_messages_per_connection":
                section.values[_NAMES[name]] = _number(name, value, 1)
            case "recipient_minutes":
                section.minutes = _number(name, value, 1, 60)
            case "recipient_limit":
                section.recipients = _number(name, value, 0)
            case "table_tls":
                section.values["tls"] = _tls(value)
            case "dane" | "mta_sts":
                section.values[name] = _one_of(name, value)
            case "certificate" if not section.is_default:
                raise ValueError(f"certificate is for all outbound TLS; move the line to [{DEFAULT}]")
            case "tls_profile" | "bounce_profile" | "certificate":
                if not value and name != "certificate":
                    raise ValueError(f"{name} is empty; name one, or leave the line out")
                section.values[name] = value
            case _ if name in _FIXED:
                taken, wanted, why = _FIXED[name]
                if value.lower() not in taken:
                    raise ValueError(f"{name} = {value} cannot be had, for {why}; write {wanted}, or leave the line out")
            case _:
                raise ValueError(f"{name} is not a setting of this file; {did_you_mean(name, [*_NAMES, *_FIXED])}")

    def _rate(self, section: _Section, default: _Section | None) -> None:
        """Put minutes and recipients together; neither means anything alone."""
        lines = section.lines
        if "recipient_limit" in lines and "recipient_minutes" not in lines and not section.is_default and section.recipients:
            self._note(lines["recipient_limit"], "recipient_limit lacks its recipient_minutes", "add recipient_minutes = 60")
        if "recipient_minutes" in lines and "recipient_limit" not in lines and not section.is_default:
            self._note(
                lines["recipient_minutes"], "recipient_minutes lacks its recipient_limit", "add recipient_limit = ..."
            )
        if section.recipients and section.minutes:
            section.values["recipients_per_minutes"] = RecipientRate(recipients=section.recipients, minutes=section.minutes)
        elif section.recipients == 0 and not section.is_default and default is not None and default.recipients:
            wrong = f"recipient_limit = 0 cannot lift the limit of [{DEFAULT}]"
            self._note(lines["recipient_limit"], wrong, "write a number, or take the default's limit out")

    def _table(self) -> Table:
        default, destinations, lines = DefaultDestination(), {}, {}
        for section in self._sections:
            path = ("default_destination",) if section.is_default else ("destinations", section.name)
            lines[join(path)] = section.line
            lines |= {join((*path, _NAMES[name])): line for name, line in section.lines.items() if name in _NAMES}
            if section.is_default:
                default = DefaultDestination(**section.values)
            else:
                destinations[section.name] = DestinationControl(**section.values)
        return Table(default=default, destinations=destinations, lines=lines)

    def _note(self, number: int, wrong: str, mend: str) -> None:
        self._problems.append(bad_line(number, wrong, mend))


def _number(name: str, value: str, low: int, high: int | None = None) -> int:
    number = int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else -1
    if number < low or (high is not None and number > high):
        span = f"from {low} to {high}" if high is not None else f"of {low} or more"
        raise ValueError(f"{name} = {value} is out of place; write a whole number {span}")
    return number


def _tls(value: str) -> str:
    word = value.lower()
    for setting, theirs in _TLS.items():
        if word in (setting, theirs):
            return setting
    raise ValueError(f"table_tls = {value} is not a TLS setting; write one of {', '.join(_TLS.values())}")


def _one_of(name: Literal["dane", "mta_sts"], value: str) -> str:
    choices = get_args(field_types(DestinationControl)[name])
    if value not in choices:
        raise ValueError(f"{name} = {value} is not one of its values; write one of {', '.join(choices)}")
    return value
