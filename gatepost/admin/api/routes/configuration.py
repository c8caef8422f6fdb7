"""/config: the draft and what is in force, place by place; difference, commit, revisions, rollback."""

from __future__ import annotations

from typing import Annotated, Any

import litestar
import msgspec
from anyio import to_thread
from litestar import MediaType, Response
from litestar.params import JSONBody, PathParameter

from gatepost.admin.api.caller import Caller, IfMatch, etag
from gatepost.admin.api.jobs import ACCEPTED, Told, answered, result
from gatepost.admin.api.problems import absent
from gatepost.admin.api.routing import Body, Limit, Number, acts, edits, reads
from gatepost.admin.operations import configuration, places
from gatepost.admin.operations.configuration import Committed, Pending
from gatepost.config.diff import Change
from gatepost.config.store import RevisionInfo
from gatepost.config.toml import to_tree

TAGS = ["Configuration"]
PlacePath = Annotated[
    str,
    PathParameter(
        description='A place of the document as `gatepost config set` takes it: destinations."partner.example".tls, '
        "percent-encoded. Keys are masked.",
    ),
]


class Commit(Body, frozen=True, kw_only=True):
    """A commit."""

    comment: str = ""


class Rollback(Body, frozen=True, kw_only=True):
    """Going back to an older revision."""

    comment: str = ""
    force: bool = False
    """Give up changes that are not committed."""


class Document(RevisionInfo, frozen=True, kw_only=True):
    """A revision with its document."""

    document: dict[str, Any]


class Cleared(Body, frozen=True, kw_only=True):
    """What was given up."""

    cleared: list[Change]


# --- places ----------------------------------------------------------------------------------------------------------


@reads("/config/draft", tags=TAGS)
def draft(caller: Caller) -> Response[dict[str, Any]]:
    """The whole draft; ETag names it."""
    return _place(places.draft(caller.operator, ""))


@reads("/config/draft/{path:path}", tags=TAGS)
def draft_place(caller: Caller, path: PlacePath) -> Response[Any]:
    """One place of the draft; ETag names the draft as a whole. Null: a field that inherits."""
    with absent():
        return _place(places.draft(caller.operator, _bare(path)))


@reads("/config/committed", tags=TAGS)
def committed(caller: Caller) -> Response[dict[str, Any]]:
    """The whole document that is in force; ETag is the revision's number."""
    with absent():
        return _place(places.committed(caller.operator, ""))


@reads("/config/committed/{path:path}", tags=TAGS)
def committed_place(caller: Caller, path: PlacePath) -> Response[Any]:
    """One place of the document that is in force."""
    with absent():
        return _place(places.committed(caller.operator, _bare(path)))


@edits("/config/draft", litestar.put, tags=TAGS)
def put(caller: Caller, data: JSONBody[dict[str, Any]], if_match: IfMatch = None) -> Response[Pending]:
    """Replace the whole draft."""
    return _told(caller, "the document", places.put(caller.editing(if_match), "", data))


@edits("/config/draft/{path:path}", litestar.put, tags=TAGS)
def put_place(caller: Caller, path: PlacePath, data: JSONBody[Any], if_match: IfMatch = None) -> Response[Pending]:
    """Put a value at one place of the draft; entries and rows on the way are made where there are none."""
    return _told(caller, _bare(path), places.put(caller.editing(if_match), _bare(path), data))


@edits("/config/draft", litestar.patch, tags=TAGS)
def merge(caller: Caller, data: JSONBody[dict[str, Any]], if_match: IfMatch = None) -> Response[Pending]:
    """Merge a patch into the draft (RFC 7396): null takes out, a list is replaced whole."""
    return _told(caller, "the document", places.merge(caller.editing(if_match), "", data))


