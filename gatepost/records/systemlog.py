"""The lines of mail_logs that tell of the gateway itself: configuration, alarms, processes, the log's own troubles.

As in `records.maillog`, one function words one line and nothing else does. The model words these otherwise or not at all, so
they are ours: one sentence that names the cause.
"""

from __future__ import annotations

import traceback

from gatepost.records.printable import printable


def config_committed(revision: int, author: str, comment: str) -> str:
    """A configuration went live."""
    return f"Configuration revision {revision} committed by {printable(author)}: {printable(comment)}"


def config_refused(author: str, problems: int) -> str:
    """A commit was refused whole."""
    return f"Configuration draft by {printable(author)} refused: {problems} problem{'' if problems == 1 else 's'}"


def config_damaged(path: str, revision: int) -> str:
    """The stored configuration cannot be read; the last good one serves on."""
    return f"Configuration store {printable(path)} is damaged; revision {revision} stays in force"


def spool_full(free: int, floor: int) -> str:
    """New mail is answered 452 from now on."""
    return f"Spool: {free} octets free, below the floor of {floor}; new mail is refused with 452 until there is more"


def spool_recovered(free: int) -> str:
    """New mail is accepted again."""
    return f"Spool: {free} octets free; new mail is accepted again"


def spool_sick(shard: str, reason: str) -> str:
    """A shard's disk failed a write or a sync."""
    return f"Spool shard {printable(shard)} failed: {printable(reason)}; mail is answered 451"


def spool_damaged(path: str, action: str) -> str:
    """A spool file cannot be read; `action` says what was done with it."""
    return f"Spool file {printable(path)} is damaged: {printable(action)}"


def clock_jumped(seconds: float) -> str:
    """Wall clock and monotonic clock parted."""
    return f"Clock jumped {'forward' if seconds > 0 else 'back'} by {abs(seconds):.0f} s; time limits are not affected"


def service_started(version: str, workers: int) -> str:
    """The gateway is up."""
    return f"Gatepost {version} started with {workers} worker{'' if workers == 1 else 's'}"


def service_stopping(reason: str) -> str:
    """No new sessions from here on."""
    return f"Gatepost is stopping: {printable(reason)}"


def worker_ended(worker: int, pid: int, how: str) -> str:
    """A worker is gone without being told to; the master starts another on the same shard."""
    return f"Worker {worker} (process {pid}) ended: {printable(how)}; starting it again"


def bug(where: str, error: BaseException) -> str:
    """Something that has no name was raised: its kind, its text and the innermost places, still in one line."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{frame.name} {frame.filename}:{frame.lineno}" for frame in reversed(frames))
    return f"Bug in {printable(where)}: {type(error).__name__}: {printable(str(error))} at {printable(places) or 'nowhere'}"


def lines_lost(number: int, reason: str) -> str:
    """The log can be written again and says what it lacks."""
    lost = "1 log line was lost" if number == 1 else f"{number} log lines were lost"
    return f"{lost} while the log could not be written: {printable(reason)}"


def records_unwritable(reason: str) -> str:
    """Records wait in memory; mail goes on."""
    return f"Records cannot be written: {printable(reason)}; mail goes on, records are kept in memory as long as they fit"


def records_recovered(lost: int) -> str:
    """Records are written again."""
    return f"Records are written again; {lost} record{' was' if lost == 1 else 's were'} lost"


def records_damaged(path: str, aside: str, reason: str) -> str:
    """The records database was set aside, never deleted."""
    return f"Records database {path} is damaged ({printable(reason)}); it was set aside as {aside} and a new one begun"


def records_gap(worker: int) -> str:
    """A worker's last run ended without a flush."""
    return f"Worker {worker} ended without closing its records; those of its last second may be missing"
