"""System Administration > Configuration: revisions, what differs between any two, rollback, export and import.

Private keys leave only for an administrator who gives the password once more.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import configuration, documents, fields
from gatepost.admin.operations.configuration import Comparison
from gatepost.admin.web import exchange, proof
from gatepost.admin.web.asked import query, read
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.paging import paged
from gatepost.admin.web.threads import in_thread
from gatepost.config.problems import ConfigErrors, Problem
from gatepost.config.store import RevisionInfo
from gatepost.errors import Conflict, GatepostError

TITLE = "Configuration"
DRAFT, COMMITTED = "draft", "committed"
MAX_TOLD = 500
"""Changes or problems that one page lists."""
MAX_TEXT = 400_000
"""Characters of a difference that a page shows."""


@get("/configuration")
@in_thread
def overview(desk: Desk, find: str = "", page: int = 1) -> Template:
    """Show the revisions, the latest first."""
    return _overview(desk, find, page, Form(), {})


@get("/configuration/compare")
@in_thread
def compare_page(desk: Desk) -> Template:
    """Show what differs between two revisions, or a revision and the draft."""
    form, told = query(desk), dict[str, str]()
    old, new = (read(told, side, _read_number, form[side]) for side in ("old", "new"))
    if told:
        return _overview(desk, "", 1, form, told)
    try:
        found = configuration.compare(desk.operator, old, new)
    except GatepostError as fault:
        return _overview(desk, "", 1, form, {"": str(fault)})
    title = f"From {found.old} to {found.new}"
    return desk.page("compare.html", title=title, old=form["old"], new=form["new"], **_shown(found))


@get("/configuration/rollback/{number:int}")
@in_thread
def rollback_page(desk: Desk, number: int) -> Template:
    """Show what a rollback would change, and ask whether it is meant."""
    return _rollback(desk, number, Form(), {})


@post("/configuration/rollback/{number:int}", opt=ADMINISTRATOR)
@filled
def rollback(desk: Desk, form: Form, number: int) -> Response[Any] | Template:
    """Commit an older revision once more."""
    comment, force = form["comment"].strip(), form.ticked("force")
    if configuration.is_changed(desk.operator) and not force:
        return _rollback(desk, number, form, {"force": "the draft has changes: say that they may be lost, or commit them"})
    try:
        done = configuration.rollback(desk.operator, number, comment, force=force)
    except Conflict:
        raise
    except ConfigErrors:
        return desk.back("/commit", f"Nothing was committed. The draft holds revision {number} now: mend what was found.")
    except GatepostError as fault:
        return _rollback(desk, number, form, {"": str(fault)})
    desk.tell(f"rolled back to revision {number}, as revision {done.revision}: {comment}")
    said = f"Rolled back: revision {done.revision} is in force and holds what revision {number} held."
    return desk.back("/configuration", said)


@get("/configuration/export")
@in_thread
def export(desk: Desk, of: str = COMMITTED) -> Response[str] | Template:
    """Hand out a document, private keys masked."""
    return _export(desk, Form(of=of), with_keys=False)


@post("/configuration/export", opt=ADMINISTRATOR)
@filled
def export_keys(desk: Desk, form: Form) -> Response[str] | Template:
    """Hand out a document with its private keys, for the password."""
    doubt = proof.doubt(desk, form.pop("password", ""))
    if doubt:
        return _overview(desk, "", 1, form, {"password": doubt})
    return _export(desk, form, with_keys=True)


@get("/configuration/import")
@in_thread
def import_page(desk: Desk) -> Template:
    """Show the form to import a document."""
    return _import(desk, Form(), {}, [])


@post("/configuration/import", opt=ADMINISTRATOR)
@filled
def import_document(desk: Desk, form: Form) -> Response[Any] | Template:
    """Put a document in the draft's place, or list all that is wrong with it."""
    try:
        if form.files.get("file"):
            form["text"] = exchange.decoded(form.files["file"])
        if not form["text"].strip():
            raise GatepostError("there is no text: choose a file, or paste what it holds")
        made = documents.import_document(desk.operator, form["text"], force=form.ticked("force"))
    except Conflict:
        raise
    except ConfigErrors as fault:
        return _import(desk, form, {}, fault.problems)
    except GatepostError as fault:
        if form["text"].strip() and configuration.is_changed(desk.operator) and not form.ticked("force"):
            lost = "the draft has changes that are not committed: say that they may be lost, or commit them first"
            return _import(desk, form, {"force": lost}, [])
        return _import(desk, form, {"text": str(fault)}, [])
    desk.tell(f"imported a configuration, {len(made.changes)} changes")
    desk.session.notices += made.notes
    return desk.drafted("/commit", "The draft is replaced by the document")


