"""The facts that decisions are taken on, and the verdicts; each verdict says why, in words printed as they stand."""

from __future__ import annotations

from typing import Literal

import msgspec

from gatepost.config.model import Behavior, InboundTls, OutboundTls
from gatepost.smtp.path import Path
from gatepost.smtp.reply import Reply

DnsStatus = Literal["verified", "nx.domain", "serv.fail", "not.double.verified"]


class Host(msgspec.Struct, frozen=True):
    """A connecting host as the HAT sees it."""

    address: str
    name: str = ""
    """PTR name, lower case, no trailing dot; empty when there is none."""
    status: DnsStatus = "nx.domain"
    """Outcome of the double lookup (PTR, then A or AAAA back to the address); the name counts only when `verified`."""

    @property
    def verified_name(self) -> str:
        """The name where it counts, else empty: anybody can name their address as they like."""
        return self.name if self.status == "verified" else ""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A mail flow policy with every inherited value filled in; sizes in octets, -1 = unlimited."""

    name: str
    behavior: Behavior
    tls: InboundTls
    tls_profile: str
    tls_mandatory_senders: str
    tls_peer_names: tuple[str, ...]
    max_messages_per_connection: int
    max_recipients_per_message: int
    max_message_size: int
    max_connections_per_host: int
    max_recipients_per_hour: int
    inherited: frozenset[str] = frozenset()
    """Names of the fields that come from Default Policy Parameters."""


class AccessVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the HAT says of a host."""

    group: str
    """Sender group, or empty for the ALL row."""
    entry: str
    """The member that matched, as it stands in the table; `ALL`."""
    policy: Policy
    reason: str
    """`198.51.100.7 is in 198.51.100.0/24 of sender group PARTNERS, policy PARTNER_TLS`"""


class Rewriting(msgspec.Struct, frozen=True):
    """What the domain map made of a recipient."""

    written: Path
    """The recipient as the client named it, completed with its domain."""
    path: Path
    """The recipient that takes its place."""
    entry: str
    """The row that did it, as it stands in the map."""

    @property
    def reason(self) -> str:
        """Say it in words."""
        return f"{self.written} becomes {self.path} by {self.entry} of the domain map"


class RecipientVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the RAT says of a recipient."""

    accepted: bool
    forward_path: Path
    """The recipient as it is to be recorded: completed with a domain where it came without, rewritten by the domain map."""
    entry: str
    """The row that matched, as it stands in the table; `ALL`; empty on a listener without a RAT."""
    reason: str
    reply: Reply | None = None
    """The refusal."""
    rewriting: Rewriting | None = None
    """What the domain map did, where it did anything."""


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """The TLS setting resolved for one next hop, or for one inbound session, and where it came from."""

    setting: OutboundTls
    profile: str
    source: str
    """`destination control for partner.example`, `default destination control`, …"""

    @property
    def is_required(self) -> bool:
        """Whether nothing may be sent in the clear."""
        return self.setting.startswith("required")

    @property
    def verifies(self) -> bool:
        """Whether the certificate is looked at."""
        return "verify" in self.setting


class References(msgspec.Struct, frozen=True, kw_only=True):
    """The names that a next hop's certificate may be held against."""

    domain: str
    """Domain of the recipients."""
    host: str
    """The MX host, or the SMTP route's host, that is connected to; an address where the route names one."""


class TlsVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a connection may carry mail as it stands."""

    allowed: bool
    verified: bool
    reason: str
    status: str = ""
    """Enhanced status of a refusal (RFC 3463): 4.7.4 there is no TLS, 4.7.5 the TLS there is does not do."""
    reply: Reply | None = None
    """What an inbound peer is told when it is refused."""
