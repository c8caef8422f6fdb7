"""One DNS question put to the configured resolvers: retries, a small cache, and one query for all who ask the same.

The answer is a value, also when it is a failure, so that failures can be cached and shared; `net.dns` turns it into typed
answers and exceptions. Validating resolvers are expected: their AD bit (RFC 6840 5.7) is handed on, nothing is validated
here. Never reads /etc/hosts, never appends a search domain, never answers from an expired entry.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import msgspec
from dns.rdatatype import RdataType

if TYPE_CHECKING:
    from dns.rdata import Rdata

Key = TypeVar("Key")
Value = TypeVar("Value")
ATTEMPT_TIMEOUT = 2.0
"""Seconds for one server to answer one query."""
ROUNDS = 2
"""How often every server is asked."""
LIFETIME = 6.0
"""Seconds after which a question has failed, whatever the number of servers."""
FAILURE_TTL = 5.0
"""Seconds a temporary failure is remembered (RFC 9520 2.2 asks for at least one, at most 300)."""
MAX_TTL = 3600.0
"""Seconds any answer is believed; a changed MX is seen within the hour whatever its owner published."""
MAX_ENTRIES = 20_000
MAX_RECORDS = 1000
"""Records in an answer that is read at all: each costs a tenth of a millisecond, and its sender chooses their number."""
PAYLOAD = 1232
"""UDP payload that avoids fragments (DNS flag day 2020)."""


class State(enum.Enum):
    """What an answer came to."""

    FOUND = "found"
    NO_DATA = "no data"
    NX_DOMAIN = "no such domain"
    TEMPORARY = "temporary failure"


class Outcome(msgspec.Struct, frozen=True):
    """The answer to one question; `text` says what went wrong where something did."""

    state: State
    records: tuple[Rdata, ...] = ()
    secure: bool = False
    """The resolver says it validated the answer (AD)."""
    ttl: float = 0.0
    text: str = ""
    answered: bool = True
    """False: nothing came back at all."""


class Server(msgspec.Struct, frozen=True):
    """A resolver to ask."""

    address: str
    port: int = 53


class _Pending:
    """A question under way; whoever asks the same waits for its outcome (None: the one who asked gave up)."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.outcome: Outcome | None = None


def remember(cache: dict[Key, tuple[float, Value]], key: Key, entry: tuple[float, Value]) -> None:
    """Put what holds until a time (monotonic) into a cache of at most MAX_ENTRIES, unless that time is over."""
    cache.pop(key, None)
    if entry[0] <= time.monotonic():
        return
    while len(cache) >= MAX_ENTRIES:
        # The oldest entry goes: order of insertion is all that a cache of this size needs.
        del cache[next(iter(cache))]
    cache[key] = entry


