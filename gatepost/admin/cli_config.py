"""`gatepost config`: the configuration's life, from a file to a revision. Only translates."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_problems import problem_lines, staged_lines, verdict
from gatepost.admin.cli_text import commit_moment, count, moment
from gatepost.admin.operations import configuration, documents
from gatepost.admin.operations.configuration import Committed, Pending
from gatepost.admin.operations.stores import load
from gatepost.config.problems import errors
from gatepost.config.toml import dumps, to_tree

group = Group("config", "The configuration: edit the draft, commit it, go back.")
File = Annotated[str, typer.Argument(metavar="FILE", help="TOML document; - for standard input.")]
FieldPath = Annotated[
    str,
    typer.Argument(
        metavar="PATH", help="""Such as 'destinations."partner.example".tls': a shell takes one pair of quotes off."""
    ),
]
Comment = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What the change is for.")]
SHOWN = 100
"""Changes that an edit or an import repeats."""
NOT_LIVE = "Nothing is live before `gatepost config commit -m TEXT`."


@group.command("check")
def check(cli: Cli, file: File) -> None:
    """Check a document as an import would, and change nothing."""
    with cli.waiting(f"Checking {file}"):
        found = documents.check_file(cli.operator, file)
    refused = bool(errors(found.problems))
    cli.show(
        {"ok": not refused, "problems": found.problems, "notes": found.notes},
        [*found.notes, *problem_lines(found.problems), verdict(file, found.problems)],
    )
    if refused:
        raise typer.Exit(1)


@group.command("import")
def import_(
    cli: Cli,
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Over changes that are not committed.")] = False,
) -> None:
    """Replace the draft by a document; refused with every error in it."""
    with cli.waiting(f"Importing {file}"):
        made = documents.import_file(cli.operator, file, force=force)
    cli.show(made, staged(made, whole=True))


@group.command("export")
def export(
    cli: Cli,
    with_keys: Annotated[bool, typer.Option("--with-keys", help="With the private keys in clear text.")] = False,
    draft: Annotated[bool, typer.Option("--draft", help="The draft instead of what is committed.")] = False,
) -> None:
    """Print the committed document; private keys are masked."""
    if cli.json:
        cli.show(to_tree(load(cli.operator, draft=draft).config, with_keys=with_keys), [])
    else:
        sys.stdout.write(documents.export(cli.operator, with_keys=with_keys, draft=draft))


@group.command("set")
def set_(
    cli: Cli,
    path: FieldPath,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="A TOML value, or a text without quotes.")],
) -> None:
    """Set one field of the draft."""
    made = documents.set_field(cli.operator, path, value)
    cli.show(made, staged(made))


@group.command("unset")
def unset(cli: Cli, path: FieldPath) -> None:
    """Take an entry out of the draft, or a field back to its default."""
    made = documents.unset_field(cli.operator, path)
    cli.show(made, staged(made))


@group.command("get")
def get(
    cli: Cli,
    path: FieldPath,
    committed: Annotated[bool, typer.Option("--committed", help="From the committed document, not the draft.")] = False,
) -> None:
    """Print one field or table of the draft."""
    value = documents.get_field(cli.operator, path, committed=committed)
    cli.show(value, [documents.as_text(value)])


@group.command("diff")
def diff(cli: Cli, text: Annotated[bool, typer.Option("--text", help="Line by line, as a unified diff.")] = False) -> None:
    """Show what the draft would change, and what is wrong with it."""
    if text and not cli.json:
        sys.stdout.write(configuration.difference_text(cli.operator))
        return
    made = configuration.pending(cli.operator)
    cli.show(made, _difference(made))


@group.command("commit")
def commit(cli: Cli, message: Comment = "") -> None:
    """Make the draft the next revision, and have the gateway take it."""
    with cli.progress("Committing") as told:
        done = configuration.commit(cli.operator, message, told)
    cli.show(done, _committed(done))


@group.command("log")
def log(cli: Cli, limit: Annotated[int, typer.Option(min=1, metavar="N", help="Revisions to show at most.")] = 50) -> None:
    """Show the revisions, the latest first."""
    revisions = configuration.log(cli.operator, limit)
    rows = [(one.number, moment(one.time), one.author, one.comment) for one in revisions]
    shown = table("Revision", "Committed", "By", "Comment", rows=rows, right=(0,))
    cli.show(revisions, [shown] if revisions else ["Nothing is committed yet."])


@group.command("show")
def show(cli: Cli, number: Annotated[int, typer.Argument(metavar="REV", help="Number of the revision.")]) -> None:
    """Print the document of one revision; private keys are masked."""
    found = configuration.revision(cli.operator, number)
    about = {"revision": found.number, "time": found.time, "author": found.author, "comment": found.comment}
    head = f"# Revision {found.number}, {commit_moment(found.time)}, {found.author}: {' '.join(found.comment.split())}"
    cli.show({**about, "document": to_tree(found.config)}, (line for line in [head, "", dumps(found.config).rstrip()]))


@group.command("rollback")
def rollback(
    cli: Cli,
    number: Annotated[int, typer.Argument(metavar="REV", help="Number of the revision.")],
    message: Comment = "",
    force: Annotated[bool, typer.Option("--force", help="Give up changes that are not committed.")] = False,
) -> None:
    """Commit an older revision's document once more."""
    with cli.progress("Committing") as told:
        done = configuration.rollback(cli.operator, number, message, told, force=force)
    cli.show(done, _committed(done))


@group.command("clear")
def clear(cli: Cli) -> None:
    """Give up all changes since the last commit."""
    lost = configuration.clear(cli.operator)
    cli.show({"cleared": lost}, ["Changes cleared:", *_indented(lost)] if lost else ["There were no changes."])


def staged(made: Pending, *, whole: bool = False) -> Iterator[Any]:
    """Write what an edit left in the draft; `whole`: what was put there is new, and so are its warnings."""
    yield from made.notes
    yield from _changes(made, SHOWN)
    yield from problem_lines(made.problems) if whole else staged_lines(made.problems)
    if errors(made.problems):
        yield "The draft cannot be committed as it stands."
    if made.changes:
        yield NOT_LIVE


def _difference(made: Pending) -> Iterator[Any]:
    yield from _changes(made)
    yield from problem_lines(made.problems)
    if errors(made.problems):
        yield "The draft cannot be committed as it stands."


def _changes(made: Pending, limit: int | None = None) -> Iterator[str]:
    if not made.changes:
        yield "The draft is the same as the committed configuration."
        return
    since = f"revision {made.base}" if made.base else "an empty configuration"
    yield f"{count(len(made.changes), 'change')} since {since}:"
    yield from _indented(made.changes[:limit])
    if limit is not None and len(made.changes) > limit:
        yield f"  and {len(made.changes) - limit} more; `gatepost config diff` shows all."


def _indented(changes: list[Any]) -> list[str]:
    return [f"  {change}" for change in changes]


def _committed(done: Committed) -> Iterator[str]:
    yield f"Changes committed: {commit_moment(done.time)}"
    yield f"revision {done.revision}"
    if not done.live:
        yield "No gateway runs; it is in force at the next start."
    yield from staged_lines(done.warnings)
