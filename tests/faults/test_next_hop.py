"""The next hop fails at each stage (faults.md 5.4): a real gateway against real smtp-sinks and scripted peers, all at once.

Each row is a domain with a next hop of its own. In a first run every hop does its worst; then a commit sends all mail to one
good host, and what was deferred goes there. So each row shows what the fault cost, and that nothing is delivered again but
where the next hop took the message and never said so. That all rows share one worker is part of the test: those that stay
silent, or do not read, delay no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.outbound import connection, dialogue, transaction
from gatepost.records.message_record import OutcomeRecord
from gatepost.records.search import RecordSearch
from gatepost.records.tables import outcomes
from tests.support.background import background
from tests.support.client import Client
from tests.support.documents import private_out
from tests.support.gateway import Gateway, gateway
from tests.support.outbound import BODY, Outbound, routed
from tests.support.peer import MODERN, Peer, serve
from tests.support.process import free_port, listening, running, wait_for
from tests.support.tls import issued

Verdict = Literal["delivered", "deferred", "bounced", "nothing"]
PLAIN = ("SIZE 50000000",)
LARGE = b"x" * 76 + b"\r\n"
LARGE_LINES = 120_000  # more than socket buffers hold
GATEWAY = """
[gateway]
hostname = "mx1.example.com"
"""


@dataclass(frozen=True)
class Row:
    """One fault: the hop that has it, and what it costs."""

    name: str
    verdict: Verdict
    said: str = ""
    """Part of the line that says so."""
    sink: str | None = None
    """Options of smtp-sink."""
    answers: Mapping[str, object] = field(default_factory=dict)
    """Of a scripted peer, where there is no sink."""
    extensions: tuple[str, ...] = MODERN
    second: bool = False
    """A good host stands behind it, at the next preference."""
    tls: str = "no"
    large: bool = False
    body: str = ""
    """Parameter of MAIL."""
    taken: int = 0
    """How often the bad hop gets the whole mail data, whatever it answers."""

    @property
    def domain(self) -> str:
        return f"{self.name}.example"


SOFT, HARD, BYE = "('450', ['4.3.0 Error: command failed'])", "('500', ['5.3.0 Error: command failed'])", "('421', ['4.0.0"
SINKS = [
    Row("greeting-5xx", "deferred", "4.3.0 - Other undefined status", sink="-f CONNECT"),
    Row("greeting-4xx", "deferred", SOFT, sink="-r CONNECT"),
    Row("greeting-close", "deferred", "4.4.2 - Bad connection", sink="-q CONNECT"),
    Row("greeting-5xx-next", "delivered", sink="-f CONNECT", second=True),
    Row("greeting-4xx-next", "delivered", sink="-r CONNECT", second=True),
    Row("greeting-close-next", "delivered", sink="-q CONNECT", second=True),
    Row("greeting-silent", "nothing", sink="-W CONNECT:600"),
    Row("ehlo-5xx", "delivered", sink="-f EHLO", taken=1),
    Row("ehlo-5xx-tls", "deferred", "does not offer STARTTLS; required", sink="-f EHLO", tls="required"),
    Row("ehlo-421", "deferred", BYE, sink="-Q EHLO"),
    Row("ehlo-close", "deferred", "4.4.2", sink="-q EHLO"),
    Row("no-esmtp", "delivered", sink="-e", taken=1),
    Row("no-esmtp-tls", "deferred", "does not offer STARTTLS; required", sink="-e", tls="required"),
    Row("mail-4xx", "deferred", SOFT, sink="-r MAIL"),
    Row("mail-5xx", "bounced", HARD, sink="-f MAIL"),
    Row("mail-close", "deferred", "4.4.2", sink="-q MAIL"),
    Row("mail-close-next", "delivered", sink="-q MAIL", second=True),
    Row("rcpt-4xx", "deferred", SOFT, sink="-r RCPT"),
    Row("rcpt-5xx", "bounced", HARD, sink="-f RCPT"),
    Row("rcpt-421", "deferred", BYE, sink="-Q RCPT"),
    Row("rcpt-close", "deferred", "4.4.2", sink="-q RCPT"),
    Row("data-4xx", "deferred", SOFT, sink="-r DATA"),
    Row("data-5xx", "bounced", HARD, sink="-f DATA"),
    Row("data-close", "deferred", "4.4.2", sink="-q DATA"),
    Row("data-550-before-the-dot", "bounced", "('550', ['This violates SMTP'])", sink="-A 0", large=True),
    Row("dot-4xx", "deferred", SOFT, sink="-r .", taken=1),
    Row("dot-5xx", "bounced", HARD, sink="-f .", taken=1),
    Row("dot-421", "deferred", BYE, sink="-Q .", taken=1),
    Row("dot-close", "deferred", "4.4.2", sink="-q .", taken=1),
    Row("dot-late", "delivered", sink="-W .:3", taken=1),
    Row("quit-close", "delivered", sink="-q QUIT", taken=1),
    Row("window-0", "nothing", sink="-H 600 -T 1024", large=True),
    Row("no-pipelining", "delivered", sink="-p", taken=1),
    Row("no-8bitmime", "delivered", sink="-8", taken=1),
    Row("no-8bitmime-8bit", "bounced", "5.6.3", sink="-8", body=" BODY=8BITMIME"),
]
NO_LISTENER = [Row("refused", "deferred", "4.4.1 - No answer from host"), Row("refused-next", "delivered", second=True)]
BURST = 5
"""Messages for `greeting-5xx`."""
DUE = {"CONNECT": 220, "EHLO": 250, "HELO": 250, "STARTTLS": 220, "MAIL": 250, "RCPT": 250, "DATA": 354, "END": 250}


def wrong_codes() -> Iterator[Row]:
    """Every step answered with every code that is due somewhere else."""
    for step, due in DUE.items():
        for code in (220, 221, 250, 354):
            for extensions in (MODERN, PLAIN):
                if code == due or (extensions is MODERN and step in ("DATA", "STARTTLS", "HELO")):
                    continue  # with CHUNKING there is no DATA
                kind = "chunked" if extensions is MODERN else "plain"
                tls = "preferred" if step == "STARTTLS" else "no"
                answers = {step: f"{code} wrong"} | ({"EHLO": "500 what?"} if step == "HELO" else {})
                offered = (*extensions, "STARTTLS") if step == "STARTTLS" else extensions
                name = f"wrong-{code}-{step.lower()}-{kind}"
                yield Row(name, "deferred", "", answers=answers, extensions=offered, tls=tls, taken=step == "END")


WRONG = list(wrong_codes())
QUITS = [Row(f"quit-{code}", "delivered", answers={"QUIT": f"{code} wrong"}, taken=1) for code in (220, 250, 354, 554)]
ROWS = [*SINKS, *NO_LISTENER, *WRONG, *QUITS]
MIXED = {
    "mixed-chunked": Row("mixed-chunked", "delivered"),
    "mixed-plain": Row("mixed-plain", "delivered", extensions=PLAIN),
    "mixed-pipelined": Row("mixed-pipelined", "delivered", extensions=("PIPELINING",)),
    "mixed-dot-4xx": Row("mixed-dot-4xx", "deferred", answers={"END": "451 4.3.0 later"}),
    "mixed-dot-5xx": Row("mixed-dot-5xx", "bounced", answers={"END": "554 5.6.0 never"}),
}


def by_address(line: str) -> str:
    """Answer RCPT: ann is taken, ben is not now, cat and dan never."""
    return "250 ok" if "<ann@" in line else "450 4.2.1 later" if "<ben@" in line else "550 5.1.1 unknown"


@dataclass
class Facts:
    """All that was seen of both runs."""

    mids: dict[str, list[int]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    first_log: str = ""
    log: str = ""
    queued: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """Recipients by MID between the runs."""
    left: dict[int, Any] = field(default_factory=dict)
    """The same at the end."""
    records: dict[int, list[OutcomeRecord]] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    """How often a domain's own hop had the mail data."""
    peers: dict[str, Peer] = field(default_factory=dict)
    good: Peer | None = None
    second: Peer | None = None
    sender: Peer | None = None

    def lines(self, mid: int) -> list[str]:
        """Return the log lines about a message."""
        return [line for line in self.log.splitlines() if re.search(rf"\bMID {mid}\b", line)]

    def outcomes(self, mid: int) -> dict[int, list[str]]:
        """Return what the records say became of each recipient, attempt by attempt; what was only put off is no attempt."""
        found: dict[int, list[str]] = {}
        for record in self.records[mid]:
            found.setdefault(record.rid, []).append(record.outcome)
        return found

    def taken(self, peer: Peer | None, address: str) -> int:
        """Return how often a peer took mail for an address."""
        assert peer is not None
        return sum(f"<{address}>" in line for message in peer.messages for line in message.rcpt)

    def notices(self, row: str) -> list[str]:
        """Return the notifications that the sender of a row got."""
        assert self.sender is not None
        return [
            message.octets.decode() for message in self.sender.messages if f"<from-{row}@sender.example>" in message.rcpt[0]
        ]