def _read_number(text: str) -> int | None:
    """Read the number of a revision; None is the draft."""
    return None if text.lower() == DRAFT else fields.identifier("revision", text)


def _overview(desk: Desk, find: str, page: int, form: Form, told: dict[str, str]) -> Template:
    log = configuration.log(desk.operator) if desk.operator.config_db.exists() else []
    latest = log[0].number if log else 0
    context: dict[str, Any] = {
        "paged": paged(log, find, page, lambda one: f"{one.number} {one.author} {one.comment}"),
        "latest": latest,
        "is_changed": configuration.is_changed(desk.operator),
        "form": Form({"old": str(max(latest - 1, 0)), "new": str(latest), "of": COMMITTED, **form}),
        "of": _kinds(log),
    }
    return desk.form("configuration.html", title=TITLE, faults=told, **context)


def _kinds(log: list[RevisionInfo]) -> list[tuple[str, str]]:
    """Return the documents that can be exported; of revisions the latest few, the others by their address."""
    older = [(str(one.number), f"Revision {one.number}") for one in log[1:50]]
    return [(COMMITTED, "What is in force"), (DRAFT, "The draft"), *older]


def _export(desk: Desk, form: Form, *, with_keys: bool) -> Response[str] | Template:
    told: dict[str, str] = {}
    revision = (
        0 if form["of"] in (DRAFT, COMMITTED) else read(told, "of", partial(fields.identifier, "revision"), form["of"])
    )
    if told:
        return _overview(desk, "", 1, form, told)
    try:
        made = documents.export(desk.operator, with_keys=with_keys, draft=form["of"] == DRAFT, revision=revision or 0)
    except GatepostError as fault:
        return _overview(desk, "", 1, form, {"of": str(fault)})
    if with_keys:
        desk.tell(f"exported the configuration ({form['of']}) with its private keys")
    name = f"gatepost-{form['of']}.toml"
    return exchange.download(made, name, "application/toml")


def _rollback(desk: Desk, number: int, form: Form, told: dict[str, str]) -> Template:
    log = configuration.log(desk.operator) if desk.operator.config_db.exists() else []
    revision = next((one for one in log if one.number == number), None)
    if revision is None:
        raise NotFoundException(f"there is no revision {number}")
    context: dict[str, Any] = {
        "revision": revision,
        "latest": log[0].number,
        "pending": configuration.changes(desk.operator),
        "form": form,
        "tag": desk.tag(),
        **_shown(configuration.compare(desk.operator, log[0].number, number)),
    }
    title = f"Rollback to revision {number}"
    return desk.form("rollback.html", title=title, faults=told, **context)


def _import(desk: Desk, form: Form, told: dict[str, str], problems: list[Problem]) -> Template:
    # What was pasted goes back with the private keys that it may hold: to whoever pasted it, on a page that is not kept.
    if len(form["text"]) > exchange.MAX_KEPT:
        form["text"] = ""
    context: dict[str, Any] = {
        "form": form,
        "problems": problems[:MAX_TOLD],
        "more": len(problems) - MAX_TOLD,
        "is_changed": configuration.is_changed(desk.operator),
        "tag": desk.tag(),
    }
    if told or problems:
        return desk.invalid("configuration_import.html", title="Import Configuration", faults=told, **context)
    return desk.page("configuration_import.html", title="Import Configuration", faults={}, **context)


def _shown(found: Comparison) -> dict[str, Any]:
    """Return a difference as a page shows it: of a very long one the beginning."""
    return {
        "found": found,
        "changes": found.changes[:MAX_TOLD],
        "more": len(found.changes) - MAX_TOLD,
        "text": found.text[:MAX_TEXT],
        "is_cut": len(found.text) > MAX_TEXT,
    }


HANDLERS = (overview, compare_page, rollback_page, rollback, export, export_keys, import_page, import_document)
