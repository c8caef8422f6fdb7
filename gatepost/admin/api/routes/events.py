"""/events: what happens, as server-sent events."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar.params import HeaderParameter
from litestar.response import ServerSentEvent

from gatepost.admin.api import events
from gatepost.admin.api.caller import Caller
from gatepost.admin.api.problems import Refused
from gatepost.admin.api.routing import reads

TAGS = ["Events"]


@reads("/events", tags=TAGS, media_type="text/event-stream")
async def stream(
    caller: Caller,
    only: Literal["log", "job"] | None = None,
    last_event_id: Annotated[str, HeaderParameter(name="Last-Event-ID", description="Go on behind this event.")] = "",
) -> ServerSentEvent:
    """New lines of mail_logs (`log`) and how jobs come on (`job`), until the client leaves, or for an hour at most."""
    streams: set[object] = caller.request.app.state.streams
    if len(streams) >= events.MAX_STREAMS:
        raise Refused(429, "too many streams are open", headers={"Retry-After": "30"})
    wanted: events.Wanted = ("log", "job") if only is None else (only,)
    return ServerSentEvent(events.stream(caller, streams, wanted, last_event_id))


HANDLERS = (stream,)