@edits("/config/draft/{path:path}", litestar.patch, tags=TAGS)
def merge_place(caller: Caller, path: PlacePath, data: JSONBody[Any], if_match: IfMatch = None) -> Response[Pending]:
    """Merge a patch into one place of the draft (RFC 7396)."""
    return _told(caller, _bare(path), places.merge(caller.editing(if_match), _bare(path), data))


@edits("/config/draft/{path:path}", litestar.delete, tags=TAGS)
def remove(caller: Caller, path: PlacePath, if_match: IfMatch = None) -> Response[Pending]:
    """Take an entry or a row out, or give a field its default back."""
    operator = caller.editing(if_match)
    with absent():
        places.draft(operator, _bare(path))
    return _told(caller, _bare(path), places.remove(operator, _bare(path)))


# --- the life of the draft -------------------------------------------------------------------------------------------


@reads("/config/pending", tags=TAGS)
def pending(caller: Caller) -> Response[Pending]:
    """What the draft would change, and what is wrong with it."""
    return result(configuration.pending(caller.operator))


@reads("/config/diff", tags=TAGS, media_type="text/plain")
def difference(caller: Caller) -> str:
    """What the draft would change, as a unified diff."""
    return configuration.difference_text(caller.operator)


@edits("/config/commit", tags=TAGS, responses=ACCEPTED)
async def commit(caller: Caller, data: JSONBody[Commit], if_match: IfMatch = None) -> Response[Committed]:
    """Make the draft the next revision, in the running gateway too."""
    operator = await to_thread.run_sync(caller.editing, if_match)

    def work(told: Told) -> Committed:
        done = configuration.commit(operator, data.comment, told)
        caller.tell(f"committed revision {done.revision}: {data.comment}")
        return done

    return await answered(caller, "commit", operator, work)


@edits("/config/clear", tags=TAGS)
def clear(caller: Caller, if_match: IfMatch = None) -> Cleared:
    """Give up all changes since the last commit."""
    lost = configuration.clear(caller.editing(if_match))
    caller.tell(f"cleared {len(lost)} changes")
    return Cleared(cleared=lost)


@reads("/config/revisions", tags=TAGS)
def log(caller: Caller, limit: Limit = 100) -> list[RevisionInfo]:
    """The revisions, the latest first."""
    return configuration.log(caller.operator, limit)


@reads("/config/revisions/{number:int}", tags=TAGS)
def revision(caller: Caller, number: Number) -> Document:
    """One revision with its document, keys masked."""
    with absent():
        found = configuration.revision(caller.operator, number)
    return Document(
        number=found.number,
        time=found.time,
        author=found.author,
        comment=found.comment,
        document=to_tree(found.config),
    )


@acts("/config/revisions/{number:int}/rollback", role="administrator", tags=TAGS, responses=ACCEPTED)
async def rollback(caller: Caller, number: Number, data: JSONBody[Rollback]) -> Response[Committed]:
    """Commit an older revision's document once more; refused while changes wait, unless forced."""

    with absent():
        await to_thread.run_sync(configuration.revision, caller.operator, number)

    def work(told: Told) -> Committed:
        done = configuration.rollback(caller.operator, number, data.comment, told, force=data.force)
        caller.tell(f"committed revision {done.revision}, which is revision {number} once more: {data.comment}")
        return done

    return await answered(caller, "rollback", caller.operator, work)


def _place(found: places.Place) -> Response[Any]:
    octets = msgspec.json.encode(found.value)  # here, for Litestar takes a text for JSON already
    return Response(octets, media_type=MediaType.JSON, headers={"ETag": etag(found.tag)})


def _bare(path: str) -> str:
    return path.removeprefix("/")


def _told(caller: Caller, what: str, made: Pending) -> Response[Pending]:
    caller.tell(f"changed {what} in the draft")
    return result(made)


HANDLERS = (
    draft,
    draft_place,
    committed,
    committed_place,
    put,
    put_place,
    merge,
    merge_place,
    remove,
    pending,
    difference,
    commit,
    clear,
    log,
    revision,
    rollback,
)
