"""The journal of one process: what happened, told to the log, the records and the counters.

Everything here returns within a microsecond or so and neither blocks, waits nor raises: lines and records go into bounded
lists, and two threads write them, the log five times a second and the records twice. Two, because a records database that is
locked for a second must not hold up the log. A process that is killed loses at most what its threads had not written.

A failing disk costs lines and records, never mail: see `records.logwriter` and `records.recordwriter`.
"""

from __future__ import annotations

from pathlib import Path
from time import asctime, localtime, monotonic, time

from gatepost.records.backlog import Backlog, note
from gatepost.records.logfile import ROTATE_BYTES, LogFile
from gatepost.records.logwriter import CHUNK_LINES, LogWriter
from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.recordwriter import RESERVE, RecordWriter
from gatepost.records.tables import Record
from gatepost.records.tls_record import TlsRecord

MAX_LINES = 100_000
MAX_RECORDS = 50_000
"""Some 75 MB of records, as much as a busy worker makes in half a minute."""
CHUNK_RECORDS = 2000
LOG_SECONDS = 0.2
RECORDS_SECONDS = 0.5
CLOSE_SECONDS = 3.0
KEEPER = 0
"""The worker that rotates the log and purges the records."""


class Journal:
    """One per process, made after the last fork. `worker` -1: the master, or a command that runs without the service."""

    def __init__(
        self,
        state: Path,
        worker: int,
        *,
        retention_days: int = 30,
        verbose: bool = False,
        rotate_bytes: int = ROTATE_BYTES,
        max_lines: int = MAX_LINES,
        max_records: int = MAX_RECORDS,
        reserve: int = RESERVE,
    ) -> None:
        self.verbose = verbose
        """Whether Debug lines are kept."""
        keeper = worker == KEEPER
        self._second = -1
        self._stamp = ""
        self._log = LogWriter(LogFile(state / "log" / "mail_logs", rotate_bytes if keeper else 0))
        self._store = RecordWriter(state, worker, self.warning, reserve=reserve)
        self._keeper = keeper
        self.retain(retention_days)
        self._lines: Backlog[str] = Backlog(
            "journal-log", self._log.write, limit=max_lines, chunk=CHUNK_LINES, seconds=LOG_SECONDS
        )
        self._records: Backlog[Record] = Backlog(
            "journal-records", self._store.write, limit=max_records, chunk=CHUNK_RECORDS, seconds=RECORDS_SECONDS
        )
        self._lines.start()
        self._records.start()

    def info(self, text: str) -> None:
        """Log what happened; `text` comes from `records.maillog`."""
        now = int(time())
        if now != self._second:
            self._turn(now)
        self._lines.put(f"{self._stamp} Info: {text}\n")

    def infos(self, *texts: str) -> None:
        """Log what happened at once, in several lines."""
        now = int(time())
        if now != self._second:
            self._turn(now)
        head = f"{self._stamp} Info: "
        self._lines.put_all([f"{head}{text}\n" for text in texts])

    def warning(self, text: str) -> None:
        """Log what an operator should look at."""
        self._line("Warning", text)

    def critical(self, text: str) -> None:
        """Log what an operator must look at."""
        self._line("Critical", text)

    def debug(self, text: str) -> None:
        """Log what only a search for a fault needs."""
        if self.verbose:
            self._line("Debug", text)

    def tls(self, record: TlsRecord) -> None:
        """Keep the record of a connection; once, when it ends."""
        self._records.put(record)

    def message(self, record: MessageRecord) -> None:
        """Keep the record of a message; once, when it is accepted."""
        self._records.put(record)

    def outcome(self, record: OutcomeRecord) -> None:
        """Keep what became of one recipient in one attempt."""
        self._records.put(record)

    @property
    def lines_lost(self) -> int:
        """Log lines dropped since the start."""
        return self._lines.dropped

    @property
    def records_lost(self) -> int:
        """Records dropped since the start."""
        return self._records.dropped + self._store.bad

    def retain(self, days: int) -> None:
        """Keep records for so long, 0 for ever; a commit may have changed it."""
        self._store.retention_days = days if self._keeper else 0

    def reopen(self) -> None:
        """Open the log file anew (SIGHUP)."""
        self._log.reopen()

    def close(self) -> None:
        """Write what there is, in at most CLOSE_SECONDS."""
        deadline = monotonic() + CLOSE_SECONDS
        # The records first: what they have to say about themselves goes into the log.
        if self._records.close(CLOSE_SECONDS * 2 / 3):
            self._store.close()
        if self._lines.close(deadline - monotonic()):
            self._log.close()
        if left := len(self._lines) + len(self._records):
            note(f"{left} log lines and records could not be written before the end")

    def _line(self, level: str, text: str) -> None:
        now = int(time())
        if now != self._second:
            self._turn(now)
        self._lines.put(f"{self._stamp} {level}: {text}\n")

    def _turn(self, now: int) -> None:
        # The stamp before its second: another thread may log between the two.
        self._stamp = asctime(localtime(now))
        self._second = now
