"""The answer to a page that was stale when it was sent: what changed meanwhile, and what was typed, to be sent once more.

The one answer for every form. Nothing was stored; what was typed goes into the draft as it stands now only when whoever
typed it has seen the difference and says so.
"""

from __future__ import annotations

from litestar.response import Template

from gatepost.admin.operations import stores
from gatepost.admin.web.address import host_of, parted
from gatepost.admin.web.desk import Desk
from gatepost.admin.web.forms import Form
from gatepost.admin.web.shown import Shown
from gatepost.config.diff import differences, unified
from gatepost.errors import Conflict

_HIDDEN = ("password", "passphrase", "private_key", "key")
_LONG = 400


def conflict_page(desk: Desk, fault: Conflict) -> Template:
    """Return the page, with status 409."""
    sent, form = desk.operator.tag, desk.sent if isinstance(desk.sent, Form) else Form()
    shown: Shown = desk.request.app.state.shown
    tag = shown.read(desk.operator)
    is_stale = bool(sent) and sent != tag
    before = shown.find(sent)
    with stores.opened(desk.operator) as store:
        since, now = stores.base(store) if before is None else before, store.draft().config
    return desk.page(
        "conflict.html",
        title="Somebody else was faster" if is_stale else "This cannot be done now",
        status_code=409,
        text=str(fault),
        is_stale=is_stale,
        is_known=before is not None,
        changes=differences(since, now),
        difference=unified(since, now, "when the page was opened" if before is not None else "committed", "now"),
        typed=[(name, _told(name, value)) for name, value in form.items() if value],
        has_files=bool(form.files),
        form=form,
        tag=tag,
        path=desk.path,
        back=_back(desk),
    )


def _told(name: str, value: str) -> str:
    """Return a value as it may stand on a page."""
    if any(name.endswith(secret) for secret in _HIDDEN):
        return "(not shown)"
    return value if len(value) <= _LONG else f"{value[:_LONG]}… ({len(value):,} characters)"


def _back(desk: Desk) -> str:
    """Return the page that the form was on."""
    host, path = parted(desk.request.headers.get("Referer", ""))
    return path if host == host_of(desk.request) and path and not path.startswith("//") else "/"