def smtp_sink(options: str, port: int, dumps: Path) -> list[str]:
    user = ["-u", "root"] if os.geteuid() == 0 else []  # without -u it refuses to run as root
    return ["smtp-sink", *user, *options.split(), "-d", f"{dumps}/m.", f"127.0.0.1:{port}", "100"]


def submit(client: Client, row: Row, number: int, *boxes: str) -> int:
    """Hand a message in; return its MID."""
    lines = [f"MAIL FROM:<from-{row.name}@sender.example>{row.body}"]
    lines += [f"RCPT TO:<{box}@{row.domain}>" for box in boxes or ("ann",)]
    for line in lines:
        answer = client.say(line)
        assert answer.startswith("250"), answer
    assert client.say("DATA").startswith("354")
    body = LARGE * LARGE_LINES if row.large else "é\r\n".encode() if row.body else b"text\r\n"
    client.send(f"Subject: {row.name} {number}\r\n\r\n".encode() + body + b".\r\n")
    answer = client.reply()
    found = re.match(r"250 2\.0\.0 ok:  Message (\d+) accepted", answer)
    assert found, answer
    return int(found[1])


def queue(one: Gateway) -> dict[int, list[dict[str, Any]]]:
    """Return what waits, by MID."""
    answer = one.ask("queue_list", limit=1000, offset=0, destination="")
    return {message["mid"]: message["recipients"] for message in answer["messages"]}


