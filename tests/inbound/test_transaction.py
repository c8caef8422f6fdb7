"""A message and the disk: no room, a failing disk, and what is left of messages that were not taken."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from gatepost.config.model import DomainMapping
from gatepost.spool import room as rooms
from gatepost.spool import writer
from gatepost.spool.store import Floor
from tests.support.inbound import LISTENER, Inbounds
from tests.support.spool import Failing, error, waiting_mids

LARGE = "\r\n" + "0123456789\r\n" * 50_000
QUEUE_FULL = "452 #4.3.1 queue full"
LOW = "452 #4.3.1 server resources low - try again later"
SERVER_ERROR = "451 #4.3.0 Server Error"


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for room more often than in production."""
    monkeypatch.setattr(writer, "ROOM_SECONDS", 0.05)


def no_room(patch: pytest.MonkeyPatch) -> None:
    """Let the file system be full."""
    patch.setattr(rooms.os, "statvfs", lambda _: SimpleNamespace(f_bavail=0, f_frsize=4096, f_files=1000, f_favail=500))


async def test_without_room_mail_is_put_off_at_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Inbounds(tmp_path, floor=Floor(space=1, inodes=0)) as rig, rig.client() as client:
        with monkeypatch.context() as patch:
            no_room(patch)
            await rig.until(lambda: not rig.spool.accepting)
            client.writer.write(b"MAIL FROM:<a@client.example>\r\n" + b"RCPT TO:<box@example.com>\r\n" * 20 + b"DATA\r\n")
            assert await client.reply() == LOW
            assert {await client.reply() for _ in range(21)} == {"503 #5.5.1 MAIL first"}, "and is not held against it"
            assert rig.lines(f"ICID 1 command 'MAIL FROM:<a@client.example>' refused: {LOW}")
        await rig.until(lambda: rig.spool.accepting)
        assert (await client.send()).startswith("250"), "once there is room again it goes on by itself"


@pytest.mark.parametrize("content", ["small", LARGE], ids=["in memory", "in a file"])
async def test_the_disk_fills_while_a_message_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    async with Inbounds(tmp_path, floor=Floor(space=1, inodes=0)) as rig, rig.client() as client:
        await client.data()
        with monkeypatch.context() as patch:
            no_room(patch)
            await rig.until(lambda: not rig.spool.accepting)
            assert await client.say(content, "NOOP", ".") == QUEUE_FULL, "after the dot"
            assert (await client.say("NOOP")).startswith("250"), "the session goes on"
            await rig.until(lambda: not rig.bodies())
            assert await waiting_mids(rig.spool) == []
            assert rig.lines("MID 100 ICID 1 not stored: ")
        await rig.until(lambda: rig.spool.accepting)
        assert (await client.send()).startswith("250")
        assert await waiting_mids(rig.spool) == [101]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
async def test_a_write_that_finds_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def full(descriptor: int, octets: bytes) -> int:
        raise OSError(code, os.strerror(code))

    async with Inbounds(tmp_path) as rig, rig.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr("gatepost.spool.content.os.write", full)
            assert await client.send(LARGE) == QUEUE_FULL
        await rig.until(lambda: not rig.bodies())
        assert (await client.send(LARGE)).startswith("250")