class Query:
    """Asks, remembers, and asks only once at a time."""

    def __init__(self, servers: Sequence[Server], patience: float = ATTEMPT_TIMEOUT) -> None:
        self.servers = tuple(servers)
        self.patience = patience
        self._backend = dns.asyncbackend.get_backend("asyncio")
        self._cache: dict[tuple[dns.name.Name, RdataType], tuple[float, Outcome]] = {}
        self._pending: dict[tuple[dns.name.Name, RdataType], _Pending] = {}

    async def ask(self, name: dns.name.Name, kind: RdataType) -> Outcome:
        """Return what the resolvers say of `name`; never raises but for cancellation."""
        key = (name, kind)
        while True:
            cached = self._cache.get(key)
            if cached is not None and cached[0] > time.monotonic():
                return cached[1]
            pending = self._pending.get(key)
            if pending is None:
                return await self._lead(key)
            await pending.done.wait()
            if pending.outcome is not None:
                return pending.outcome

    async def _lead(self, key: tuple[dns.name.Name, RdataType]) -> Outcome:
        pending = self._pending[key] = _Pending()
        try:
            pending.outcome = outcome = await self._ask_servers(*key)
        finally:
            del self._pending[key]
            pending.done.set()
        remember(self._cache, key, (time.monotonic() + min(outcome.ttl, MAX_TTL), outcome))
        return outcome

    def until(self, name: dns.name.Name, kind: RdataType) -> float:
        """Return until when (monotonic time) the outcome of a question is remembered; 0 when it is not."""
        cached = self._cache.get((name, kind))
        return cached[0] if cached is not None else 0.0

    async def _ask_servers(self, name: dns.name.Name, kind: RdataType) -> Outcome:
        failure = "no resolver is configured"
        try:
            async with asyncio.timeout(LIFETIME):
                for server in self.servers * ROUNDS:
                    outcome = await self.ask_server(server, name, kind, self.patience)
                    if outcome.state is not State.TEMPORARY:
                        return outcome
                    failure = outcome.text
        except TimeoutError:
            failure = f"no answer within {LIFETIME:.0f} s"
        return Outcome(State.TEMPORARY, ttl=FAILURE_TTL, text=failure)

    async def ask_server(self, server: Server, name: dns.name.Name, kind: RdataType, timeout: float) -> Outcome:
        """Put the question to one server once: UDP, then TCP when the answer was truncated."""
        question = dns.message.make_query(name, kind, use_edns=0, payload=PAYLOAD)
        question.flags |= dns.flags.AD
        where = f"{server.address}:{server.port}"
        try:
            try:
                reply = await dns.asyncquery.udp(
                    question,
                    server.address,
                    timeout=timeout,
                    port=server.port,
                    ignore_unexpected=True,  # an answer from elsewhere, or with another id, is a forgery: keep waiting
                    ignore_errors=True,
                    ignore_trailing=True,
                    raise_on_truncation=True,
                    backend=self._backend,
                )
            except dns.message.Truncated:
                octets = await _ask_by_tcp(server, question, timeout)
                if (count := _records(octets)) > MAX_RECORDS:
                    return Outcome(State.TEMPORARY, text=f"{where} sent {count} records, and {MAX_RECORDS} is the most")
                reply = await asyncio.to_thread(dns.message.from_wire, octets, ignore_trailing=True)
                if not question.is_response(reply):
                    return Outcome(State.TEMPORARY, text=f"{where} answered another question")
            return read_reply(reply)
        except (dns.exception.Timeout, TimeoutError):
            return Outcome(State.TEMPORARY, text=f"{where} did not answer within {timeout:g} s", answered=False)
        except dns.exception.DNSException as fault:
            return Outcome(State.TEMPORARY, text=f"{where} sent a malformed answer ({type(fault).__name__})")
        except (OSError, EOFError) as fault:
            return Outcome(State.TEMPORARY, text=f"{where} cannot be reached ({fault})", answered=False)


async def _ask_by_tcp(server: Server, question: dns.message.Message, timeout: float) -> bytes:
    """Return the answer as it came (RFC 7766 8); raises OSError or EOFError, TimeoutError among them."""
    async with asyncio.timeout(timeout):
        reader, writer = await asyncio.open_connection(server.address, server.port)
        try:
            octets = question.to_wire()
            writer.write(len(octets).to_bytes(2, "big") + octets)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.transport.abort()


def _records(octets: bytes) -> int:
    """Return how many records an answer claims to hold, all sections together (RFC 1035 4.1.1)."""
    return sum(int.from_bytes(octets[at : at + 2], "big") for at in (6, 8, 10))


def read_reply(reply: dns.message.Message) -> Outcome:
    """Turn a response into an outcome; dnspython's exceptions say where it is nonsense (a chain of CNAMEs too long, …)."""
    rcode = reply.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Outcome(State.TEMPORARY, text=dns.rcode.to_text(rcode))
    if not isinstance(reply, dns.message.QueryMessage):
        return Outcome(State.TEMPORARY, text="not an answer to a query")
    chain = reply.resolve_chaining()
    secure = bool(reply.flags & dns.flags.AD)
    ttl = float(chain.minimum_ttl)
    if rcode == dns.rcode.NXDOMAIN:
        return Outcome(State.NX_DOMAIN, secure=secure, ttl=ttl, text="NXDomain")
    if chain.answer is None:
        return Outcome(State.NO_DATA, secure=secure, ttl=ttl, text="no such record")
    return Outcome(State.FOUND, tuple(chain.answer), secure, ttl)


def parse_server(text: str) -> Server:
    """Read `address`, `address:port` or `[address]:port`."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        return Server(address, int(port.removeprefix(":") or 53))
    if text.count(":") == 1:
        address, _, port = text.partition(":")
        return Server(address, int(port))
    return Server(text)


def system_servers(path: str = "/etc/resolv.conf") -> list[Server]:
    """Return the name servers of resolv.conf(5), the local host when it names none."""
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        lines = []
    found = [words[1] for words in map(str.split, lines) if len(words) > 1 and words[0] == "nameserver"]
    return [Server(address) for address in found[:3]] or [Server("127.0.0.1")]
