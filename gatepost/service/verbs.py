"""The operator's verbs on running workers: put to every worker, answered as one.

Every worker has a part of the queue and none knows of the others. A worker that is down does not stop the rest: what can
be shown is shown, what can be done is done, and the answer says what is missing. Knows no socket and no process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from gatepost.config.paths import did_you_mean
from gatepost.errors import ControlError
from gatepost.service import traffic
from gatepost.service.children import Child
from gatepost.service.suspension import Suspension

SUSPENSIONS = {"suspend_delivery", "resume_delivery", "suspend_listener", "resume_listener"}
COUNTED = {"deliver_now", "bounce", "delete", "redirect"}


class Verbs:
    """What operators want of the workers; what they suspend holds for workers that start later, too."""

    def __init__(self, children: Sequence[Child], listeners: Callable[[], Collection[str]], suspension: Suspension) -> None:
        self._children, self._listeners, self._suspension = children, listeners, suspension
        self._keeping = asyncio.Lock()

    def serve(self, verb: str, arguments: dict[str, Any]) -> Any:
        """Answer a verb; ControlError for one that is not known."""
        if verb == "queue_list":
            return self._queue_list(**arguments)
        if verb in ("queue_show", "queue_content"):
            return self._of_message(verb, **arguments)
        if verb == "queue_count":
            return self._queue_count(arguments)
        if verb == "queue_oldest":
            return self._oldest()
        if verb in ("hosts", "connections", "drain"):
            return self._traffic(verb, arguments)
        if verb in COUNTED:
            return self._counted(verb, arguments)
        if verb in SUSPENSIONS:
            return self._suspend(verb, arguments)
        raise ControlError(f"unknown verb {verb!r}")

    @property
    def suspended(self) -> set[str]:
        """The listeners that are suspended."""
        return self._suspension.listeners & set(self._listeners())

    @property
    def deliveries_suspended(self) -> bool:
        """Whether delivery is suspended."""
        return self._suspension.deliveries

    def suspension(self) -> dict[str, Any]:
        """Return all that is suspended, as a worker is told it."""
        return {"listeners": sorted(self.suspended), "deliveries": self.deliveries_suspended}

    async def _suspend(self, verb: str, arguments: dict[str, Any]) -> None:
        """Change what is suspended and tell every worker the whole of it; those that start are told then."""
        known = set(self._listeners())
        names = set(arguments.get("names") or known)
        if unknown := names - known:
            which = sorted(unknown)
            raise ControlError(f"there is no listener {', '.join(which)}: {did_you_mean(which[0], sorted(known))}")
        match verb:
            case "suspend_delivery" | "resume_delivery":
                self._suspension.deliveries = verb == "suspend_delivery"
            case "suspend_listener":
                self._suspension.listeners |= names
            case "resume_listener":
                self._suspension.listeners -= names
        up = [child for child in self._children if child.up]
        for child in up:
            child.order("suspension", **self.suspension())
        # an answer comes behind the order: the operator hears "done" when it is
        await asyncio.gather(*(child.ask("ping") for child in up), return_exceptions=True)
        async with self._keeping:  # last: what cannot be kept for a restart holds until then
            await asyncio.to_thread(self._suspension.keep)

    async def _ask(self, verb: str, arguments: dict[str, Any]) -> tuple[list[Any], list[int]]:
        """Ask every worker that is up; return the answers, and which workers are down."""
        up = [child for child in self._children if child.up]
        down = [child.index for child in self._children if not child.up]
        if not up:
            raise ControlError(f"no worker serves at the moment: {self._why(down)}")
        answers = await asyncio.gather(*(child.ask(verb, **arguments) for child in up))
        return answers, down

    def _why(self, down: Collection[int]) -> str:
        reasons = [child.reason or "it is just being started" for child in self._children if child.index in down]
        return "; ".join(f"worker {index}: {reason}" for index, reason in zip(sorted(down), reasons, strict=True))

    async def _counted(self, verb: str, arguments: dict[str, Any]) -> dict[str, int]:
        answers, down = await self._ask(verb, arguments)
        count = sum(answers)
        if down and not (count and arguments.get("mid")):
            raise ControlError(
                f"it was done for {count} recipients, but a part of the queue is out of reach ({self._why(down)}); "
                "repeat it when that worker is back"
            )
        return {"recipients": count}

    async def _queue_count(self, arguments: dict[str, Any]) -> dict[str, Any]:
        answers, down = await self._ask("queue_count", arguments)
        return {"recipients": sum(answers), "out_of_reach": self._why(down)}

    async def _oldest(self) -> float:
        answers, _ = await self._ask("queue_oldest", {})
        return min(filter(None, answers), default=0.0)

    async def _traffic(self, verb: str, arguments: dict[str, Any]) -> Any:
        """What goes on at the moment is on workers that are up; of the others nothing is open."""
        answers, _ = await self._ask(verb, arguments)
        if verb == "hosts":
            return traffic.together(answers)
        if verb == "connections":
            return [row for answer in answers for row in answer]
        return {side: sum(answer[side] for answer in answers) for side in ("inbound", "outbound")}

    async def _queue_list(
        self, destination: str = "", limit: int = 100, offset: int = 0, sender: str | None = None
    ) -> dict[str, Any]:
        arguments = {"destination": destination, "sender": sender, "limit": limit + offset, "offset": 0}
        answers, down = await self._ask("queue_list", arguments)
        messages = sorted((message for answer in answers for message in answer["messages"]), key=lambda item: item["mid"])
        return {
            "destinations": by_destination(row for answer in answers for row in answer["destinations"]),
            "messages": messages[offset : offset + limit],
            "out_of_reach": self._why(down),
        }

    async def _of_message(self, verb: str, mid: int, **arguments: Any) -> Any:
        answers, down = await self._ask(verb, {"mid": mid, **arguments})
        for answer in answers:
            if answer is not None:
                return answer
        if down:
            raise ControlError(f"MID {mid} is not in the part of the queue that is in reach; {self._why(down)}")
        return None


def by_destination(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up what waits for each destination in several shards, most first."""
    total: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = total.setdefault(row["destination"], {**row, "recipients": 0, "held": 0, "untried": 0, "next_due": 0.0})
        known["recipients"] += row["recipients"]
        for part in ("held", "untried"):
            known[part] += row.get(part, 0)
        moments = [moment for moment in (known["next_due"], row["next_due"]) if moment]
        known["next_due"] = min(moments, default=0.0)
    return sorted(total.values(), key=lambda row: (-row["recipients"], row["destination"]))
