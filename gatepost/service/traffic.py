"""What goes on at the moment: who is connected, what each destination gets, and having connections come to an end.

`TrafficVerbs` answers for one worker, `together` adds up the answers of all. Touches no mail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from gatepost.errors import ControlError
from gatepost.inbound.listener import Inbound
from gatepost.outbound.scheduler import Scheduler

SUMS = ("delivered", "soft_bounced", "deleted", "connections", "pending")


class TrafficVerbs:
    """The verbs on a worker's connections."""

    def __init__(self, inbound: Inbound, scheduler: Scheduler) -> None:
        self._inbound, self._scheduler = inbound, scheduler

    def serve(self, verb: str, arguments: dict[str, Any]) -> Any:
        """Answer a verb; ControlError for one that is not known."""
        match verb:
            case "hosts":
                domain = arguments.get("domain", "")
                return {name: self._scheduler.host(name) for name in ([domain] if domain else self._scheduler.domains())}
            case "connections":
                return [[*place, count] for place, count in self._inbound.connections().items()]
            case "drain":
                return self._drain(**arguments)
        raise ControlError(f"unknown verb {verb!r}")

    def _drain(self, listeners: list[str], abruptly: bool = False) -> dict[str, int]:
        """Have the connections on these listeners end; return how many are left there, and how many deliveries."""
        if listeners:
            self._inbound.close(listeners, abruptly=abruptly)
        left = sum(self._inbound.connections(listeners).values()) if listeners else 0
        return {"inbound": left, "outbound": self._scheduler.under_way}


def together(answers: Iterable[dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Add up what several workers say of each destination."""
    total: dict[str, dict[str, Any]] = {}
    for answer in answers:
        for domain, counts in answer.items():
            known = total.setdefault(domain, counts)
            if known is counts:
                continue
            for name in SUMS:
                known[name] += counts[name]
            known["hard_bounced"] = dict(Counter(known["hard_bounced"]) + Counter(counts["hard_bounced"]))
            known["last_activity"] = max(known["last_activity"], counts["last_activity"])
            known["last_error"] = max(known["last_error"], counts["last_error"], key=lambda error: error["time"])
            known["down"] = known["down"] or counts["down"]
    return total
