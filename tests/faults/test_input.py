"""Whatever a client sends as mail data comes out as it went in, or is refused in one clear sentence, and nothing in between.

A corpus of several hundred messages, and damaged ones, each through the real gateway three ways; then next hops that
cannot take what we took.
"""

from __future__ import annotations

import asyncio
import functools
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults.corpus import chunks, corpus, damaged, refusal, stuffed
from tests.support.client import Client, session
from tests.support.dns_server import dns_thread
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.peer import Peer, Received
from tests.support.probed import Probed, both, chunk, probed_fixtures
from tests.support.process import free_port, wait_for

running, probed = probed_fixtures("input")
RECEIVED = re.compile(rb"Received: from client\.example \(unknown \[127\.0\.0\.1\]\)[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")
RCPT = b"RCPT TO:<box@example.com>\r\n"
DAMAGED = 600
SLOW = 3.0
"""Seconds that a megabyte may take, on a busy machine; what tries again and again takes minutes for it."""


must_be = functools.cache(refusal)


@pytest.fixture(scope="module")
def messages() -> dict[str, bytes]:
    found = corpus()
    assert len(found) > 700
    return found


def by_data(client: Client, mail: bytes, content: bytes) -> str:
    client.send(mail + RCPT + b"DATA\r\n")
    assert [reply[:3] for reply in client.replies(3)] == ["250", "250", "354"]
    client.send(stuffed(content) + b".\r\n")
    return client.reply()


def by_bdat(client: Client, mail: bytes, content: bytes) -> str:
    pieces = chunks(content, len(content))
    client.send(mail + RCPT + b"".join(chunk(piece, last=False) for piece in pieces[:-1]) + chunk(pieces[-1]))
    *early, answer = client.replies(2 + len(pieces))
    assert {reply[:3] for reply in early} == {"250"}
    return answer


def carry(probed: Probed, kind: str, way: str, samples: Iterable[tuple[str, bytes]]) -> Counter[str]:
    """Send all over one session, hold each against what must become of it; return how often each answer was given."""
    send = by_data if way == "data" else by_bdat
    taken: dict[bytes, tuple[str, bytes]] = {}
    answers: Counter[str] = Counter()
    first = len(probed.sink.taken)
    with probed.session(kind) as client:
        for number, (name, content) in enumerate(samples):
            mail = b"MAIL FROM:<%s-%s-%d@client.example>" % (kind.encode(), way.encode(), number)
            began = time.monotonic()
            answer = send(client, mail + (b"" if content.isascii() else b" BODY=8BITMIME") + b"\r\n", content)
            assert time.monotonic() - began < SLOW * (1 + len(content) / 1e6), name
            expected = must_be(content)
            assert answer == expected if expected else answer.startswith("250 2.0.0 ok:  Message "), name
            answers[expected or "250"] += 1
            if not expected:
                taken[mail] = name, content
        assert client.say("NOOP").startswith("250"), "the session goes on"
    wait_for(lambda: len(probed.sink.taken) - first >= len(taken), "all that was taken arrives", 60)
    arrived = probed.sink.taken[first:]
    assert len(arrived) == len(taken), "and nothing else"
    for one in arrived:
        name, content = taken.pop(one.mail.split(b">")[0] + b">")
        wire = stuffed(content) + b".\r\n"
        assert one.body.endswith(wire), name
        assert RECEIVED.fullmatch(one.body[: -len(wire)]), name
    return answers


@pytest.mark.parametrize(("kind", "way"), [("plain", "data"), ("tls", "data"), ("tls", "bdat")])
def test_the_corpus(probed: Probed, messages: dict[str, bytes], kind: str, way: str) -> None:
    answers = carry(probed, kind, way, messages.items())
    print(f"{sum(answers.values())} messages of {sum(map(len, messages.values())) / 1e6:.0f} MB: {dict(answers)}")
    assert len(answers) == 7, "it holds all that can be refused"


@pytest.mark.parametrize(("kind", "way"), [("plain", "data"), ("tls", "bdat")])
def test_the_corpus_with_damages(probed: Probed, messages: dict[str, bytes], kind: str, way: str) -> None:
    answers = carry(probed, kind, way, damaged(messages, DAMAGED))
    assert answers["250"] > DAMAGED / 3
    assert sum(answers.values()) - answers["250"] > DAMAGED / 10


