"""`gatepost`: the command line as a whole, and what a fault costs its caller.

Exit status 0: done. 1: refused or failed, with one clear sentence on stderr. 2: wrong usage. A traceback is only for those
who ask for one with GATEPOST_DEBUG=1. A command's module is imported when the command is meant, so that `gatepost status`
does not pay for what `gatepost cert` needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from gatepost import __version__
from gatepost.admin.cli_base import Commands, JsonOption, StateOption, new_app, take_globals
from gatepost.errors import GatepostError

ABOUT = "Gatepost, an SMTP security gateway that decides how strictly mail is encrypted, and can always say why."
COMMANDS = {
    "serve": "cli_service",
    "try": "cli_try",
    "status": "cli_service",
    "config": "cli_config",
    "cert": "cli_cert",
    "listener": "cli_listener",
    "queue": "cli_queue",
    "track": "cli_records",
    "explain": "cli_explain",
    "trace": "cli_trace",
    "tls": "cli_tls",
    "user": "cli_user",
    "shell": "cli_shell",
}
"""Each command or group of commands, and the module beside this one that has it."""


class Root(Commands):
    """All commands, imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        group = import_module(f"gatepost.admin.{COMMANDS[cmd_name]}").group
        made: Any = typer.main.get_command(group.app)
        return made if group.name == cmd_name else made.commands[cmd_name]


app = new_app("gatepost", ABOUT, Root, completion=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gatepost {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    state: StateOption = None,
    json: JsonOption = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    take_globals(context, state, json)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit status."""
    try:
        app(args=list(arguments), prog_name="gatepost")
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except GatepostError as fault:
        return _refused(fault)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python's own flush at the end must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error), error)
    except Exception as bug:
        return _failed(f"internal error: {type(bug).__name__}: {bug}; set GATEPOST_DEBUG=1 for the traceback", bug)
    return 0


def _refused(fault: GatepostError) -> int:
    from gatepost.config.problems import ConfigErrors

    if not isinstance(fault, ConfigErrors):
        return _failed(str(fault))
    from gatepost.admin.cli_problems import problem_lines, verdict

    for line in problem_lines(fault.problems):
        print(line, file=sys.stderr)
    return _failed(verdict("the configuration", fault.problems))


def _failed(sentence: str, cause: Exception | None = None) -> int:
    if cause is not None and os.environ.get("GATEPOST_DEBUG"):
        raise cause
    print(f"gatepost: {sentence}", file=sys.stderr)
    return 1