async def test_a_failed_commit_is_a_451_and_the_shard_takes_no_more(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as client, rig.client() as other:
        inner = rig.spool._writer
        inner._connection = Failing(inner._connection, "COMMIT", [error(sqlite3.SQLITE_IOERR_FSYNC)])  # type: ignore[assignment]
        await other.data()
        assert await client.send() == SERVER_ERROR
        assert await client.say("MAIL FROM:<a@client.example>") == SERVER_ERROR
        assert await other.say("body", ".") == SERVER_ERROR, "what was on its way is refused as well"
        assert rig.taken == []
        assert len(rig.lines("not stored: ")) == 2
        assert rig.metrics.messages_accepted == 0


async def test_a_message_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig:
        for end in (b"\r\nbare\n\r\n.\r\n", b""):
            async with rig.client() as client:
                await client.data()
                client.writer.write(LARGE.encode() * 3 + end)
                await client.writer.drain()
                if end:
                    assert (await client.reply()).startswith("554")
                else:
                    await rig.until(rig.bodies)
            await rig.until(lambda: rig.inbound.sessions == 0)
            await rig.until(lambda: not rig.bodies())
        assert rig.lines("Message aborted MID 100 554 message body contains illegal bare CR/LF characters.")
        assert rig.lines("Message aborted MID 101 Receiving aborted by sender")
        assert await waiting_mids(rig.spool) == []


async def test_an_accepted_message_is_on_disk_in_the_log_in_the_records_and_handed_on(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as client:
        answer = await client.send("Message-ID: <1@client.example>\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\n..dot")
        assert answer == "250 2.0.0 ok:  Message 100 accepted"
        assert await waiting_mids(rig.spool) == [100]
        message = rig.taken[0]
        assert message.envelope.reverse_path == "a@client.example"
        assert message.envelope.recipients == ("box@example.com",)
        stored = await rig.spool.load(100)
        assert stored is not None
        octets = stored.content.octets
        assert octets.endswith(b"\r\n\r\n.dot\r\n")
        assert len(octets) == message.envelope.size
        received = octets.partition(b"Message-ID")[0].decode()
        assert received.startswith(
            "Received: from client.example (unknown [127.0.0.1])\r\n by mx.example (Gatepost) with ESMTP id 100"
        )
        assert "for <box@example.com>;" in received
        assert [line for line in rig.journal.lines if "MID 100" in line] == [
            "Start MID 100 ICID 1",
            "MID 100 ICID 1 From: <a@client.example>",
            "MID 100 ICID 1 RID 0 To: <box@example.com>",
            "MID 100 Message-ID '<1@client.example>'",
            "MID 100 Subject 'grüße'",
            f"MID 100 ready {len(octets)} bytes from <a@client.example>",
            "MID 100 queued for delivery",
        ]
        record = rig.journal.messages[0]
        assert (record.mid, record.icid, record.subject, record.listener) == (100, 1, "grüße", "InboundMail")
        assert record.recipients == ("box@example.com",)


async def test_several_recipients_are_not_told_of_each_other(tmp_path: Path) -> None:
    async with Inbounds(tmp_path) as rig, rig.client() as client:
        await client.envelope()
        assert (await client.say("RCPT TO:<secret@example.com>")).startswith("250")
        assert (await client.say("DATA")).startswith("354")
        assert (await client.say("body", ".")).startswith("250")
        stored = await rig.spool.load(100)
        assert stored is not None
        assert b"secret" not in stored.content.octets
        assert b" for <" not in stored.content.octets


MAPPED = msgspec.structs.replace(LISTENER, domain_map=[DomainMapping(match="@old.example", to="@example.com")])


@pytest.mark.parametrize(
    ("rcpt", "orcpt"),
    [
        ("<a+b@old.example>", "rfc822;a+2Bb@old.example"),
        ("<a@old.example> ORCPT=rfc822;first@older.example", "rfc822;first@older.example"),
        ("<a@example.com>", ""),
        (f"<{'+' * 200}@old.example>", ""),
    ],
)
async def test_a_report_will_name_the_recipient_that_was_rewritten(tmp_path: Path, rcpt: str, orcpt: str) -> None:
    async with Inbounds(tmp_path, listener=MAPPED) as rig, rig.client() as client:
        await client.say("MAIL FROM:<a@client.example>")
        assert (await client.say(f"RCPT TO:{rcpt}")).startswith("250")
        await client.say("DATA")
        assert (await client.say("", "hello", ".")).startswith("250")
        (message,) = rig.taken
        assert message.envelope.recipients[0].endswith("@example.com")
        assert message.envelope.orcpt == ((orcpt,) if orcpt else ())