@both
def test_a_chunk_may_end_in_the_middle_of_a_line(probed: Probed, kind: str) -> None:
    """RFC 3030 lets it; a next hop without CHUNKING is given the line end that the dot needs (RFC 5321 4.1.1.4)."""
    for content in (b"Subject: x", b"Subject: x\r\n\r\nno end", b"Subject: x\r\n\r\n.", b".", b"\r\n."):
        with probed.session(kind) as client:
            assert by_bdat(client, b"MAIL FROM:<a@client.example>\r\n", probed.mark() + content).startswith("250")
        assert probed.arrived().endswith(b"\r\n" + stuffed(content) + b"\r\n.\r\n")


def test_nothing_else_came_of_it(running: Probed) -> None:
    running.audit_log()


# --- a next hop that cannot take it ------------------------------------------------------------------------------------

EIGHT = "Subject: ä\r\n\r\nö\r\n".encode()


@asynccontextmanager
async def before(directory: Path, *extensions: str) -> AsyncIterator[tuple[Gateway, int, Peer]]:
    """A gateway before a next hop that knows these extensions only."""
    port = free_port()
    with dns_thread() as dns:
        async with Peer(extensions=extensions) as peer:
            document = relay(port, peer.port, gateway=f'dns_servers = ["{dns.address}"]')
            service = gateway(directory, document)  # in a thread: the peer must go on answering meanwhile
            one = await asyncio.to_thread(service.__enter__)
            try:
                yield one, port, peer
            finally:
                await asyncio.to_thread(service.__exit__, None, None, None)


async def give(port: int, mail: str, rcpt: str, content: bytes) -> None:
    def talk() -> None:
        with session(port) as client:
            client.send(f"MAIL FROM:{mail}\r\nRCPT TO:{rcpt}\r\nDATA\r\n".encode())
            assert [reply[:3] for reply in client.replies(3)] == ["250", "250", "354"]
            client.send(content + b".\r\n")
            assert client.reply().startswith("250")

    await asyncio.to_thread(talk)


async def arrived(peer: Peer, count: int) -> Received:
    await peer.until(lambda: len(peer.messages) == count, 20)
    return peer.messages[-1]


async def test_a_next_hop_without_8bitmime_and_smtputf8(tmp_path: Path) -> None:
    """What was not declared goes as it is; what was declared is never changed and never sent: it bounces, in seven bits."""
    async with before(tmp_path, "PIPELINING") as (one, port, peer):
        await give(port, "<a@client.example>", "<box@example.com>", EIGHT)
        assert (await arrived(peer, 1)).octets.endswith(b"\r\n" + EIGHT)
        declared = {
            ("<b@client.example> BODY=8BITMIME", "<box@example.com>"): b"5.6.3",
            ("<c@client.example> SMTPUTF8", "<böx@example.com>"): b"5.6.7",
        }
        for count, ((mail, rcpt), status) in enumerate(declared.items(), 2):
            await give(port, mail, rcpt, EIGHT)
            bounce = await arrived(peer, count)
            assert bounce.mail.startswith("MAIL FROM:<>")
            assert bounce.rcpt == [f"RCPT TO:{mail.split(' ')[0]}"]
            assert b"\r\nStatus: " + status + b"\r\n" in bounce.octets
            assert bounce.octets.isascii()
        said = [line for met in peer.sessions for line in met.commands if line.startswith(("MAIL", "RCPT"))]
        assert all(line.isascii() for line in said)
        assert not any("8BITMIME" in line or "SMTPUTF8" in line for line in said)
        await give(port, "<ä@client.example> SMTPUTF8", "<box@example.com>", EIGHT)
        told = await asyncio.to_thread(one.wait_log, "Double bounce: MID ")
        assert re.search(r" - 5\.6\.[37] - ", told), "not even a bounce can be sent there, and no bounce follows a bounce"
        await asyncio.to_thread(one.wait_log, f"Message finished {told.split(': ')[2].split(' to ')[0]} done")
        assert one.log().count(" was generated for bounce of MID ") == len(declared) + 1
        assert len(peer.messages) == len(declared) + 1
