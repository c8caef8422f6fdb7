"""The gateway's counters over time: since the start, since they were reset, for ever, and how fast they run (asyncos.md 9).

Kept by the master from what the workers report. The file `counters.json` carries them over a restart; it is written once a
minute and at the end, so that a crash costs the counts of a minute and never mail. Counts what operators ask for, no more.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gatepost.durable import replace_file

NAMES = (
    "messages_accepted",
    "recipients_in{accepted}",
    "recipients_in{rejected}",
    "recipients{delivered}",
    "recipients{deferred}",
    "recipients{bounced}",
    "recipients{deleted}",
)
STEP = 15.0
"""Seconds between two samples for the rates."""
SPANS = (60, 300, 900)
"""Seconds over which rates are told; over less than the first none is, or the first second of a gateway tells thousands."""
SAVE = 60.0


class Tally:
    """Counters of all workers; `look` says how they stand since the start."""

    def __init__(self, state: Path, look: Callable[[], Mapping[str, float]]) -> None:
        self._path = state / "counters.json"
        self._look = look
        self._before, self._at_reset, self._reset_at = self._read()
        self._samples: deque[tuple[float, dict[str, float]]] = deque(maxlen=int(SPANS[-1] / STEP) + 1)

    async def run(self) -> None:
        """Take samples and keep the file up to date."""
        saved = 0.0
        while True:
            now = time.monotonic()
            self.sample(now)
            if now - saved >= SAVE:
                saved = now
                await asyncio.to_thread(self.save)  # a slow disk must not hold up the master
            await asyncio.sleep(STEP)

    def sample(self, now: float) -> None:
        """Remember how the counters stand at a monotonic time."""
        self._samples.append((now, self._uptime()))

    def reset(self) -> None:
        """Begin a new count since the reset."""
        self._at_reset, self._reset_at = self._lifetime(), time.time()
        self.save()

    def told(self) -> dict[str, Any]:
        """Return for each counter its value since the reset, since the start and for ever, and its rates an hour."""
        uptime, lifetime, now = self._uptime(), self._lifetime(), time.monotonic()
        since = {span: self._sample_before(now - span) for span in SPANS}
        return {
            "reset_at": self._reset_at,
            "totals": {name: [lifetime[name] - self._at_reset.get(name, 0), uptime[name], lifetime[name]] for name in NAMES},
            "rates": {
                name: [(uptime[name] - values[name]) * 3600 / max(SPANS[0], now - when) for when, values in since.values()]
                for name in NAMES
            },
        }

    def save(self) -> None:
        """Write the file; where that cannot be done, the counts of this run will be missing one day, and that is all."""
        page = json.dumps({"lifetime": self._lifetime(), "reset": self._at_reset, "reset_at": self._reset_at})
        try:
            replace_file(self._path, page.encode())
        except OSError:
            pass

    def _read(self) -> tuple[dict[str, float], dict[str, float], float]:
        try:
            found = json.loads(self._path.read_text())
            before, reset = ({name: float(found[part][name]) for name in NAMES} for part in ("lifetime", "reset"))
            return before, reset, float(found["reset_at"])
        except (OSError, ValueError, KeyError, TypeError):
            return dict.fromkeys(NAMES, 0.0), dict.fromkeys(NAMES, 0.0), 0.0

    def _uptime(self) -> dict[str, float]:
        counts = self._look()
        return {name: counts.get(name, 0.0) for name in NAMES}

    def _lifetime(self) -> dict[str, float]:
        return {name: self._before[name] + value for name, value in self._uptime().items()}

    def _sample_before(self, when: float) -> tuple[float, dict[str, float]]:
        """Return the newest sample that is as old as that, or the oldest there is."""
        older = [sample for sample in self._samples if sample[0] <= when]
        if older:
            return older[-1]
        return self._samples[0] if self._samples else (time.monotonic(), self._uptime())