def routes(hops: Mapping[str, list[str]], port: int, sender: int, rows: list[Row]) -> str:
    destinations = "".join(f'[destinations."{row.domain}"]\ntls = "{row.tls}"\n' for row in rows)
    table = "".join(f'"{domain}" = {hosts}\n' for domain, hosts in hops.items())
    table += f'"sender.example" = ["127.0.0.1:{sender}"]\n'
    return f'{GATEWAY}{private_out(port)}{destinations}[destinations."sender.example"]\ntls = "no"\n[routes]\n{table}'


def server_tls(directory: Path) -> ssl.SSLContext:
    file = directory / "good.pem"
    pair = issued("good.example")
    file.write_text(pair.certificate + pair.private_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facts]:
    directory = tmp_path_factory.mktemp("next-hop")
    seen = Facts()
    seen.good, seen.second, seen.sender = Peer(tls=server_tls(directory)), Peer(), Peer()
    for row in [*WRONG, *QUITS, *MIXED.values()]:
        answers = {**row.answers, "RCPT": by_address} if row.name in MIXED else row.answers
        seen.peers[row.name] = Peer(answers=answers, extensions=row.extensions)
    with contextlib.ExitStack() as stack:
        stack.enter_context(background(seen.good, seen.second, seen.sender, *seen.peers.values()))
        dumps = {row.name: directory / row.name for row in SINKS}
        sinks = contextlib.ExitStack()
        stack.callback(sinks.close)
        for row in SINKS:
            seen.ports[row.name] = free_port()
            assert row.sink is not None
            command = smtp_sink(row.sink, seen.ports[row.name], dumps[row.name])
            sinks.enter_context(running(*command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        seen.ports |= {row.name: free_port() for row in NO_LISTENER}
        seen.ports |= {name: peer.port for name, peer in seen.peers.items()}
        rows = [*ROWS, *MIXED.values()]
        hops = {row.domain: [f"127.0.0.1:{seen.ports[row.name]}"] for row in rows}
        for row in rows:
            if row.second:
                hops[row.domain].append(f"127.0.0.1:{seen.second.port}/pri=10")
        port = free_port()
        for row in SINKS:
            if "CONNECT" not in (row.sink or ""):
                wait_for(lambda row=row: listening(seen.ports[row.name]), f"smtp-sink {row.sink}")  # type: ignore[misc]
        one = stack.enter_context(gateway(directory, routes(hops, port, seen.sender.port, rows)))
        _first(seen, one, port)
        sinks.close()
        good = routes({"ALL": [f"127.0.0.1:{seen.good.port}"]}, port, seen.sender.port, rows)
        one.commit(examine(good.encode(), Config()).accepted())
        _second(seen, one)
        for name, place in dumps.items():
            seen.ends[name] = sum(b"\ntext\n" in file.read_bytes() for file in place.glob("m.*"))
        for name, peer in seen.peers.items():
            seen.ends[name] = sum(len(session.messages) for session in peer.sessions)
        yield seen


def _first(seen: Facts, one: Gateway, port: int) -> None:
    with Client(port, timeout=60) as client:
        client.ehlo()
        for row in [*ROWS, *MIXED.values()]:
            boxes = ("ann", "ben", "cat", "dan") if row.name in MIXED else ()
            copies = BURST if row.name == "greeting-5xx" else 1
            seen.mids[row.name] = [submit(client, row, number, *boxes) for number in range(copies)]
    silent = {seen.mids[row.name][0] for row in ROWS if row.verdict == "nothing"}

    def settled() -> bool:
        log = one.log()
        return all(
            re.search(rf"(Delayed|Bounced|done|pending till).*\bMID {mid}\b|\bMID {mid}\b.*(pending till|done)", log)
            for mids in seen.mids.values()
            for mid in mids
            if mid not in silent
        )

    with contextlib.suppress(AssertionError):  # which row hangs, the tests tell
        wait_for(settled, "every row has come to something", 30)
    seen.first_log, seen.queued = one.log(), queue(one)


def _second(seen: Facts, one: Gateway) -> None:
    def empty() -> bool:
        one.ask("deliver_now", destination="", mid=0)
        return not queue(one)

    with contextlib.suppress(AssertionError):
        wait_for(empty, "everything that waited is delivered", 20)
    seen.left = queue(one)
    one.stop()  # then all records are written
    seen.log = one.log()
    for record in RecordSearch(one.state)._ask(OutcomeRecord, outcomes, limit=-1)[::-1]:
        seen.records.setdefault(record.mid, []).append(record)


# --- the first run ---------------------------------------------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_fault_costs_what_the_matrix_says(facts: Facts, row: Row) -> None:
    for number, mid in enumerate(facts.mids[row.name]):
        told = [line for line in facts.first_log.splitlines() if re.search(rf"\bMID {mid}\b", line)]
        waiting = {recipient["rid"]: recipient for recipient in facts.queued.get(mid, [])}
        became = facts.outcomes(mid)[0]
        attempts = [record.attempts for record in facts.records[mid]]
        if row.verdict == "nothing":
            assert not [line for line in told if "Delayed" in line or "Bounced" in line or "done" in line]
            assert waiting[0]["attempts"] == 0
            continue
        words = {"delivered": "Message done DCID", "deferred": "Delayed: DCID", "bounced": "Bounced: DCID"}
        said = [line for line in told if words[row.verdict] in line or "pending till" in line]
        assert said, told
        if number == 0:  # the others of a burst are only put off
            assert any(row.said in line for line in told), told
        assert not [line for line in told for word, text in words.items() if word != row.verdict and text in line]
        assert (0 in waiting) == (row.verdict == "deferred")
        assert became[0] == row.verdict
        if row.verdict == "deferred":
            assert waiting[0]["status"] == "deferred"
            assert waiting[0]["attempts"] <= 1
        else:
            assert became == [row.verdict], "it is final and said once"
            assert attempts == [1]


@pytest.mark.system
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_second_run_delivers_what_waited_and_nothing_else(facts: Facts, row: Row) -> None:
    assert facts.good is not None
    assert not facts.left
    later = {"deferred": 1, "nothing": 1, "delivered": 0, "bounced": 0}[row.verdict] * len(facts.mids[row.name])
    assert facts.taken(facts.good, f"ann@{row.domain}") == later
    assert facts.taken(facts.second, f"ann@{row.domain}") == row.second
    assert facts.ends[row.name] == row.taken
    notices = facts.notices(row.name)
    assert len(notices) == (row.verdict == "bounced")
    if notices:
        assert f"ann@{row.domain}" in notices[0]
        assert "Action: failed" in notices[0]


@pytest.mark.system
def test_the_one_legal_duplicate_is_a_dot_without_an_answer(facts: Facts) -> None:
    """The next hop may have taken it (RFC 1047): of all rows only where nothing said so is a message handed over twice."""
    refused = {"dot-4xx", "dot-421"}  # they saw the dot and said no: that is no delivery
    rows = [row for row in SINKS if row.name not in refused]
    times = {row.name: facts.ends[row.name] + facts.taken(facts.good, f"ann@{row.domain}") for row in rows}
    assert {name for name, count in times.items() if count > len(facts.mids[name])} == {"dot-close"}


@pytest.mark.system
def test_a_greeting_of_5xx_is_no_storm(facts: Facts) -> None:
    """The destination is left alone after the first refusal: neither a connection nor a bounce for each message."""
    connections = facts.first_log.count(f"address 127.0.0.1 port {facts.ports['greeting-5xx']}")
    assert 1 <= connections < BURST
    assert not facts.notices("greeting-5xx")


@pytest.mark.system
@pytest.mark.parametrize("row", WRONG, ids=lambda row: row.name)
def test_a_wrong_code_ends_the_connection(facts: Facts, row: Row) -> None:
    [session] = facts.peers[row.name].sessions
    step = next(iter(row.answers))
    assert session.ended
    assert not facts.peers[row.name].messages, "no 250 followed the dot"
    last = {"CONNECT": [], "EHLO": ["EHLO"], "HELO": ["EHLO", "HELO"], "STARTTLS": ["EHLO", "STARTTLS"]}
    if step in last:
        assert session.verbs == last[step], "nothing more is said to it"
    else:
        assert "QUIT" not in session.verbs
        assert session.verbs.count("MAIL") == 1


# --- recipients of one message, each with its own outcome ------------------------------------------------------------


@pytest.mark.system
@pytest.mark.parametrize("name", [name for name in MIXED if "dot" not in name])
def test_mixed_recipients_have_each_their_own_outcome(facts: Facts, name: str) -> None:
    row, [mid] = MIXED[name], facts.mids[name]
    waiting = {recipient["rid"]: recipient["status"] for recipient in facts.queued[mid]}
    assert {rid: status for rid, status in waiting.items() if status == "deferred"} == {1: "deferred"}
    assert facts.outcomes(mid) == {0: ["delivered"], 1: ["deferred", "delivered"], 2: ["bounced"], 3: ["bounced"]}
    assert facts.taken(facts.peers[name], f"ann@{row.domain}") == 1
    assert facts.taken(facts.good, f"ben@{row.domain}") == 1
    assert [facts.taken(facts.good, f"{box}@{row.domain}") for box in ("ann", "cat", "dan")] == [0, 0, 0]
    [notice] = facts.notices(name)
    assert notice.count("Action: failed") == 2
    assert f"cat@{row.domain}" in notice
    assert f"dan@{row.domain}" in notice
    assert "Final-Recipient: rfc822; ben" not in notice
    assert len([line for line in facts.lines(mid) if "Message finished" in line]) == 1


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "ann", "more"), [("mixed-dot-4xx", ["deferred", "delivered"], 0), ("mixed-dot-5xx", ["bounced"], 1)]
)
def test_the_dot_decides_for_those_that_were_taken_only(facts: Facts, name: str, ann: list[str], more: int) -> None:
    row, [mid] = MIXED[name], facts.mids[name]
    assert facts.outcomes(mid) == {0: ann, 1: ["deferred", "delivered"], 2: ["bounced"], 3: ["bounced"]}
    assert facts.taken(facts.good, f"ann@{row.domain}") == (len(ann) == 2)
    assert facts.taken(facts.good, f"ben@{row.domain}") == 1
    [notice] = facts.notices(name)
    assert notice.count("Action: failed") == 2 + more


