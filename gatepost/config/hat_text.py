"""A Host Access Table as the appliance's text file (asyncos.md 2.7): writing it, and reading it with a line for every fault.

`DEFAULT { ... }` holds the Default Policy Parameters; each `$NAME` is a policy with what it sets itself; each `NAME:` a
sender group: its members, then its policy or a bare behaviour, with a comment in parentheses; `ALL` comes last. What is
written reads back as the same table, and is written the same again. Of an appliance's file, hosts that stand without a
group become groups of their own, and a file without `DEFAULT` leaves those parameters as they are. What can only be judged
beside the rest of the document (names of profiles and lists, bounds of numbers) is judged in `config.check`: `Table.line`
says where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

import msgspec

from gatepost.config.hat_lines import ALL, DEFAULT, Entry, Lines, Told
from gatepost.config.hat_settings import write_settings
from gatepost.config.model import BARE_BEHAVIORS, Behavior, DefaultPolicy, Listener, MailFlowPolicy, SenderGroup
from gatepost.config.paths import did_you_mean, join
from gatepost.config.problems import ConfigErrors, Problem

NAMELESS = "HOST_"
"""How the name begins of a group that stood without one."""
_HEAD = (
    "# Host Access Table. A policy sets what DEFAULT does not; the first sender group that matches decides, ALL comes last."
)
_WIDTH = 100
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")
_MAX_NAME = 55
_MAX_TOLD = 5


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table that was read."""

    policies: dict[str, MailFlowPolicy]
    sender_groups: list[SenderGroup]
    all_hosts: str
    default_policy: DefaultPolicy | None
    """None: the text does not say."""
    notes: list[str]
    """What was passed over or made up, one sentence each."""
    lines: dict[str, int]
    """Path in the listener, and the line that says it."""

    def put(self, listener: Listener) -> Listener:
        """Return the listener with this table in the place of its own."""
        spellings = (listener.all_hosts, "", self.all_hosts)  # as it was, or left out, where that means the same
        same = (one for one in spellings if (one or _implied(listener)) == self.all_hosts)
        return msgspec.structs.replace(
            listener,
            policies=self.policies,
            sender_groups=self.sender_groups,
            all_hosts=next(same, ""),  # none where the text is bad throughout; its other faults are told as well
            default_policy=self.default_policy or listener.default_policy,
        )

    def line(self, path: str) -> int:
        """Return the line that says what a path of the listener holds, or the nearest above; 0 where none does."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 0)


def write(listener: Listener) -> str:
    """Write the table of a listener."""
    lines = [_HEAD, f"{DEFAULT} {{", *(f"    {line}" for line in write_settings(listener.default_policy)), "}"]
    for name, policy in listener.policies.items():
        lines += ["", f"${name}", *_policy_lines(policy)]
    for group in listener.sender_groups:
        rule = _rule(group.policy, listener, group.comment)
        lines += ["", f"{group.name}:", *_member_lines(group.senders), f"        {rule}"]
    lines += ["", ALL, f"    {_rule(listener.all_hosts or _implied(listener), listener)}"]
    return "\n".join(lines) + "\n"


def read(text: str, told: Told = lambda done, of: None) -> Table:
    """Read a table; raises ConfigErrors with every bad line, each under the path `line N`."""
    table, problems = examine(text, told)
    if problems:
        raise ConfigErrors(problems)
    return table


def examine(text: str, told: Told = lambda done, of: None) -> tuple[Table, list[Problem]]:
    """Read a table as far as it can be read, and return it with every bad line; never raises for what the text holds."""
    found = Lines(text, told)
    made = _Assembly(found)
    return made.table, in_order(found.problems)


def in_order(problems: list[Problem]) -> list[Problem]:
    """Return bad lines in the order of the text."""
    return sorted(problems, key=lambda problem: int(problem.path.removeprefix("line ")))


def _policy_lines(policy: MailFlowPolicy) -> list[str]:
    settings = [f"        {line}" for line in write_settings(policy)]
    behavior = f"    {policy.behavior.upper()}"
    return [f"{behavior} {{", *settings, "    }"] if settings else [behavior]


def _member_lines(members: list[str]) -> list[str]:
    """Write the members in one line where they fit, else each in its own: such a file is compared and searched by line."""
    if len(members) < _WIDTH and len(line := ", ".join(members)) <= _WIDTH:
        return [f"    {line}"] if line else []
    return [f"    {member}," for member in members[:-1]] + [f"    {members[-1]}"]


def _rule(policy: str, listener: Listener, comment: str = "") -> str:
    bare = policy in BARE_BEHAVIORS and policy not in listener.policies
    comment = " ".join(comment.split())  # a line end in it would begin another line of the file
    return f"{'' if bare else '$'}{policy}{f' ({comment})' if comment else ''}"


def _implied(listener: Listener) -> str:
    return "ACCEPT" if listener.type == "public" else "REJECT"


class _Assembly:
    """Makes a table of the entries of a file, and notes what is wrong between them."""

    def __init__(self, found: Lines) -> None:
        self._found = found
        self._lines: dict[str, int] = {}
        self._named: list[str] = []
        policies, groups = self._policies(), self._groups()
        all_hosts = self._all_row()
        self.table = Table(
            policies=policies,
            sender_groups=groups,
            all_hosts=all_hosts,
            default_policy=self._default(),
            notes=list(self._notes()),
            lines=self._lines,
        )
        self._judge_rules(policies)

    def _of(self, kind: str) -> list[Entry]:
        return [entry for entry in self._found.entries if entry.kind == kind]

    def _twice(self, entry: Entry, first: int) -> None:
        self._found.bad(entry.line, entry.name, f"stands twice, first in line {first}", "take one out, or rename it")

    def _note_settings(self, entry: Entry, *path: str) -> None:
        self._lines[join(path)] = entry.line
        self._lines.update({join((*path, field)): line for field, line in entry.setting_lines.items()})

    def _policies(self) -> dict[str, MailFlowPolicy]:
        made: dict[str, MailFlowPolicy] = {}
        for entry in self._of("policy"):
            if entry.name in made:
                self._twice(entry, self._lines[join(("policies", entry.name))])
                continue
            self._note_settings(entry, "policies", entry.name)
            self._lines[join(("policies", entry.name, "behavior"))] = entry.rule_line
            behavior = cast(Behavior, entry.rule.lower() or "accept")
            made[entry.name] = MailFlowPolicy(behavior=behavior, **entry.settings)
        return made

    def _default(self) -> DefaultPolicy | None:
        entries = self._of("default")
        for entry in entries[1:]:
            self._twice(entry, entries[0].line)
        if not entries:
            return None
        self._note_settings(entries[0], "default_policy")
        return DefaultPolicy(**entries[0].settings)

    def _groups(self) -> list[SenderGroup]:
        entries = self._of("group")
        taken = {entry.name: entry.line for entry in reversed(entries) if entry.name}
        made: list[SenderGroup] = []
        for entry in entries:
            if not entry.name:
                entry.name = _free_name(entry, taken)
                self._named.append(entry.name)
                taken[entry.name] = entry.line
            elif taken[entry.name] != entry.line:
                self._twice(entry, taken[entry.name])
                continue
            path = join(("sender_groups", entry.name))
            self._lines[path], self._lines[f"{path}.policy"] = entry.line, entry.rule_line
            policy = entry.rule.removeprefix("$") or "REJECT"
            made.append(SenderGroup(name=entry.name, senders=entry.members, policy=policy, comment=entry.comment))
        return made

    def _all_row(self) -> str:
        rows = self._of("all")
        entries = self._found.entries
        if not rows:
            wrong, mend = "is the end, and there is no ALL row", "write ALL and its policy last; or is the file cut short?"
            self._found.bad(self._found.line, None, wrong, mend)
            return ""
        for entry in rows[1:]:
            self._twice(entry, rows[0].line)
        below = entries[entries.index(rows[0]) + 1 :]
        for entry in below:
            if entry.kind == "group":
                self._found.bad(entry.line, entry.name, "stands below the ALL row and could never match", "move it up")
        self._lines["all_hosts"] = rows[0].rule_line
        return rows[0].rule.removeprefix("$")

    def _judge_rules(self, policies: dict[str, MailFlowPolicy]) -> None:
        for entry in self._found.entries:
            if entry.rule[:1] == "$" and entry.rule[1:] not in policies:
                known = [f"${name}" for name in policies] + list(BARE_BEHAVIORS)
                self._found.bad(entry.rule_line, entry.rule, "is no policy of this table", did_you_mean(entry.rule, known))

    def _notes(self) -> Iterator[str]:
        for (key, why), lines in self._found.passed_over.items():
            yield f"{key} ({_places(lines)}) is ignored, for {why}."
        if len(self._named) == 1:
            yield f"A row without a sender group became a group of its own: {self._named[0]}."
        elif self._named:
            yield f"{len(self._named)} rows without a sender group became groups of their own: {_listed(self._named)}."
        for entry in self._of("all"):
            if entry.comment:
                yield f"The comment of the ALL row (line {entry.line}) is ignored, for that row has none in Gatepost."
        if not self._of("default"):
            yield "The text has no DEFAULT block; the Default Policy Parameters stay as they are."


def _free_name(entry: Entry, taken: dict[str, int]) -> str:
    first = entry.members[0] if entry.members else str(entry.line)
    name = wanted = NAMELESS + _NOT_IN_NAMES.sub("_", first)[:_MAX_NAME]
    if name in taken:
        name = f"{wanted[:_MAX_NAME]}_{entry.line}"
    return name


def _places(lines: list[int]) -> str:
    return f"line {lines[0]}" if len(lines) == 1 else f"lines {_listed(list(map(str, lines)))}"


def _listed(items: list[str]) -> str:
    return ", ".join(items[:_MAX_TOLD]) + (f" and {len(items) - _MAX_TOLD} more" if len(items) > _MAX_TOLD else "")
