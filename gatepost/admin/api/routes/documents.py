"""What comes in and goes out as text: the configuration as TOML, Host Access Tables, Destination Controls."""

from __future__ import annotations

from collections.abc import Callable

import litestar
import msgspec
from anyio import to_thread
from litestar import Response

from gatepost.admin.api.caller import Caller, IfMatch
from gatepost.admin.api.jobs import ACCEPTED, Told, answered
from gatepost.admin.api.problems import Refused, absent
from gatepost.admin.api.routing import TextOperation, acts, edits, reads
from gatepost.admin.operations import destinations, documents, hat
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current, known
from gatepost.config.exchange import examine
from gatepost.config.problems import Problem, errors

TAGS = ["Text files"]
TOML = "application/toml"


class CheckedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a document."""

    ok: bool
    problems: list[Problem]
    notes: list[str]


@reads("/config/export", tags=TAGS, media_type=TOML)
def export(caller: Caller, draft: bool = False) -> str:
    """The committed document, or the draft, as TOML; private keys are masked."""
    return documents.export(caller.operator, draft=draft)


@acts("/config/check", role="read-only", tags=TAGS, operation_class=TextOperation)
async def check(caller: Caller) -> CheckedDocument:
    """Check a document in TOML as an import would, and change nothing."""
    body = await caller.request.body()
    found = await to_thread.run_sync(lambda: examine(body, current(caller.operator)))
    return CheckedDocument(ok=not errors(found.problems), problems=found.problems, notes=found.notes)


@edits("/config/import", tags=TAGS, operation_class=TextOperation, responses=ACCEPTED)
async def import_document(caller: Caller, if_match: IfMatch = None, force: bool = False) -> Response[Pending]:
    """Replace the draft by a document in TOML; refused with every error in it, and over other changes unless forced."""
    operator, body = await to_thread.run_sync(caller.editing, if_match), await caller.request.body()

    def work(told: Told) -> Pending:
        return documents.import_document(operator, body, force=force)

    return await _imported(caller, "the document", work)


@reads("/listeners/{listener:str}/hat", tags=TAGS, media_type="text/plain")
def export_hat(caller: Caller, listener: str, committed: bool = False) -> str:
    """A listener's Host Access Table in the appliance's format: policies and sender groups."""
    with absent():
        return hat.export_text(caller.operator, listener, draft=not committed)


@edits("/listeners/{listener:str}/hat", litestar.put, tags=TAGS, operation_class=TextOperation, responses=ACCEPTED)
async def import_hat(caller: Caller, listener: str, if_match: IfMatch = None) -> Response[Pending]:
    """Replace a listener's Host Access Table in the draft; refused with every bad line."""
    operator, text = await to_thread.run_sync(caller.editing, if_match), await _text(caller)
    with absent():
        await to_thread.run_sync(lambda: known(current(operator).listeners, listener, "listener"))
    return await _imported(
        caller, f"the Host Access Table of {listener}", lambda told: hat.import_text(operator, listener, text, told)
    )


@reads("/destinations/text", tags=TAGS, media_type="text/plain")
def export_destinations(caller: Caller) -> str:
    """The Destination Controls of the draft as text."""
    return destinations.export_text(caller.operator)


@edits("/destinations/text", litestar.put, tags=TAGS, operation_class=TextOperation, responses=ACCEPTED)
async def import_destinations(caller: Caller, if_match: IfMatch = None) -> Response[Pending]:
    """Replace the Destination Controls of the draft; refused with every bad line."""
    operator, text = await to_thread.run_sync(caller.editing, if_match), await _text(caller)
    return await _imported(caller, "the Destination Controls", lambda told: destinations.import_text(operator, text))


async def _imported(caller: Caller, what: str, take: Callable[[Told], Pending]) -> Response[Pending]:
    def work(told: Told) -> Pending:
        made = take(told)
        caller.tell(f"imported {what} into the draft")
        return made

    return await answered(caller, "import", caller.operator, work)


async def _text(caller: Caller) -> str:
    body = await caller.request.body()
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise Refused(422, f"the text is not UTF-8 (line {line})") from None


HANDLERS = (export, check, import_document, export_hat, import_hat, export_destinations, import_destinations)