# --- a connection that is kept ---------------------------------------------------------------------------------------


@pytest.mark.system
def test_a_kept_connection_that_the_peer_closed_is_dialled_again_and_nothing_failed(tmp_path: Path) -> None:
    """`smtp-sink -c -n 1` ends when somebody says QUIT, and the kept connection with it; then another one stands there."""
    port, sink = free_port(), free_port()
    row, second = Row("kept", "delivered"), tmp_path / "second"
    more = f'[destinations."kept.example"]\ntls = "no"\n[routes]\nALL = ["127.0.0.1:{sink}"]\n'
    with gateway(tmp_path, GATEWAY + private_out(port) + more) as one, Client(port) as client:
        client.ehlo()
        with running(*smtp_sink("-c -n 1", sink, tmp_path / "first"), stdout=subprocess.DEVNULL) as process:
            wait_for(lambda: listening(sink), "the first sink")
            mid = submit(client, row, 1)
            one.wait_log(f"Message finished MID {mid} done")
            with Client(sink) as other:
                other.send(b"QUIT\r\n")
                wait_for(lambda: process.poll() is not None, "it ends")
        with running(*smtp_sink("", sink, second), stderr=subprocess.DEVNULL):
            wait_for(lambda: listening(sink), "the second sink")
            mid = submit(client, row, 2)
            one.wait_log(f"Message finished MID {mid} done")
            assert len(list(second.iterdir())) == 1
        assert "Delayed" not in one.log()
        one.stop()
        assert "DCID 1 close" in one.log()
        [record] = RecordSearch(one.state)._ask(OutcomeRecord, outcomes, outcomes.c.mid == mid, limit=-1)
        assert (record.outcome, record.dcid, record.attempts) == ("delivered", 2, 1)


