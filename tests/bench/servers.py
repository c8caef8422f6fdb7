"""The servers that are compared, each set up for the same work: what they listen on, what they take, where they deliver.

Both have three ports, told apart by the certificate behind STARTTLS, and two next hops: example.com goes on in the clear to
smtp-sink, tls.example.com over TLS to the sink of `sink`. Both sync before 250, log a line for each step, and hold the
limits that a server on the Internet holds, set too high to matter here. Neither resumes TLS sessions: Gatepost never does,
and Postfix is told not to, because mail that comes from everywhere seldom finds its old session again.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import re
import smtplib
import ssl
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gatepost.tls.making import KeyKind, Subject, self_signed
from tests.support.gateway import gateway
from tests.support.postfix import Postfix, as_root, open_directory, postfix
from tests.support.process import free_port, listening, running, wait_for

ROOT = Path(__file__).parents[2]
CERTIFICATES: dict[str, KeyKind] = {"rsa": "RSA", "p256": "EC"}
"""Names of the certificates: RSA with 2048 bits, and EC on P-256."""

GATEPOST = """\
[gateway]
hostname = "mx1.example.com"

{certificates}
{listeners}
[routes]
ALL = ["127.0.0.1:{plain}"]
"tls.example.com" = ["127.0.0.1:{encrypted}"]

[destinations."tls.example.com"]
tls = "required"
"""
LISTENER = """\
[listeners.{name}]
address = "127.0.0.1"
port = {port}
certificates = ["{certificate}"]

[listeners.{name}.default_policy]
tls = "preferred"

[[listeners.{name}.recipients]]
match = "example.com"

[[listeners.{name}.recipients]]
match = "tls.example.com"
"""
POSTFIX = {
    # limits are kept, for the loopback network too, and as high as those of Gatepost; out they are Debian's own
    "smtpd_client_event_limit_exceptions": "",
    "smtpd_client_connection_count_limit": "1000",
    "default_process_limit": "1000",
    # the same TLS: version 1.3, one group (X25519MLKEM768 is unknown to Debian's OpenSSL), no resumption
    "smtpd_tls_security_level": "may",
    "smtpd_tls_protocols": ">=TLSv1.2",
    "tls_eecdh_auto_curves": "X25519",
    "smtpd_tls_session_cache_timeout": "0",
    "tls_ssl_options": "NO_TICKET",
    # TLS out by connections that are used again; set here, for tlsproxy crashes over what only one transport is told
    "smtp_tls_security_level": "encrypt",
    "smtp_tls_connection_reuse": "yes",
    "default_transport": "plainout",
}
CLEAR_OUT = ("smtp_tls_security_level=none", "smtp_tls_connection_reuse=no")


@dataclass
class Server:
    """A server under load."""

    name: str
    ports: dict[str, int]
    """By certificate; `plain` where TLS is not used."""
    pid: int
    """Its first process; all others are below it."""
    queued: Callable[[], int]
    """Messages that it has accepted and not delivered."""
    settings: str
    """What it was told, for the report; without keys."""


@dataclass
class Sinks:
    """The two next hops, and how many messages they took."""

    plain: int
    encrypted: int
    plain_output: Path
    encrypted_counter: mmap.mmap

    def taken(self, encrypted: bool) -> int:
        """Return the messages that one next hop has taken since it started."""
        if encrypted:
            return int(struct.unpack_from("<Q", self.encrypted_counter, 0)[0])
        with open(self.plain_output, "rb") as file:  # `sess=4 quit=4 mesg=200`, written again for every message
            file.seek(max(0, file.seek(0, os.SEEK_END) - 200))
            counts = re.findall(rb"mesg=(\d+)\r", file.read())
        return int(counts[-1]) if counts else 0


@contextlib.contextmanager
def sinks(directory: Path) -> Iterator[Sinks]:
    """Run both next hops."""
    plain, encrypted = free_port(), free_port()
    output, counter = directory / "smtp-sink.out", directory / "sink.count"
    counter.write_bytes(bytes(8))
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    ours = (sys.executable, "-m", "tests.bench.sink", str(encrypted), str(pem(directory, "p256")), str(counter))
    with (
        open(output, "wb") as into,
        running("smtp-sink", *user, "-c", f"127.0.0.1:{plain}", "1000", stdout=into),
        running(*ours, cwd=ROOT),
        open(counter, "rb") as file,
        mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ) as mapped,
    ):
        wait_for(lambda: listening(plain) and listening(encrypted), "both next hops listen")
        yield Sinks(plain, encrypted, output, mapped)


def pem(directory: Path, name: str) -> Path:
    """Return the file with a certificate and its key, made when first asked for."""
    file = directory / f"{name}.pem"
    if not file.exists():
        pair = self_signed(Subject(names=("mx1.example.com",)), kind=CERTIFICATES[name])
        file.touch(0o600)
        file.write_text(pair.private_key + pair.certificate)
    return file


@contextlib.contextmanager
def gatepost_server(directory: Path, hops: Sinks, workers: int) -> Iterator[Server]:
    """Run Gatepost."""
    ports = {name: free_port() for name in ("plain", *CERTIFICATES)}
    shown = {"plain": "p256", "rsa": "rsa", "p256": "p256"}
    names = {"plain": "Plain", "rsa": "Rsa", "p256": "P256"}
    listeners = "\n".join(LISTENER.format(name=names[at], port=ports[at], certificate=shown[at]) for at in ports)
    certificates = "".join(_certificate(directory, name) for name in CERTIFICATES)
    document = GATEPOST.format(certificates=certificates, listeners=listeners, plain=hops.plain, encrypted=hops.encrypted)
    with gateway(directory, document, workers=workers) as one:
        assert one.process is not None
        settings = re.sub(r'= """\n-----BEGIN.*?"""', '= "..."', document, flags=re.DOTALL)
        settings = f"gatepost serve --workers {workers}\n\n{settings}"
        yield Server("gatepost", ports, one.process.pid, lambda: int(one.ask("status")["queue"]["messages"]), settings)


def _certificate(directory: Path, name: str) -> str:
    text = pem(directory, name).read_text()
    key, at, certificate = text.partition("-----BEGIN CERTIFICATE-----")
    return f'[certificates.{name}]\ncertificate = """\n{at}{certificate}"""\nprivate_key = """\n{key}"""\n\n'


@contextlib.contextmanager
def postfix_server(directory: Path, hops: Sinks) -> Iterator[Server]:
    """Run Postfix."""
    transports = f"{{ tls.example.com = smtp:[127.0.0.1]:{hops.encrypted} }}"
    settings = {
        **POSTFIX,
        "relayhost": f"[127.0.0.1]:{hops.plain}",
        "transport_maps": f"inline:{{{transports}}}",
        "smtpd_tls_chain_files": str(pem(directory, "p256")),
    }
    ports = {name: free_port() for name in CERTIFICATES}
    services = [
        f"127.0.0.1:{port} inet n - n - - smtpd -o smtpd_tls_chain_files={pem(directory, name)}"
        for name, port in ports.items()
    ]
    services.append("plainout unix - - n - - smtp " + " ".join(f"-o {option}" for option in CLEAR_OUT))
    services.append("tlsproxy unix - - n - 0 tlsproxy")
    with postfix(hostname="mx1.example.com", domains="", settings=settings, services=services) as one:
        ports["plain"] = one.port
        wait_for(lambda: all(listening(port) for port in ports.values()), "postfix listens on all its ports")
        master = int(as_root("cat", str(one.root / "queue/pid/master.pid")).stdout)
        yield Server("postfix", ports, master, lambda: _waiting(one), _postfix_settings(one, services, directory))


def _waiting(one: Postfix) -> int:
    folders = [str(one.root / "queue" / name) for name in ("incoming", "active", "deferred", "maildrop")]
    return len(as_root("find", *folders, "-type", "f").stdout.split())


def _postfix_settings(one: Postfix, services: list[str], directory: Path) -> str:
    changed = as_root("postconf", "-c", str(one.root / "etc"), "-n").stdout
    text = changed + "\n# master.cf, besides Debian's services without chroot\n" + "".join(f"{line}\n" for line in services)
    return text.replace(str(one.root), "ROOT").replace(str(directory), "CERTIFICATES")


@contextlib.contextmanager
def bare_server(directory: Path, certificate: str, group: str) -> Iterator[Server]:
    """Run the yardstick of `bare`, on one core's worth of process."""
    port = free_port()
    command = (sys.executable, "-m", "tests.bench.bare", str(port), str(pem(directory, certificate)), group)
    with contextlib.ExitStack() as stack:
        with placed(cores()[0]):
            one = stack.enter_context(running(*command, cwd=ROOT))
        wait_for(lambda: listening(port), "the bare handshake server listens")
        yield Server("bare", {certificate: port}, one.pid, lambda: 0, "one process, handshakes only")


