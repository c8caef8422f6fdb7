"""What no client can bring about from outside: bugs, the gateway's own end, listeners that are switched off."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from gatepost.errors import TlsFailure
from gatepost.net.wire import Wire
from tests.support.inbound import LISTENER, Inbounds

NOT_AVAILABLE = "421 mx.example Service not available, closing transaction channel"


def broken() -> int:
    raise RuntimeError("a bug\nof two lines")


async def test_a_bug_ends_its_session_and_no_other(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as other, rig.client() as client:
        good, rig.next_mid = rig.next_mid, broken
        assert await client.say("MAIL FROM:<a@client.example>", "NOOP") == NOT_AVAILABLE
        assert await client.reply() == "", "closed, and nothing behind it was run"
        rig.next_mid = good
        assert (await other.send()).startswith("250"), "a session that was open lives"
        async with rig.client() as later:
            assert (await later.send()).startswith("250")
        assert len(rig.journal.faults) == 1
        assert rig.journal.faults[0].startswith("Internal error in ICID 2: ")
        assert "a bug" in rig.journal.faults[0]
        assert "\n" not in rig.journal.faults[0]
        assert rig.lines("ICID 2 lost: internal error")
        await rig.until(lambda: rig.leases.taken["host/InboundMail/127.0.0.1"] == 1)


async def test_a_bug_before_the_banner_closes_without_a_word(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig:
        rig.resolver.fault = RuntimeError("a bug")
        async with rig.client(greeted=False) as client:
            assert await client.reply() == ""
        assert rig.journal.faults[0].startswith("Internal error in ICID 0: ")
        rig.resolver.fault = None
        async with rig.client() as client:
            assert (await client.send()).startswith("250")


@pytest.mark.parametrize("fault", [TlsFailure("nothing can be written any more"), MemoryError()])
async def test_a_bug_on_a_wire_that_is_broken_as_well_kills_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(_: Wire, octets: bytes) -> None:
        raise fault

    async with Inbounds(tmp_path) as rig:
        async with rig.client() as client:
            rig.next_mid = broken
            with monkeypatch.context() as patch:
                patch.setattr(Wire, "write", fail)
                assert await client.say("MAIL FROM:<a@client.example>") == ""
        await rig.until(lambda: rig.inbound.sessions == 0)
        rig.next_mid = iter(range(500, 600)).__next__
        async with rig.client() as client:
            assert (await client.send()).startswith("250")


async def test_a_bug_at_the_very_end_kills_no_worker(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig:
        good, rig.journal.tls = rig.journal.tls, lambda _: broken()  # type: ignore[method-assign]
        async with rig.client() as client:
            assert (await client.say("QUIT")).startswith("221")
            assert await client.reply() == ""
        await rig.until(lambda: rig.journal.faults)
        rig.journal.tls = good  # type: ignore[method-assign]
        assert rig.leases.taken["host/InboundMail/127.0.0.1"] == 0
        async with rig.client() as client:
            assert (await client.send()).startswith("250")


async def test_a_bug_in_a_message_leaves_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(rig.spool, "commit", lambda _: broken())
            assert await client.send("\r\n" + "0123456789\r\n" * 50_000) == NOT_AVAILABLE
        await rig.until(lambda: not rig.bodies())
        assert rig.taken == []
        assert rig.spool.messages == 0
        assert rig.lines("Message aborted MID 100")


async def test_hosts_whose_names_are_looked_up_count_on_the_listener(tmp_path: Path) -> None:
    narrow = msgspec.structs.replace(LISTENER, max_concurrency=1)
    async with Inbounds(tmp_path, listener=narrow) as rig:
        rig.resolver.ready.clear()
        async with rig.client(greeted=False) as first, rig.client(greeted=False) as second:
            assert await second.reply() == "421 #4.4.5 Too many connections to this listener"
            assert await second.reply() == ""
            assert rig.lines("ICID 1 Receiving Failed: Connection limit exceeded")
            assert rig.lines("ICID 1 close")
            rig.resolver.ready.set()
            assert (await first.reply()).startswith("220")
        await rig.until(lambda: rig.leases.taken["listener/InboundMail"] == 0)


async def test_the_gateway_stops_between_commands_and_behind_messages(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as idle, rig.client() as busy, rig.client() as between:
        await busy.data()
        await between.envelope()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rig.inbound.stop(5))
            assert await idle.reply() == NOT_AVAILABLE
            assert await idle.reply() == ""
            assert (await busy.say("Subject: the last one", "", "body", ".")).startswith("250 2.0.0 ok:  Message ")
            assert await busy.reply() == NOT_AVAILABLE
            assert (await between.say("RSET")).startswith("250")
            assert await between.reply() == NOT_AVAILABLE
        assert len(rig.taken) == 1
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", rig.port)
        assert rig.lines(f"lost: {NOT_AVAILABLE}")


async def test_no_message_is_begun_while_the_gateway_stops(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as client:
        await client.data()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rig.inbound.stop(5))
            client.writer.write(b"body\r\n.\r\nMAIL FROM:<a@client.example>\r\n")
            assert (await client.reply()).startswith("250")
            assert await client.reply() == NOT_AVAILABLE


async def test_a_listener_that_is_suspended_says_so(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as before:
        rig.inbound.suspend([])
        async with rig.client(greeted=False) as client:
            assert await client.reply() == NOT_AVAILABLE
            assert await client.reply() == ""
        assert (await before.send()).startswith("250"), "a session that was open goes on"
        rig.inbound.resume([])
        async with rig.client() as client:
            assert (await client.send()).startswith("250")
