"""What a log that cannot be written costs: lines that wait, then lines that are dropped and counted, and never mail.

Runs in the journal's log thread. A full disk, a directory that may not be written and a FIFO without a reader all look the
same here: an OSError, one note on stderr, another try each second, and when it works again one line that says how many
lines are missing and why.
"""

from __future__ import annotations

from time import asctime, monotonic

from gatepost.records import maillog
from gatepost.records.backlog import note
from gatepost.records.logfile import LogFile

RETRY_SECONDS = 1.0
CHUNK_LINES = 5000


class LogWriter:
    """Appends batches of lines to `file`."""

    def __init__(self, file: LogFile) -> None:
        self._file = file
        self._told = 0
        self._reason = ""
        self._failing = False
        self._retry = 0.0
        self._reopen = False

    def reopen(self) -> None:
        """Open the file again before the next batch; callable from any thread."""
        self._reopen = True

    def write(self, lines: list[str], dropped: int) -> int:
        """Append `lines`; the number of them that are in the file. `dropped`: lines lost so far for want of room."""
        if self._reopen:
            self._reopen = False
            self._file.close()
            self._retry = 0.0
        if (not lines and dropped == self._told) or (self._failing and monotonic() < self._retry):
            return 0
        loss = b""
        if dropped > self._told and len(lines) < CHUNK_LINES:  # the backlog has been written out: say it here
            told = maillog.lines_lost(dropped - self._told, self._reason or "the disk was too slow")
            loss = f"{asctime()} Warning: {told}\n".encode()
        data = _joined(lines)
        done = self._append(data + loss)
        if done == len(data) + len(loss):
            self._told = dropped if loss else self._told
            return len(lines)
        return data.count(b"\n", 0, done)

    def close(self) -> None:
        """Let go of the file; the thread has ended."""
        self._file.close()

    def _append(self, data: bytes) -> int:
        """Octets that went out; a failure is told once, and looked at again after RETRY_SECONDS."""
        try:
            done = self._file.write(data)
        except OSError as error:
            self._fail(f"{error.strerror}: {error.filename}" if error.filename else error.strerror or str(error))
            return 0
        if done < len(data):
            self._fail("only a part could be written")
        else:
            self._failing = False
        return done

    def _fail(self, reason: str) -> None:
        self._retry = monotonic() + RETRY_SECONDS
        self._reason = reason
        if not self._failing:
            self._failing = True
            note(f"mail_logs cannot be written: {reason}; mail goes on")


def _joined(lines: list[str]) -> bytes:
    """The batch as it goes into the file: one line per event, even if a caller let a line end through."""
    # Lone surrogates (octets that were not UTF-8) cannot be encoded as they are.
    data = "".join(lines).encode("utf-8", "backslashreplace")
    if data.count(b"\n") != len(lines):
        mended = (line[:-1].replace("\n", "\\n") + "\n" for line in lines)
        data = "".join(mended).encode("utf-8", "backslashreplace")
    return data
