"""What TLS costs here, measured anew at the push of a button while the page shows how far it is.

One measurement at a time, whoever asked for it: two would disturb each other. In memory of the admin process; the figures
themselves are kept by `operations.costs`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from gatepost.admin.operations import costs
from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from gatepost.records.backlog import note
from gatepost.tls.cost import SECONDS


@dataclass(frozen=True)
class Progress:
    """How far a measurement is."""

    runs: bool = False
    doing: str = ""
    done: int = 0
    of: int = 1
    fault: str = ""
    """Why the latest one came to nothing."""


class Measuring:
    """The measurement that runs, or ran last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress = Progress()

    @property
    def progress(self) -> Progress:
        """Where it stands."""
        return self._progress

    def start(self, operator: Operator, *, seconds: float = SECONDS) -> bool:
        """Begin in a thread of its own; False where one runs already."""
        with self._lock:
            if self._progress.runs:
                return False
            self._progress = Progress(runs=True, doing="getting ready")
        threading.Thread(target=self._run, args=(operator, seconds), daemon=True).start()
        return True

    def _run(self, operator: Operator, seconds: float) -> None:
        fault = "it ended by a fault of the program; the log has it"
        try:
            costs.measure(operator, self._told, seconds=seconds)
            fault = ""
        except GatepostError as error:
            fault = str(error)
        except Exception as bug:  # nobody waits for this thread, and a page that says "measuring" for ever would lie
            note(f"web console: bug while measuring: {bug!r}")
        finally:
            self._progress = Progress(fault=fault)

    def _told(self, doing: str, done: int, of: int) -> None:
        self._progress = Progress(runs=True, doing=doing, done=done, of=max(of, 1))
