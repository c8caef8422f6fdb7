"""What every command of the command line shares: the global options, and how a value is shown.

`--state` and `--json` are taken before and behind the name of a command, so each command and each group has them. A command
is a function that gets a `Cli` first; it translates, calls one operation and shows what that returned. It never decides.
"""

from __future__ import annotations

import difflib
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import msgspec
import typer
from typer.core import TyperGroup

from gatepost.admin.operations.operator import DEFAULT_STATE, Operator, login_name

if TYPE_CHECKING:
    from rich.console import RenderableType

P = ParamSpec("P")
Shown = Iterable["str | RenderableType"]
PATIENCE = 2.0
"""Seconds that a command may take before it says what it does."""
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

StateOption = Annotated[
    Path | None,
    # Whether it may be read is for the operator to say, wherever the name came from.
    typer.Option(
        "--state", metavar="DIR", readable=False, help=f"State directory (GATEPOST_STATE; otherwise {DEFAULT_STATE})."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Cli:
    """One invocation: the global options as far as they were given, and the way to the terminal."""

    def __init__(self) -> None:
        self.state: Path | None = None
        self.json = False

    @cached_property
    def operator(self) -> Operator:
        """Who acts, and on which state directory."""
        state = self.state or Path(os.environ.get("GATEPOST_STATE") or DEFAULT_STATE)
        return Operator(state, author=login_name())

    def show(self, value: Any, lines: Shown) -> None:
        """Print `value` as JSON, or else `lines`: texts as they stand, tables through rich."""
        if self.json:
            print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
            return
        for line in lines:
            if isinstance(line, str):
                print(line)
            else:
                print(rendered(line))

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Say on a terminal what is being done when it takes longer than two seconds."""
        if not sys.stderr.isatty():
            yield
            return
        with _in_time(lambda: print(f"{what} …", file=sys.stderr)):
            yield

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[str, int, int], None]]:
        """Show on a terminal how far something has come when it takes longer than two seconds.

        Yields what is to be told of each step: its name, how many are done, and how many there are.
        """
        if not sys.stderr.isatty():
            yield lambda doing, done, of: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        bar = Progress(*columns, console=Console(stderr=True), transient=True)
        task = bar.add_task(what, total=None)
        try:
            with _in_time(bar.start):
                yield lambda doing, done, of: bar.update(task, description=f"{what}: {doing}", completed=done, total=of)
        finally:
            bar.stop()


@contextmanager
def _in_time(show: Callable[[], object]) -> Iterator[None]:
    """Show something if the block takes longer than PATIENCE; afterwards it is shown, or never will be."""
    timer = threading.Timer(PATIENCE, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def table(*headers: str, rows: Iterable[Iterable[object]], right: tuple[int, ...] = ()) -> RenderableType:
    """Build a table that wraps rather than cuts; the columns in `right` hold numbers."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for place, header in enumerate(headers):
        made.add_column(header, justify="right" if place in right else "left", overflow="fold", no_wrap=place in right)
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    return made


def rendered(thing: RenderableType, width: int | None = None) -> str:
    """Render for the terminal at hand, or for 80 columns; no line ends in blanks, so that output can be compared."""
    from rich.console import Console

    console = Console(markup=False, highlight=False, width=width)
    with console.capture() as capture:
        console.print(thing)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


class Group:
    """A group of commands; `commands` hands each of its functions a Cli."""

    def __init__(self, name: str, about: str, default: str = "") -> None:
        """`default`: the command that is meant when none is named."""
        self.name = name
        self.app = new_app(name, about, _group_class(default), no_args_is_help=not default)

    def command(
        self, name: str, **settings: Any
    ) -> Callable[[Callable[Concatenate[Cli, P], None]], Callable[Concatenate[Cli, P], None]]:
        """Register a function as the command `name`."""

        def register(function: Callable[Concatenate[Cli, P], None]) -> Callable[Concatenate[Cli, P], None]:
            self.app.command(name, context_settings=SETTINGS, **settings)(_with_globals(function))
            return function

        return register


def new_app(
    name: str, about: str, group_class: type[TyperGroup], *, no_args_is_help: bool = True, completion: bool = False
) -> typer.Typer:
    """Return a plain typer application: no colours in help, no tracebacks in boxes, the global options taken."""
    app = typer.Typer(
        name=name,
        help=about,
        cls=group_class,
        no_args_is_help=no_args_is_help,
        add_completion=completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=SETTINGS,
    )
    app.callback()(take_globals)
    return app


class Commands(TyperGroup):
    """Commands, one of which must be named: what is none is answered with what was meant, or with what there is."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the first word names."""
        word = args[0]
        if not word.startswith("-") and not ctx.resilient_parsing and self.get_command(ctx, word) is None:
            known = self.list_commands(ctx)
            near = difflib.get_close_matches(word, known, n=1)
            ctx.fail(
                f"No such command {word!r}. " + (f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}.")
            )
        return super().resolve_command(ctx, args)


def _group_class(default: str) -> type[TyperGroup]:
    class WithDefault(Commands):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            named = next(_words(args), "")
            # A word that is neither a number nor an option is a command, misspelt; the default's own argument is a number.
            meant = not named or named.startswith("-") or named.isdecimal()
            if default and meant and not {"-h", "--help"} & set(args):
                args = [default, *args]
            return super().parse_args(ctx, args)

    return WithDefault


def _words(args: list[str]) -> Iterator[str]:
    """Return what is left of the arguments without the global options in front."""
    rest = iter(args)
    for word in rest:
        if word == "--state":
            next(rest, None)
        elif word != "--json" and not word.startswith("--state="):
            yield word


def take_globals(context: typer.Context, state: StateOption = None, json: JsonOption = False) -> None:
    """Keep the global options of one level; what a deeper level gives goes before what a higher one gave."""
    cli = context.ensure_object(Cli)
    cli.state = state or cli.state
    cli.json = json or cli.json


def _with_globals(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the parameters `--state` and `--json`, and the Cli that they are kept in."""

    @wraps(function)
    def run(context: typer.Context, state: Path | None, json: bool, **arguments: Any) -> None:
        take_globals(context, state, json)
        function(context.obj, **arguments)

    _, *own = inspect.signature(function, eval_str=True).parameters.values()
    shared = list(inspect.signature(take_globals, eval_str=True).parameters.values())
    keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own + shared[1:]]
    run.__signature__ = inspect.Signature([shared[0], *keyword_only])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [shared[0], *keyword_only]}
    return run
