"""Accepted means on disk, read from the system calls of the real service: no 250 leaves before what it promises was synced.

The gateway runs under strace. For each message that a client was told is accepted, the record of system calls must show, in
this order and each ended before the next began: the body file written and synced, its directory synced (large messages
only), the page with the message's envelope written to the WAL, the WAL synced, the 250 written to the socket.

The negative control is the same run with libeatmydata, which turns every sync into nothing: there each 250 must be found
wanting, or the check would prove nothing.
"""

from __future__ import annotations

import ctypes.util
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.documents import relay
from tests.support.gateway import gateway
from tests.support.judge import Sink
from tests.support.process import free_port, wait_for

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed (make system-deps)"),
]
EATMYDATA = ctypes.util.find_library("eatmydata")
CALLS = "trace=write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync"
SESSIONS, EACH = 4, 6
LARGE = b"0123456789" * 7 + b"\r\n"
ACCEPTED = re.compile(r"Message (\d+) accepted")
WAL = "the WAL was not synced"
BODY = "the body file was not synced before the WAL was written"
_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\(\d+<([^>]*(?:->[^>]*)?)>(.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)")


@dataclass
class Call:
    """One system call on one file or socket; `began` and `ended` are line numbers of the trace."""

    name: str
    target: str
    text: str
    began: int
    ended: int = -1
    failed: bool = False

    @property
    def is_sync(self) -> bool:
        return self.name in ("fsync", "fdatasync") and not self.failed


def calls_of(trace: Path) -> list[Call]:
    """Read what strace wrote; a call that another thread's interrupted stands on two lines."""
    calls: list[Call] = []
    open_calls: dict[str, Call] = {}
    for number, line in enumerate(trace.read_text(errors="replace").splitlines()):
        found = _LINE.match(line)
        assert found, line
        thread, rest = found.groups()
        if resumed := _RESUMED.match(rest):
            call = open_calls.pop(thread, None)
            if call is not None:
                call.ended, call.failed = number, " = -1 " in resumed[2]
        elif begun := _CALL.match(rest):
            call = Call(begun[1], begun[2], begun[3], number)
            calls.append(call)
            if rest.endswith("<unfinished ...>"):
                open_calls[thread] = call
            else:
                call.ended, call.failed = number, " = -1 " in begun[3]
    return calls


@dataclass
class Accepted:
    """What a client was told: `subject` names the message in the envelope that is stored."""

    mid: int
    subject: str
    large: bool


def unkept(calls: list[Call], accepted: list[Accepted], spool: Path) -> dict[int, str]:
    """Return the messages whose 250 came too early, each with what was lacking at that moment."""
    wal = str(spool / "shard-0.db-wal")
    bodies = str(spool / "shard-0")
    replies = {
        int(said[1]): call
        for call in calls
        if not call.target.startswith("/") and (said := ACCEPTED.search(call.text)) and "250 " in call.text
    }

    def synced(target: str, after: int, before: int) -> Call | None:
        """The first sync of a file that began after one line and ended before another."""
        fit = (call for call in calls if call.is_sync and call.target == target and after < call.began)
        return next((call for call in fit if 0 <= call.ended < before), None)

    def fault(one: Accepted) -> str:
        reply = replies[one.mid].began
        written = [c for c in calls if c.name == "pwrite64" and c.target == wal and f"{one.subject}." in c.text]
        if not written or not 0 <= written[0].ended < reply:
            return "the WAL does not hold it"
        if one.large:
            body = f"{bodies}/{one.mid}"
            last = max((c.ended for c in calls if c.name == "write" and c.target == body), default=-1)
            if last < 0:
                return "the body file was not written"
            file = synced(body, last, written[0].began)
            if file is None:
                return BODY
            if synced(bodies, file.ended, written[0].began) is None:
                return "the directory of the body file was not synced before the WAL was written"
        return "" if synced(wal, written[0].ended, reply) else WAL

    return {one.mid: why for one in accepted if (why := fault(one))}


def send(port: int, session: int) -> list[Accepted]:
    """Send messages of one session, every third a large one; return what was accepted."""
    told: list[Accepted] = []
    with Client(port, timeout=60) as client:
        client.ehlo()
        for number in range(EACH):
            subject, large = f"promise-{session}-{number}", number % 3 == 2
            head = f"Subject: {subject}.\r\n\r\n".encode()
            answer = client.message(head + LARGE * (4500 if large else 4))
            found = ACCEPTED.search(answer)
            assert answer.startswith("250"), answer
            assert found
            told.append(Accepted(int(found[1]), subject, large))
    return told


def traced_run(directory: Path, **env: str) -> tuple[list[Call], list[Accepted], Path]:
    """Run a gateway from its start to its end under strace, with sessions side by side."""
    trace, port = directory / "trace", free_port()
    # -D: strace is the child, so that signals of ours reach the gateway itself
    before = ("strace", "-D", "-f", "-yy", "-q", "--seccomp-bpf", "-s", "4200", "-o", str(trace), "-e", CALLS)
    with Sink() as sink, gateway(directory, relay(port, sink.port), start=False) as one:
        one.start(1, before=before, env=env)
        with ThreadPoolExecutor(SESSIONS) as pool:
            accepted = [told for part in pool.map(lambda session: send(port, session), range(SESSIONS)) for told in part]
        wait_for(lambda: len(sink.taken) == len(accepted), "all is delivered")
        master = one.process.pid if one.process else 0
        assert one.stop() == 0
        wait_for(lambda: re.search(rf"^{master} +\+\+\+ exited", trace.read_text(errors="replace"), re.M), "strace is done")
        return calls_of(trace), accepted, one.state / "spool"


def test_no_250_comes_before_what_it_promises_is_synced(tmp_path: Path) -> None:
    calls, accepted, spool = traced_run(tmp_path)
    assert len({one.mid for one in accepted}) == SESSIONS * EACH
    assert sum(one.large for one in accepted) == SESSIONS * (EACH // 3)
    assert unkept(calls, accepted, spool) == {}
    first = min(call.began for call in calls if ACCEPTED.search(call.text))
    made = [call for call in calls if call.is_sync and call.target in (str(spool), str(spool.parent)) and call.ended < first]
    assert {call.target for call in made} == {str(spool), str(spool.parent)}, "the names of the new files are durable, too"


@pytest.mark.skipif(not EATMYDATA, reason="libeatmydata is not installed (make system-deps)")
def test_the_check_sees_a_service_that_does_not_sync(tmp_path: Path) -> None:
    calls, accepted, spool = traced_run(tmp_path, LD_PRELOAD=str(EATMYDATA))
    assert not [call for call in calls if call.is_sync], "libeatmydata is at work"
    assert unkept(calls, accepted, spool) == {one.mid: BODY if one.large else WAL for one in accepted}
