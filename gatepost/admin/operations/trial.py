"""A test message from end to end: sent through a listener, found again in the records, and judged in one sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from gatepost.admin import try_message
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.admin.operations.tables import listener_of
from gatepost.admin.try_message import Sent
from gatepost.admin.try_plan import Plan, make_plan
from gatepost.errors import GatepostError
from gatepost.records.search import RecordSearch, Tracked

WAIT = 15.0
"""Seconds for the records and the first attempt of delivery."""
STEP = 0.2


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How a test message fared."""

    plan: Plan
    ok: bool
    verdict: str
    dialogue: list[str]
    sent: Sent | None = None
    tracked: Tracked | None = None
    kept_in: str = ""
    """File of the demo inside server that holds it."""


def attempt(
    operator: Operator,
    tell: Callable[[str], None],
    *,
    sender: str = "",
    recipient: str = "",
    listener: str = "",
    size: int = 0,
    clear: bool = False,
    source: str = "",
) -> Trial:
    """Send one message and follow it; `tell` gets each line of the dialogue as it happens."""
    config = load(operator).config
    name, chosen = listener_of(config, listener)
    plan = make_plan(config, name, chosen, sender=sender, recipient=recipient, size=size, clear=clear, source=source)
    dialogue: list[str] = []

    def note(line: str) -> None:
        dialogue.append(line)
        tell(line)

    try:
        sent = try_message.run(plan, note)
    except GatepostError as fault:
        return Trial(plan=plan, ok=False, verdict=f"Not sent: {fault}", dialogue=dialogue)
    tracked = _follow(operator, plan)
    kept = _kept(operator.state / "demo-inbox", plan)
    ok, verdict = _judge(plan, sent, tracked)
    return Trial(
        plan=plan, ok=ok, verdict=verdict, dialogue=dialogue, sent=sent, tracked=tracked, kept_in=str(kept) if kept else ""
    )


def _follow(operator: Operator, plan: Plan) -> Tracked | None:
    """Wait until the records tell what became of the message and of its connections; return what they have by then."""
    search = RecordSearch(operator.state)
    until = time.monotonic() + WAIT
    tracked: Tracked | None = None
    while time.monotonic() < until:
        known = search.track(message_id=plan.token, limit=1)
        tracked = search.message(known[0].mid) if known else None
        if tracked is not None and tracked.outcomes and _connections_known(tracked):
            break
        time.sleep(STEP)
    return tracked


def _connections_known(tracked: Tracked) -> bool:
    return any(one.direction == "in" for one in tracked.connections)


def _kept(inbox: Path, plan: Plan) -> Path | None:
    if not inbox.is_dir():
        return None
    for path in sorted(inbox.glob("*.eml"), key=lambda one: one.stat().st_mtime, reverse=True)[:50]:
        if plan.token.encode() in path.read_bytes()[:16384]:
            return path
    return None


def _judge(plan: Plan, sent: Sent, tracked: Tracked | None) -> tuple[bool, str]:
    came = "in clear text"
    if sent.tls is not None:
        group = f" with group {sent.tls.group}" if sent.tls.group else ""
        came = f"over {sent.tls.protocol} {sent.tls.cipher}{group}"
    if tracked is None or tracked.message is None:
        return False, f"Accepted {came}, but the records do not show the message within {WAIT:g} seconds; see log/mail_logs."
    mid = tracked.message.mid
    if not tracked.outcomes:
        return False, f"MID {mid} was accepted {came} and is not delivered yet; `gatepost queue show {mid}` shows why."
    last = tracked.outcomes[-1]
    if last.outcome == "delivered":
        away = f"over {last.encrypted}" if last.encrypted else "in clear text"
        return True, f"Delivered: MID {mid} came {came} and went {away} to {last.peer or 'the next hop'}."
    return False, f"MID {mid} was accepted {came}, but for {plan.recipient} it is {last.outcome}: {last.reply}"