def handshake_in_memory(directory: Path, certificate: str, group: str) -> float:
    """Return milliseconds of CPU for the server's side of a handshake, in memory."""
    command = [sys.executable, "-m", "tests.bench.bare", "memory", str(pem(directory, certificate)), group]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)


@contextlib.contextmanager
def pair(workers: int = 0) -> Iterator[tuple[Path, Sinks, list[Server]]]:
    """Run Gatepost and Postfix in front of the same next hops; also hands out the directory of the certificates.

    `workers`: of Gatepost; 0 stands for one for each core that the servers have.
    """
    directory = open_directory("bench")
    for_servers, for_loads = cores()
    with contextlib.ExitStack() as stack:
        stack.callback(as_root, "rm", "-rf", str(directory))
        with placed(for_loads):
            hops = stack.enter_context(sinks(directory))
        with placed(for_servers):
            ours = stack.enter_context(gatepost_server(directory, hops, workers or len(for_servers)))
            theirs = stack.enter_context(postfix_server(directory, hops))
        stack.enter_context(placed(for_loads))
        yield directory, hops, [ours, theirs]


@contextlib.contextmanager
def placed(where: set[int]) -> Iterator[None]:
    """Have all that the block starts run on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, where)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@cache
def cores() -> tuple[set[int], set[int]]:
    """Return the cores for the servers and those for loads and next hops: half each; of fewer than four all for both."""
    every = sorted(os.sched_getaffinity(0))
    half = len(every) // 2
    return (set(every[:half]), set(every[half:])) if half >= 2 else (set(every), set(every))


def tls_shown(server: Server, certificate: str) -> str:
    """Return what a client with TLS 1.3 gets from a server, and whether it may resume its session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session: ssl.SSLSession | None = None
    for _ in range(2):
        with smtplib.SMTP("127.0.0.1", server.ports[certificate], timeout=10) as client:
            client.ehlo()
            client.docmd("STARTTLS")
            assert client.sock is not None
            client.sock = tls = context.wrap_socket(client.sock, session=session)
            client.file = None
            client.ehlo()  # tickets come with the first octets behind the handshake
            session, cipher = tls.session, tls.cipher()
            shown = f"{tls.version()} {cipher[0] if cipher else 'no cipher'}"
            ticket = "sends tickets" if session is not None and session.has_ticket else "sends no tickets"
            resumed = "resumes sessions" if tls.session_reused else "resumes no session"
    return f"{shown}, {ticket}, {resumed}"
