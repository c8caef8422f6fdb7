"""What `gatepost try` sends, and where to: the gaps that its caller left are filled from the configuration."""

from __future__ import annotations

import email.utils
import ipaddress
import secrets

import msgspec

from gatepost.admin.operations.tables import read_path
from gatepost.config.model import Config, Listener
from gatepost.errors import GatepostError

LINE = 70
"""Octets of a line of the body with its CR LF."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, and where to."""

    listener: str
    address: str
    port: int
    hostname: str
    """The gateway's name: whom the certificate should be for."""
    sender: str
    recipient: str
    size: int = 0
    """Octets of the body; 0: a line of text."""
    clear: bool = False
    """Do not start TLS."""
    source: str = ""
    """Address of this machine to come from; empty: the system chooses."""
    token: str = ""
    """Stands in Message-ID and Subject, so that the message is found again."""


def make_plan(
    config: Config,
    name: str,
    listener: Listener,
    *,
    sender: str = "",
    recipient: str = "",
    size: int = 0,
    clear: bool = False,
    source: str = "",
) -> Plan:
    """Fill in what was not given: try@ the gateway's name to the first address that the listener takes."""
    hostname = config.gateway.hostname
    return Plan(
        listener=name,
        address={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listener.address, listener.address),
        port=listener.port,
        hostname=hostname,
        sender=str(read_path(sender or f"try@{hostname}", "sender")),
        recipient=str(read_path(recipient or _first_recipient(listener, hostname), "recipient")),
        size=size,
        clear=clear,
        source=_source(source),
        token=secrets.token_hex(8),
    )


def _source(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else ""
    except ValueError:
        raise GatepostError(f"{text!r} is not an IP address: --source takes one that this machine has") from None


def message(plan: Plan) -> bytes:
    """Return the test message with CR LF line ends."""
    body = "This message was sent by `gatepost try`.\r\n"
    if plan.size:
        lines, rest = divmod(plan.size, LINE)
        body = ("x" * (LINE - 2) + "\r\n") * lines + ("x" * (rest - 2) + "\r\n" if rest > 2 else "")
    fields = (
        f"From: <{plan.sender}>" if plan.sender else f"From: <postmaster@{plan.hostname}>",
        f"To: <{plan.recipient}>",
        f"Subject: Gatepost test {plan.token}",
        f"Message-ID: <{plan.token}@{plan.hostname}>",
        f"Date: {email.utils.formatdate()}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
    )
    return ("\r\n".join(fields) + "\r\n\r\n" + body).encode()


def _first_recipient(listener: Listener, hostname: str) -> str:
    for row in listener.recipients:
        if row.action == "accept" and listener.type == "public":
            if row.match == "ALL":
                break
            local, at, domain = row.match.rpartition("@")
            if at:
                return row.match if domain else f"{local}@{hostname}"
            return f"test@{domain}" if not domain.startswith(".") else f"test@mail{domain}"
    return f"postmaster@{hostname}"
