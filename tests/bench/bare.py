"""The yardstick: a TLS server that does handshakes and nothing else, with the gateway's library, options and certificate.

    python -m tests.bench.bare PORT CERTIFICATE-AND-KEY.pem GROUP     serve them over TCP, for the clients of `client`
    python -m tests.bench.bare memory CERTIFICATE-AND-KEY.pem GROUP   do 300 in memory, print the server's ms for each

Over TCP a connection costs what no server can save: accept, two reads, two writes, close, on the same event loop. In memory
only the calls into the library are left. Neither reads the ClientHello, knows SMTP or has anything to log.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import uvloop

import gatepost.tls  # noqa: F401  # before OpenSSL: the library is told to send no tickets, as in the gateway

# isort: split
from OpenSSL import SSL

from gatepost.tls.certificates import KeyPair
from gatepost.tls.context import Terms, Trust, context

SUITE = "TLS_AES_256_GCM_SHA384"


class Handshake(asyncio.Protocol):
    """One connection."""

    def __init__(self, shared: SSL.Context) -> None:
        self._connection = SSL.Connection(shared, None)
        self._connection.set_accept_state()
        self._done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._done:  # close_notify
            self._transport.close()
            return
        self._done, answer = step(self._connection, data)
        if answer:
            self._transport.write(answer)


def step(connection: SSL.Connection, data: bytes) -> tuple[bool, bytes]:
    """Take octets of a handshake; return whether it is done, and the octets that answer."""
    if data:
        connection.bio_write(data)
    done = True
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        done = False
    try:
        return done, connection.bio_read(65536)
    except SSL.WantReadError:
        return done, b""


def terms(group: str) -> Terms:
    """Return the TLS that is measured: one version, one suite, one group."""
    return Terms(methods=("TLSv1.3",), suites=(SUITE,), groups=(group,))


async def serve(port: int, shared: SSL.Context) -> None:
    """Take connections for ever."""
    server = await asyncio.get_running_loop().create_server(lambda: Handshake(shared), "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


def in_memory(shared: SSL.Context, group: str, handshakes: int = 300) -> float:
    """Return milliseconds of CPU that the server's side of a handshake takes, the client's left out."""
    client, spent = context(terms(group), server=False, trust=Trust(), verify=False), 0.0
    for turn in range(handshakes + 20):  # the first few warm caches
        here, done = SSL.Connection(client, None), False
        here.set_connect_state()
        _, octets = step(here, b"")
        began = time.thread_time()
        there = SSL.Connection(shared, None)
        there.set_accept_state()
        used = time.thread_time() - began
        while not done:
            began = time.thread_time()
            done, answer = step(there, octets)
            used += time.thread_time() - began
            _, octets = step(here, answer)
        spent += used if turn >= 20 else 0.0
    return 1000 * spent / handshakes


if __name__ == "__main__":
    where, file, wanted = sys.argv[1:]
    pem = Path(file).read_text()
    made = context(terms(wanted), server=True, pair=KeyPair(pem, pem))
    if where == "memory":
        print(in_memory(made, wanted))
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(int(where), made))
