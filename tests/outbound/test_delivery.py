"""What one message comes to, whatever the next hop does at whatever stage (faults.md 5.4)."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from gatepost.config.model import DefaultDestination
from gatepost.outbound import connection, transaction
from gatepost.spool.message import Status
from tests.support.outbound import BODY, Outbound, routed
from tests.support.peer import CLOSE, MODERN, SILENT, Peer, serve

PLAIN = ("SIZE 50000000",)
"""Neither PIPELINING nor CHUNKING nor 8BITMIME."""
PIPELINING = ("PIPELINING",)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def states(out: Outbound, mid: int) -> dict[int, Status]:
    await out.scheduler._settlement.catch_up()
    entry = await out.spool.entry(mid)
    return {state.rid: state.status for state in entry.states} if entry else {}


# --- all is well -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extensions", [MODERN, PIPELINING, PLAIN, ()])
async def test_a_message_is_delivered_and_leaves_the_spool(tmp_path: Path, extensions: tuple[str, ...]) -> None:
    async with Peer(extensions=extensions) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com", "ben@example.com")
        await out.finished(mid)
        assert [message.octets for message in peer.messages] == [BODY]
        assert len(peer.messages[0].rcpt) == 2
        await out.scheduler._settlement.catch_up()
        assert out.spool.messages == 0
        assert not out.scheduler._intake.parcels
        assert out.scheduler._intake.octets == 0


async def test_the_log_has_the_lines_of_the_model(tmp_path: Path) -> None:
    async with Peer() as peer:
        async with Outbound(tmp_path, routed(peer.port, default_destination=DefaultDestination(tls="no"))) as out:
            mid = await out.send("ann@example.com")
            await out.finished(mid)
        assert out.journal.lines == [
            f"New SMTP DCID 1 interface 127.0.0.1 address 127.0.0.1 port {peer.port}",
            f"Delivery start DCID 1 MID {mid} to RID [0]",
            f"Message done DCID 1 MID {mid} to RID [0]",
            f"MID {mid} RID [0] Response 2.0.0 queued as 4711",
            f"Message finished MID {mid} done",
            "DCID 1 close",
        ]
        [outcome] = out.journal.outcomes
        assert (outcome.outcome, outcome.dcid, outcome.peer, outcome.attempts) == ("delivered", 1, "127.0.0.1", 1)


@pytest.mark.parametrize("extensions", [MODERN, PLAIN])
async def test_a_large_body_is_streamed_from_its_file(tmp_path: Path, extensions: tuple[str, ...]) -> None:
    body = BODY + b"x" * 76 + b"\r\n" + (b"." + b"y" * 97 + b"\r\n") * 20_000
    async with Peer(extensions=extensions) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com", octets=body)
        await out.finished(mid)
        assert peer.messages[0].octets == body


async def test_pipelining_and_chunking_make_it_one_write(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        assert peer.sessions[0].verbs == ["EHLO", "MAIL", "RCPT", "BDAT"]


async def test_a_connection_is_reused_and_closed_when_idle(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        for _ in range(5):
            await out.finished(await out.send("ann@example.com"))
        await out.until_line("DCID 1 close")
        assert len(peer.sessions) == 1
        assert peer.sessions[0].verbs[-1] == "QUIT"


async def test_a_connection_carries_no_more_messages_than_it_may(tmp_path: Path) -> None:
    config = routed(0, default_destination=DefaultDestination(max_messages_per_connection=2, max_connections=1))
    async with Peer() as peer:
        config = routed(peer.port, default_destination=config.default_destination)
        async with Outbound(tmp_path, config) as out:
            for mid in [await out.send("ann@example.com") for _ in range(5)]:
                await out.finished(mid)
            assert [len(session.messages) for session in peer.sessions] == [2, 2, 1]


# --- what the next hop answers ---------------------------------------------------------------------------------------

DELAYED, BOUNCED = "Delayed", "Bounced"
STAGES = [
    # step, answer, extensions, what it comes to, part of the log line
    ("CONNECT", "554 5.7.1 go away", MODERN, DELAYED, "4.7.1"),
    ("CONNECT", "421 4.3.2 later", MODERN, DELAYED, "('421', ['4.3.2 later'])"),
    ("CONNECT", CLOSE, MODERN, DELAYED, "4.4.2"),
    ("CONNECT", b"SSH-2.0-OpenSSH_9.2\r\n", MODERN, DELAYED, "not an SMTP reply"),
    ("EHLO", "421 4.3.2 later", MODERN, DELAYED, "4.3.2"),
    ("EHLO", "451 4.3.2 later", MODERN, DELAYED, "4.3.2"),
    ("EHLO", CLOSE, MODERN, DELAYED, "4.4.2"),
    ("MAIL", "450 4.1.8 later", MODERN, DELAYED, "('450', ['4.1.8 later'])"),
    ("MAIL", b"421 4.3.2 later\r\n", MODERN, DELAYED, "4.3.2"),
    ("RCPT", b"421 4.3.2 later\r\n", MODERN, DELAYED, "4.3.2"),
    ("END", b"421 4.3.2 later\r\n", MODERN, DELAYED, "4.3.2"),
    ("MAIL", "550 5.1.8 never", MODERN, BOUNCED, "5.1.8"),
    ("MAIL", "550 5.1.8 never", PLAIN, BOUNCED, "5.1.8"),
    ("MAIL", CLOSE, MODERN, DELAYED, "4.4.2"),
    ("RCPT", "450 4.2.1 later", MODERN, DELAYED, "4.2.1"),
    ("RCPT", "450 4.2.1 later", PLAIN, DELAYED, "4.2.1"),
    ("RCPT", "550 5.1.1 unknown", MODERN, BOUNCED, "('550', ['5.1.1 unknown'])"),
    ("RCPT", "550 5.1.1 unknown", PIPELINING, BOUNCED, "5.1.1"),
    ("RCPT", "421 4.3.2 later", MODERN, DELAYED, "4.3.2"),
    ("RCPT", CLOSE, MODERN, DELAYED, "4.4.2"),
    ("DATA", "451 4.3.0 later", PLAIN, DELAYED, "4.3.0"),
    ("DATA", "554 5.6.0 never", PLAIN, BOUNCED, "5.6.0"),
    ("DATA", CLOSE, PLAIN, DELAYED, "4.4.2"),
    ("END", "451 4.3.0 later", MODERN, DELAYED, "4.3.0"),
    ("END", "451 4.3.0 later", PLAIN, DELAYED, "4.3.0"),
    ("END", "554 5.6.0 never", MODERN, BOUNCED, "5.6.0"),
    ("END", "554 5.6.0 never", PLAIN, BOUNCED, "5.6.0"),
    ("END", "421 4.3.2 later", MODERN, DELAYED, "4.3.2"),
    ("END", CLOSE, MODERN, DELAYED, "4.4.2"),
    ("END", CLOSE, PLAIN, DELAYED, "4.4.2"),
]


@pytest.mark.parametrize(("step", "answer", "extensions", "verdict", "part"), STAGES)
async def test_an_answer_costs_what_the_matrix_says(
    tmp_path: Path, step: str, answer: object, extensions: tuple[str, ...], verdict: str, part: str
) -> None:
    async with Peer(extensions=extensions, answers={step: answer}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        line = await out.until_line(f"MID {mid} to RID 0 -")
        assert line.startswith(verdict)
        assert part in line
        assert not peer.messages
        if verdict == DELAYED:
            assert await states(out, mid) == {0: Status.DEFERRED}
            peer.answers.clear()
            await out.scheduler.deliver_now()
        await out.finished(mid)
        assert len(peer.messages) == (verdict == DELAYED)
        if verdict == BOUNCED:
            await out.until_line("was generated for bounce of", str(mid))


WRONG = [
    ("CONNECT", "250 hello"),
    ("CONNECT", "354 hello"),
    ("EHLO", "220 hello"),
    ("EHLO", "354 hello"),
    ("MAIL", "220 ok"),
    ("MAIL", "354 ok"),
    ("RCPT", "220 ok"),
    ("RCPT", "354 ok"),
    ("DATA", "250 ok"),
    ("DATA", "220 ok"),
    ("END", "220 ok"),
    ("END", "221 ok"),
    ("END", "354 ok"),
    ("END", "299 ok"),
    ("END", "200 ok"),
    ("END", b"25\r\n"),
    ("END", b"250-one\r\n251 two\r\n"),
    ("END", b"250 ok"),
]


@pytest.mark.parametrize(("step", "answer"), WRONG)
@pytest.mark.parametrize("extensions", [MODERN, PLAIN])
async def test_a_code_that_is_not_due_is_never_delivered(
    tmp_path: Path, step: str, answer: object, extensions: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    if step == "DATA" and extensions is MODERN:
        return
    monkeypatch.setitem(transaction._TIMEOUTS, "end", 0.3)  # type: ignore[arg-type]
    async with Peer(extensions=extensions, answers={step: answer}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        assert (await out.until_line(f"MID {mid} to RID 0 -")).startswith("Delayed")
        await out.until_line("close")
        assert await states(out, mid) == {0: Status.DEFERRED}


HOSTILE = {
    "endless lines": b"250-x\r\n" * 1_000_000 + b"250 x\r\n",
    "endless line": b"250 " + b"x" * 1_000_000 + b"\r\n",
    "mixed codes": b"250-x\r\n550 y\r\n",
    "short": b"25\r\n",
    "nul": b"250\0x\r\n",
    "lone CR": b"250 x\r250 y\r\n",
    "not even text": bytes(range(256)) * 20,
    "two replies": b"250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "MAIL", "RCPT"])
async def test_a_hostile_server_costs_one_soft_failure(tmp_path: Path, step: str, kind: str) -> None:
    """faults.md 2, row 10."""
    async with Peer(extensions=PLAIN, answers={step: HOSTILE[kind]}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        line = await out.until_line("Delayed: DCID ")
        assert len(line) < 4000
        assert await states(out, mid) == {0: Status.DEFERRED}
        assert not peer.messages
        assert not out.journal.faults


async def test_terminal_escapes_in_a_reply_stay_text(tmp_path: Path) -> None:
    evil = "550 5.1.1 \x1b[2J\u202e no".encode() + b"\x85\x00 such user\r\n"
    async with Peer(extensions=PLAIN, answers={"RCPT": evil}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        line = await _settled(out)
        assert line.isprintable()


async def _settled(out: Outbound) -> str:
    mid = await out.send("ann@example.com")
    return await out.until_line(f"MID {mid} to RID 0 -")


async def test_recipients_have_each_their_own_outcome_and_one_dsn_tells_of_those_that_failed(tmp_path: Path) -> None:
    def rcpt(line: str) -> str:
        return "250 ok" if "ann" in line else "450 4.2.1 later" if "ben" in line else "550 5.1.1 unknown"

    async with Peer(answers={"RCPT": rcpt}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com", "ben@example.com", "cat@example.com", "dan@example.com")
        await out.until_line("was generated for bounce of")
        assert await states(out, mid) == {
            0: Status.DELIVERED,
            1: Status.DEFERRED,
            2: Status.BOUNCED,
            3: Status.BOUNCED,
        }
        peer.answers.clear()
        await out.scheduler.deliver_now()
        await out.finished(mid)
        assert [message.rcpt for message in peer.messages] == [["RCPT TO:<ann@example.com>"], ["RCPT TO:<ben@example.com>"]]
        assert len(out.lines("was generated for bounce of")) == 1


async def test_a_refusal_in_the_middle_of_the_content_stops_the_sending(tmp_path: Path) -> None:
    """`smtp-sink -A`: 354, then 550 before the dot."""
    body = BODY + (b"y" * 98 + b"\r\n") * 300_000
    got = 0

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        writer.write(b"220 hi\r\n")
        for answer in (b"250 peer\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readline()
        writer.write(b"550 5.7.1 enough\r\n")
        while piece := await reader.read(65536):
            got += len(piece)

    async with serve(refuse) as port, Outbound(tmp_path, routed(port)) as out:
        mid = await out.send("ann@example.com", octets=body)
        assert "5.7.1" in await out.until_line(f"Bounced: DCID 1 MID {mid}")
        await out.finished(mid)
    assert got < len(body)


# --- silence ---------------------------------------------------------------------------------------------------------


async def test_a_silent_greeting_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GREETING_TIMEOUT", 0.2)
    async with Peer(answers={"CONNECT": SILENT}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        assert "4.4.2" in await out.until_line(f"Delayed: DCID 1 MID {mid}")


async def test_a_trickling_greeting_ends_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GREETING_TIMEOUT", 0.3)

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            writer.write(b"2")
            await asyncio.sleep(0.02)

    async with serve(trickle) as port, Outbound(tmp_path, routed(port)) as out:
        await out.send("ann@example.com")
        await out.until_line("Delayed", "4.4.2")


async def test_no_answer_to_the_end_of_data_defers_and_is_the_one_legal_duplicate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert transaction._TIMEOUTS["end"] >= 600
    monkeypatch.setitem(transaction._TIMEOUTS, "end", 0.3)  # type: ignore[arg-type]
    async with Peer(answers={"END": [SILENT]}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        await out.until_line(f"Delayed: DCID 1 MID {mid}")
        assert await states(out, mid) == {0: Status.DEFERRED}
        await out.scheduler.deliver_now()
        await out.finished(mid)
        assert sum(len(session.messages) for session in peer.sessions) == 2


@pytest.mark.parametrize("answer", [CLOSE, SILENT, "554 no"])
async def test_quit_means_nothing(tmp_path: Path, answer: object) -> None:
    async with Peer(answers={"QUIT": answer}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        await out.finished(mid)
        await out.until_line("DCID 1 close")
        assert len(peer.messages) == 1
        assert not out.lines("Delayed")


async def test_a_peer_that_does_not_read_blocks_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "BLOCK_TIMEOUT", 0.5)
    body = BODY + (b"y" * 98 + b"\r\n") * 200_000

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        for answer in (b"250-peer\r\n250-PIPELINING\r\n250 CHUNKING\r\n", b"250 ok\r\n", b"250 ok\r\n"):
            await reader.readline()
            writer.write(answer)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    async with Peer() as peer, serve(deaf) as port:
        config = routed(peer.port)
        config.routes["deaf.example"] = [f"127.0.0.1:{port}"]
        async with Outbound(tmp_path, config) as out:
            stuck = await out.send("ann@deaf.example", octets=body)
            await out.finished(await out.send("ann@example.com"))
            assert not out.lines("Delayed")
            assert "4.4.2" in await out.until_line(f"Delayed: DCID 1 MID {stuck}")


# --- other hosts -----------------------------------------------------------------------------------------------------

FIRST_HOST = [("CONNECT", "554 no"), ("CONNECT", CLOSE), ("EHLO", "421 no"), ("MAIL", "451 later"), ("MAIL", CLOSE)]


@pytest.mark.parametrize(("step", "answer"), FIRST_HOST)
async def test_the_next_host_is_tried_at_once(tmp_path: Path, step: str, answer: object) -> None:
    async with Peer(answers={step: answer}, extensions=PLAIN) as bad, Peer() as good:
        config = routed(0)
        config.routes["example.com"] = [f"127.0.0.1:{bad.port}", f"127.0.0.1:{good.port}/pri=10"]
        async with Outbound(tmp_path, config) as out:
            mid = await out.send("ann@example.com")
            await out.finished(mid)
            assert bad.sessions
            assert len(good.messages) == 1
            assert not out.lines("Delayed")


async def test_a_refused_connection_leads_to_the_next_host_and_is_tried_last_for_a_while(tmp_path: Path) -> None:
    async with Peer() as good:
        config = routed(0, default_destination=DefaultDestination(max_messages_per_connection=1))
        config.routes["example.com"] = [f"127.0.0.1:{free_port()}", f"127.0.0.1:{good.port}/pri=10"]
        async with Outbound(tmp_path, config) as out:
            await out.finished(await out.send("ann@example.com"))
            await out.finished(await out.send("ann@example.com"))
            assert len(out.lines("Connection Error")) == 1
            assert len(good.messages) == 2


async def test_no_host_at_all_defers(tmp_path: Path) -> None:
    async with Outbound(tmp_path, routed(free_port())) as out:
        mid = await out.send("ann@example.com")
        assert "4.4.1" in await out.until_line(f"Delayed: DCID 1 MID {mid} to RID 0")
        await out.until_line(f"MID {mid} to RID [0] pending till", "[Default]")


# --- a cached connection ---------------------------------------------------------------------------------------------


async def test_a_cached_connection_that_was_closed_is_dialled_again_and_nothing_failed(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        peer.answers["MAIL"] = [CLOSE]
        await out.finished(await out.send("ann@example.com"))
        assert len(peer.sessions) == 2
        assert len(peer.messages) == 2
        assert not out.lines("Delayed")


async def test_a_peer_that_has_had_enough_of_a_connection_is_dialled_again_and_nothing_failed(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        peer.answers["MAIL"] = ["421 4.7.0 too many messages in this session"]
        await out.finished(await out.send("ann@example.com"))
        assert len(peer.sessions) == 2
        assert len(peer.messages) == 2
        assert not out.lines("Delayed")


async def test_a_peer_that_closes_every_connection_is_dialled_again_only_once(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        peer.answers["MAIL"] = CLOSE
        await out.send("ann@example.com")
        await out.until_line("Delayed")
        assert len(peer.sessions) == 2


# --- HELO, downgrades ------------------------------------------------------------------------------------------------


async def test_helo_is_said_to_a_peer_that_does_not_know_ehlo(tmp_path: Path) -> None:
    async with Peer(answers={"EHLO": "500 what?"}) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        await out.finished(await out.send("ann@example.com"))
        assert peer.sessions[0].verbs[:3] == ["EHLO", "HELO", "MAIL"]


async def test_helo_is_not_said_where_tls_is_required(tmp_path: Path) -> None:
    async with Peer(answers={"EHLO": "500 what?"}) as peer:
        config = routed(peer.port, default_destination=DefaultDestination(tls="required"))
        async with Outbound(tmp_path, config) as out:
            mid = await out.send("ann@example.com")
            assert "STARTTLS" in await out.until_line(f"Delayed: DCID 1 MID {mid}", "4.7.4")
            assert peer.sessions[0].verbs == ["EHLO"]


@pytest.mark.parametrize(
    ("envelope", "status"), [({"eight_bit": True}, "5.6.3"), ({"smtputf8": True}, "5.6.7")], ids=["8bit", "utf8"]
)
async def test_a_message_that_the_next_hop_cannot_take_as_it_is_bounces(
    tmp_path: Path, envelope: dict[str, object], status: str
) -> None:
    async with Peer(extensions=PIPELINING) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com", **envelope)
        assert status in await out.until_line(f"Bounced: DCID 1 MID {mid}")
        assert "MAIL" not in peer.sessions[0].verbs


async def test_a_message_beyond_the_next_hops_size_bounces_before_it_is_sent(tmp_path: Path) -> None:
    async with Peer(extensions=("PIPELINING", "CHUNKING", "SIZE 50")) as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com")
        assert "5.3.4" in await out.until_line(f"Bounced: DCID 1 MID {mid}")
        assert "MAIL" not in peer.sessions[0].verbs


async def test_a_body_with_a_bare_line_end_is_held_and_never_sent_whole(tmp_path: Path) -> None:
    async with Peer() as peer, Outbound(tmp_path, routed(peer.port)) as out:
        mid = await out.send("ann@example.com", octets=BODY + b"smuggled\n.\nMAIL FROM:<a@b>\r\n")
        await out.until_line(f"Held: MID {mid}")
        assert not peer.messages
        assert await states(out, mid) == {0: Status.HELD}
        await out.finished(await out.send("ann@example.com"))


async def test_a_discarding_route_takes_the_mail(tmp_path: Path) -> None:
    async with Outbound(tmp_path, routed(1)) as out:
        mid = await out.send("ann@elsewhere.example")
        await out.finished(mid)
        assert "discarded by SMTP route for ALL" in await out.until_line(f"MID {mid} RID [0] Response")