# --- clocks, shortened -----------------------------------------------------------------------------------------------


def test_the_clocks_are_those_of_the_rfc() -> None:
    """RFC 5321 4.5.3.2: 10 minutes for the dot, 3 for a block, 5 for a banner; a connect is given up within 5."""
    assert transaction._TIMEOUTS["end"] == dialogue.END_TIMEOUT == 600
    assert transaction.BLOCK_TIMEOUT == 180
    assert connection.GREETING_TIMEOUT == 300
    assert 30 <= connection.CONNECT_TIMEOUT <= 300


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port whose backlog is full: the kernel drops every further SYN."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


async def test_a_black_hole_is_given_up_and_the_next_host_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT", 0.3)
    with black_hole() as hole:
        async with Peer() as good:
            config = routed(good.port)
            config.routes["example.com"] = [f"127.0.0.1:{hole}", f"127.0.0.1:{good.port}/pri=10"]
            config.routes["hole.example"] = [f"127.0.0.1:{hole}"]
            async with Outbound(tmp_path, config) as out:
                alone = await out.send("ann@hole.example")
                await out.finished(await out.send("ann@example.com"))
                assert len(good.messages) == 1
                assert "4.4.1" in await out.until_line(f"Delayed: DCID 1 MID {alone}")


async def test_a_reader_of_one_octet_at_a_time_runs_into_the_block_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "BLOCK_TIMEOUT", 0.5)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (b"250 peer\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            await reader.readline()
            writer.write(answer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        raw = writer.get_extra_info("socket")
        while True:
            await asyncio.sleep(0.05)
            with contextlib.suppress(BlockingIOError):
                os.read(raw.fileno(), 1)

    async with Peer() as peer, serve(slow) as port:
        config = routed(peer.port)
        config.routes["slow.example"] = [f"127.0.0.1:{port}"]
        async with Outbound(tmp_path, config) as out:
            stuck = await out.send("ann@slow.example", octets=BODY + LARGE * LARGE_LINES)
            await out.finished(await out.send("ann@example.com"))
            assert not out.lines("Delayed")
            assert "4.4.2" in await out.until_line(f"Delayed: DCID 1 MID {stuck}")


async def test_a_sink_that_does_not_read_runs_into_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`smtp-sink -H 600 -T 1024`, as above for real, to the end."""
    monkeypatch.setattr(transaction, "BLOCK_TIMEOUT", 0.5)
    port = free_port()
    with running(*smtp_sink("-H 600 -T 1024", port, tmp_path / "sink"), stderr=subprocess.DEVNULL):
        await asyncio.to_thread(wait_for, lambda: listening(port), "the sink")
        async with Outbound(tmp_path / "spool", routed(port)) as out:
            mid = await out.send("ann@example.com", octets=BODY + LARGE * LARGE_LINES)
            assert "4.4.2" in await out.until_line(f"Delayed: DCID 1 MID {mid}")


# --- wrong codes where one message is not enough ---------------------------------------------------------------------


@pytest.mark.parametrize("code", [220, 221, 354])
async def test_a_wrong_code_to_a_chunk_ends_the_connection(tmp_path: Path, code: int) -> None:
    async with Peer(answers={"BDAT": f"{code} wrong"}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com", octets=BODY + LARGE * LARGE_LINES)
        assert f"{code} is no answer to BDAT" in await out.until_line(f"Delayed: DCID 1 MID {mid}")
        await out.until_line("DCID 1 close")
        assert not peer.messages
        peer.answers.clear()
        await out.scheduler.deliver_now()
        await out.finished(mid)
        assert len(peer.messages) == 1


@pytest.mark.parametrize("code", [220, 221, 354])
async def test_a_wrong_code_to_rset_ends_the_connection(tmp_path: Path, code: int) -> None:
    """RSET comes before the message after one that was given up; the next one goes by another connection."""
    answers = {"RCPT": ["550 5.1.1 unknown"], "RSET": f"{code} wrong"}
    async with Peer(answers=answers, extensions=PLAIN) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        refused = await out.send("ann@example.com")
        await out.until_line(f"Bounced: DCID 1 MID {refused}")
        mid = await out.send("ben@example.com")
        await out.until_line("DCID 1 close")
        assert "RSET" in peer.sessions[0].verbs
        await out.until(lambda: out.lines(f"MID {mid} done") or out.lines(f"Delayed: DCID 1 MID {mid}"))
        await out.scheduler.deliver_now()
        await out.finished(mid)
        assert [message.rcpt for message in peer.messages] == [["RCPT TO:<ben@example.com>"]]
        assert not peer.sessions[0].messages
