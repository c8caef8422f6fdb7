"""What a dialogue may do to the person at the console: print lines, and ask one question after another.

A question prints an empty line, its text, and reads at `[default]> `; an empty line takes the default. Where the lines come
from (a terminal, a pipe, SSH) is a `Source` and changes nothing here. Whoever leaves (Ctrl-C, or no more input) raises
`Left`, which passes through every dialogue up to the shell. What is printed cannot steer the terminal, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar, overload

from gatepost.admin.cli_base import rendered
from gatepost.admin.cli_problems import problem_lines, verdict
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Role
from gatepost.config.problems import ConfigErrors
from gatepost.errors import GatepostError
from gatepost.smtp import grammar

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")
Line: TypeAlias = "str | RenderableType"
Kind = Literal["command", "answer", "secret"]
Told = Callable[[str, int, int], None]
Operations = Sequence[tuple[str, str]]
"""The operations of a menu: the name in capitals, and what it does in one sentence."""


class Left(Exception):
    """The person has left the dialogue; nobody but the shell catches it."""


class Ended(Left):
    """There is no more input."""


class Quit(Left):
    """The person leaves the console, and means it."""


class Source(Protocol):
    """Where lines come from and go to."""

    @property
    def width(self) -> int:
        """Columns for tables."""
        ...

    async def read(self, prompt: str, kind: Kind, words: Sequence[str] = ()) -> str:
        """Return one line without its end; `words` can be completed. Raises Left on Ctrl-C and Ended at the end."""
        ...

    async def idle(self, seconds: float) -> bool:
        """Wait so long while nothing is asked; returns True, at once, when a line has come or there is no more input.

        The line stays to be read. Where Ctrl-C is no signal it raises Left, as it does in `read`.
        """
        ...

    def write(self, text: str) -> None:
        """Print at once."""
        ...

    def progress(self, what: str) -> AbstractContextManager[Told]:
        """Show how far something has come, as `Cli.progress` does."""
        ...


class Talk:
    """A conversation with one person, on one gateway."""

    def __init__(self, operator: Operator, source: Source, role: Callable[[], Role] = lambda: "administrator") -> None:
        self.operator = operator
        self.role = role
        """Says what the person may do at this moment."""
        self._source = source

    def say(self, *lines: Line) -> None:
        """Print lines, or tables; without any, an empty line."""
        width = self._source.width
        texts = (line if isinstance(line, str) else rendered(line, width) for line in lines or ("",))
        self._source.write("".join(f"{harmless(one)}\n" for text in texts for one in text.split("\n")))

    def refuse(self, fault: GatepostError) -> None:
        """Print a fault: its sentence, or every problem of a document."""
        if isinstance(fault, ConfigErrors):
            self.say(*problem_lines(fault.problems), verdict("The configuration", fault.problems))
        else:
            self.say(str(fault))

    async def command(self, host: str, words: Sequence[str]) -> str:
        """Read at the host prompt; only here is a line kept in the history."""
        return await self._source.read(f"{host}> ", "command", words)

    @overload
    async def text(self, question: str, default: str = "") -> str: ...
    @overload
    async def text(self, question: str, default: str = "", *, check: Callable[[str], T]) -> T: ...
    async def text(self, question: str, default: str = "", *, check: Callable[[str], object] = lambda text: text) -> object:
        """Ask for a text, or what `check` makes of it; a GatepostError of the check is printed and the question stands."""
        self.say("", question)
        while True:
            answer = await self._answer(default) or default
            try:
                return check(answer)
            except GatepostError as fault:
                self.refuse(fault)

    async def number(self, question: str, default: int, low: int, high: int) -> int:
        """Ask for a whole number from `low` to `high`."""

        def check(text: str) -> int:
            if not re.fullmatch(r"-?[0-9]{1,18}", text) or not low <= int(text) <= high:
                raise GatepostError(f"The answer must be a whole number from {low} to {high}.")
            return int(text)

        return await self.text(question, str(default), check=check)

    async def choose(self, question: str, options: Sequence[str], default: int) -> int:
        """Ask for one of a numbered list, by its number or its text; returns its place, counted from 0 as `default` is."""
        numbered = [f"{place}. {option}" for place, option in enumerate(options, 1)]

        def check(text: str) -> int:
            if text.isascii() and text.isdigit() and 1 <= int(text) <= len(options):
                return int(text) - 1
            found = matching(text, options)
            if len(found) == 1:
                return options.index(found[0])
            raise GatepostError(f"The answer must be a number from 1 to {len(options)}.")

        return await self.text("\n".join([question, *numbered]), str(default + 1), check=check)

    async def yes(self, question: str, default: bool) -> bool:
        """Ask a question that is answered by Y or N."""

        def check(text: str) -> bool:
            if text.lower() not in ("y", "yes", "n", "no"):
                raise GatepostError("The answer must be Y or N.")
            return text.lower().startswith("y")

        return await self.text(question, "Y" if default else "N", check=check)

    async def menu(self, operations: Operations) -> str:
        """Ask for an operation; returns its name in lower case, or an empty text for an empty line, which leaves."""
        names = [name for name, _ in operations]
        listed = ["", "Choose the operation you want to perform:", *(f"- {name} - {does}" for name, does in operations)]
        self.say(*listed)
        while True:
            answer = await self._answer("", [name.lower() for name in names])
            found = matching(answer, names)
            if len(found) == 1 or not answer:
                return found[0].lower() if answer else ""
            if answer in ("?", "help"):
                self.say(*listed)
            elif found:
                self.say(f"{answer} may mean {' or '.join(found)}.")
            else:
                self.say(f"There is no operation {answer}; an empty line leaves.")

    async def idle(self, seconds: float) -> bool:
        """Wait where nothing is asked; True when the person has typed a line or there is no more input."""
        return await self._source.idle(seconds)

    async def secret(self, question: str) -> str:
        """Ask for what nobody shall see or find in a history; may be empty."""
        self.say("", question)
        return await self._source.read("[]> ", "secret")

    async def paste(self, question: str) -> str:
        """Ask for lines until one that is just a dot; returns them with their ends."""
        self.say("", question, "Paste it, then type a . on a line by itself.")
        kept: list[str] = []
        while True:
            # A terminal may hand over a paste of many lines as one.
            for line in (await self._source.read("", "answer")).split("\n"):
                if line.strip() == ".":
                    return "".join(f"{one}\n" for one in kept)
                kept.append(line.rstrip("\r"))

    @contextmanager
    def progress(self, what: str) -> Iterator[Told]:
        """Show how far something has come when it takes longer than two seconds; see `Cli.progress`."""
        with self._source.progress(what) as told:
            yield told

    async def _answer(self, default: str, words: Sequence[str] = ()) -> str:
        line = await self._source.read(f"[{harmless(default)}]> ", "answer", words)
        return " ".join(line.splitlines()).strip()


def matching(text: str, names: Sequence[str]) -> list[str]:
    """Return the name that `text` is in any case, or else all those that it begins."""
    if not text:
        return []
    exact = [name for name in names if name.lower() == text.lower()]
    return exact[:1] or [name for name in names if name.lower().startswith(text.lower())]


def harmless(line: str) -> str:
    """Return a line that no terminal takes for a command."""
    line = line.expandtabs()
    return line if line.isprintable() else grammar.printable(line)
