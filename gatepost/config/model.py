"""The configuration document (docs/configuration.md): its fields, their types and every default.

The document is a frozen value. Names here are the interface that files, console, API and web share; an unknown field is
refused. A default stands here and nowhere else. What needs more than one field to judge (a name that must exist, a key
that must match) is judged in `config.check`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Size = int | str  # octets, or a number with the suffix k, M or G (binary multiples): "10M"; see `size_in_octets`
InboundTls = Literal["no", "preferred", "required", "preferred-verify", "required-verify"]
OutboundTls = Literal["no", "preferred", "required", "preferred-verify", "required-verify", "required-verify-hosted"]
Behavior = Literal["accept", "relay", "reject", "tcprefuse", "continue"]
TlsVersion = Literal["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]
UNLIMITED = -1


def _list(*items: Any) -> Any:
    """A default that is a list: msgspec wants it made anew for each value."""
    return msgspec.field(default_factory=lambda: list(items))


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Common ground of every table in the document; msgspec hands `forbid_unknown_fields` down to all of them."""


class Gateway(_Document, frozen=True, kw_only=True):
    """The gateway as a whole."""

    hostname: str = "localhost.localdomain"
    """Name in the banner, in EHLO, in Received and Message-ID fields."""
    postmaster: str = ""
    """Mailbox that mail for a bare `postmaster` goes to (RFC 5321 4.5.1); empty: postmaster@hostname."""
    dns_servers: list[str] = []
    """`address` or `address:port` of validating resolvers; empty: those of /etc/resolv.conf."""
    records_retention_days: int = 30
    """Records older than this are removed; 0 keeps them for ever."""
    min_free_space: Size = "100M"
    """Below this much free space on the spool's disk new mail is answered 452 #4.3.1."""
    max_header_size: Size = "256k"
    """Octets of one message's header section; more is refused 552 #5.3.4."""
    max_header_lines: int = 2000
    """Lines of one message's header section; more is refused 552 #5.3.4."""
    max_line_length: Size = "1M"
    """Octets of one text line with its CR LF; longer is refused 554. RFC 5321 4.5.3.1.6 only promises 1,000."""
    max_hops: int = 100
    """Received fields in a message; that many or more is a loop: 554 Too many hops (RFC 5321 6.3)."""
    unsuccessful_connection_timeout: int = 300
    """Seconds a public session may last without injecting one message."""
    connection_time_limit: int = 900
    """Seconds any inbound session may last; from 80 % of it the next transaction is answered 421."""
    command_timeout: int = 300
    """Seconds to wait for the next command or block of mail data (RFC 5321 4.5.3.2)."""
    tls_handshake_timeout: int = 30
    """Seconds for a whole TLS handshake."""
    certificate_authorities: str = ""
    """Authorities, PEM, that certificates of peers may come from besides those of the operating system."""
    metrics_address: str = ""
    """`address:port` where Prometheus may fetch /metrics; empty: not served."""


class Certificate(_Document, frozen=True, kw_only=True):
    """A certificate chain and its private key, both PEM."""

    certificate: str
    """The host's own certificate first, then each issuer up to, not including, the root."""
    private_key: str
    """Without a passphrase; written as "*****" in exports unless keys are asked for."""


class TlsProfile(_Document, frozen=True, kw_only=True):
    """Which TLS a side of a connection is ready to speak."""

    methods: list[TlsVersion] = _list("TLSv1.2", "TLSv1.3")
    """Protocol versions, contiguous."""
    ciphers: str = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
    """OpenSSL cipher string for TLS 1.2 and older."""
    suites: list[str] = _list("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256")
    """TLS 1.3 suites by IANA name, most wanted first."""
    groups: list[str] = _list("X25519MLKEM768", "X25519", "P-256", "P-384")
    """Key exchange groups, most wanted first."""
    cipher_order: Literal["server", "client"] = "server"
    """Whose preference decides; outbound profiles only order their own offer."""


class AddressList(_Document, frozen=True, kw_only=True):
    """Envelope addresses: `user@example.com`, `user@`, `@example.com`, `@.example.com`, `@[192.0.2.1]`."""

    addresses: list[str] = []
    """Entries; the order means nothing."""
    description: str = ""
    """For people only."""


class PolicyFields(_Document, frozen=True, kw_only=True):
    """The fields of a mail flow policy; None means: as in the listener's Default Policy Parameters."""

    tls: InboundTls | None = None
    """no: STARTTLS is not offered; preferred: offered; required: nothing else is answered before it. With -verify the
    client's certificate is asked for: preferred-verify refuses an invalid one, required-verify wants a valid one."""
    tls_profile: str | None = None
    """Name of the TLS profile that the handshake uses."""
    tls_mandatory_senders: str | None = None
    """Name of an address list; with tls = preferred these senders must encrypt. Empty string: none."""
    tls_peer_names: list[str] | None = None
    """With -verify: DNS names of which the client certificate must carry one; empty: any valid chain."""
    max_messages_per_connection: int | None = None
    """Messages in one session; the next MAIL is answered 421. -1: no limit."""
    max_recipients_per_message: int | None = None
    """Recipients of one message; the next RCPT is answered 452 #4.5.3. -1: no limit."""
    max_message_size: Size | None = None
    """Octets of one message, told by SIZE in the EHLO reply; more is refused 552. -1: no limit."""
    max_connections_per_host: int | None = None
    """Sessions that one host may have open at once; the next is answered 421. -1: no limit."""
    max_recipients_per_hour: int | None = None
    """Recipients that one host may name in an hour; the next RCPT is answered 452. -1: no limit."""


class DefaultPolicy(_Document, frozen=True, kw_only=True):
    """Default Policy Parameters of a listener: what its policies do not set themselves."""

    tls: InboundTls = "no"
    tls_profile: str = "inbound"
    tls_mandatory_senders: str = ""
    tls_peer_names: list[str] = []
    max_messages_per_connection: int = 10_000
    max_recipients_per_message: int = 1000
    max_message_size: Size = "100M"
    max_connections_per_host: int = 1000
    max_recipients_per_hour: int = UNLIMITED


class MailFlowPolicy(PolicyFields, frozen=True, kw_only=True):
    """What the hosts of a sender group get."""

    behavior: Behavior = "accept"
    """accept: for the recipients of the RAT; relay: for any recipient; reject: refused in the banner; tcprefuse: closed
    without a word; continue: the match is passed over and the table read on."""


class SenderGroup(_Document, frozen=True, kw_only=True):
    """One row of the Host Access Table."""

    name: str
    """Stands in log lines and records; every group of a listener has its own."""
    senders: list[str] = []
    """Members, any of which matches; see Sender group members."""
    policy: str
    """Name of a policy of this listener, or a bare behaviour in capitals: ACCEPT RELAY REJECT TCPREFUSE CONTINUE."""
    comment: str = ""
    """For people only."""


class Recipient(_Document, frozen=True, kw_only=True):
    """One row of the Recipient Access Table."""

    match: str
    """`user@example.com`, `example.com`, `.example.com`, `user@`, `[192.0.2.1]`, or ALL."""
    action: Literal["accept", "reject"] = "accept"
    """What RCPT with such a recipient is answered; a recipient that no row matches is refused 550 #5.1.0."""


class DomainMapping(_Document, frozen=True, kw_only=True):
    """One row of the domain map."""

    match: str
    """`@old.example`, `@.old.example` or `joe@old.example`. Here the leading dot stands for the domain and all below it, as
    the appliance has it; in the other tables it leaves the domain itself out."""
    to: str
    """`@new.example`, which keeps the local part, or `joe@new.example`."""


class Listener(_Document, frozen=True, kw_only=True):
    """An SMTP service on one address and port."""

    type: Literal["public", "private"] = "public"
    """public: from the Internet, with HAT and RAT; private: from your own hosts, with a HAT only."""
    address: str = "0.0.0.0"
    """IP address to bind; 0.0.0.0 stands for every IPv4 address of this machine, :: for every IPv6 address."""
    port: int = 25
    """TCP port to bind; no two listeners share one on the same address."""
    interface: str = ""
    """Name of the IP interface as the log shows it; empty: the listener's own name."""
    certificates: list[str] = []
    """Names of certificates; the first is shown unless the client asks for a name (SNI) that another one carries."""
    max_concurrency: int = 1000
    """Sessions that may be open at once; the next is answered 421."""
    tcp_queue: int = 50
    """Connections that may wait to be taken (listen backlog)."""
    default_domain: str = ""
    """Completes an address without domain; empty: such addresses are refused."""
    domain_map: list[DomainMapping] = []
    """Recipients that are rewritten before the Recipient Access Table is asked; first match decides, and what it makes is
    not looked up again. Only the envelope changes: header fields stay as the sender wrote them."""
    bounce_profile: str = "Default"
    """Name of the bounce profile for messages that came in here, unless the destination names one."""
    bare_line_endings: Literal["refuse", "repair"] = "refuse"
    """A CR or LF alone in mail data: refuse answers 554, repair makes it CR LF; it never ends the data."""
    default_policy: DefaultPolicy = DefaultPolicy()
    """Default Policy Parameters: what the policies do not set themselves."""
    policies: dict[str, MailFlowPolicy] = {}
    """Mail flow policies by name."""
    sender_groups: list[SenderGroup] = []
    """Evaluated top to bottom, first match decides. A host that no group holds gets the ALL row."""
    all_hosts: str = ""
    """Policy (or bare behaviour) of the ALL row; empty: ACCEPT on a public listener, REJECT on a private one."""
    recipients: list[Recipient] = []
    """Recipient Access Table, first match decides; ends with ALL reject. Not consulted on a private listener."""


class RecipientRate(_Document, frozen=True, kw_only=True):
    """A number of recipients in a number of minutes."""

    recipients: int
    """How many."""
    minutes: int = 60
    """In how long, 1 to 60."""


class DestinationControl(_Document, frozen=True, kw_only=True):
    """How mail to one destination domain is delivered; what is left out is as in `default_destination`."""

    tls: OutboundTls | None = None
    """no: never tried; preferred: used where the next hop takes STARTTLS; required: no mail without it. With -verify the
    certificate is verified: preferred-verify notes the result, required-verify holds the mail back. docs/tls.md has each."""
    tls_profile: str | None = None
    """Name of the TLS profile that the handshake uses."""
    dane: Literal["none", "opportunistic", "mandatory"] | None = None
    """DANE (RFC 7672); only none in this version."""
    mta_sts: Literal["none", "testing", "enforce-as-published"] | None = None
    """MTA-STS (RFC 8461); only none in this version."""
    max_connections: int | None = None
    """Connections to the destination at once."""
    max_messages_per_connection: int | None = None
    """Messages over one connection; then a new one is made."""
    recipients_per_minutes: RecipientRate | None = None
    """Recipients sent to in so many minutes, such as { recipients = 1000, minutes = 60 }; left out: no limit."""
    bounce_profile: str | None = None
    """Name of the bounce profile for mail to the destination."""


class DefaultDestination(_Document, frozen=True, kw_only=True):
    """What a destination without an entry of its own gets."""

    tls: OutboundTls = "preferred"
    tls_profile: str = "outbound"
    dane: Literal["none", "opportunistic", "mandatory"] = "none"
    mta_sts: Literal["none", "testing", "enforce-as-published"] = "none"
    max_connections: int = 500
    max_messages_per_connection: int = 500
    recipients_per_minutes: RecipientRate | None = None
    bounce_profile: str = "Default"
    certificate: str = ""
    """Name of the client certificate for all outbound TLS; empty: none is sent."""


class BounceProfile(_Document, frozen=True, kw_only=True):
    """How long and how often delivery is tried."""

    max_retries: int = 100
    """Attempts after the first before a soft bounce becomes hard."""
    max_age: int = 259200
    """Seconds in the queue before a soft bounce becomes hard."""
    initial_wait: int = 60
    """Seconds before the first retry; each further wait doubles."""
    max_wait: int = 3600
    """Seconds; cap of the wait."""


class Ssh(_Document, frozen=True, kw_only=True):
    """The console over SSH, for the users of `gatepost user`."""

    enabled: bool = False
    """Whether it is served at all."""
    address: str = "127.0.0.1"
    """IP address of this machine to serve on; 0.0.0.0: all IPv4, `::` all IPv6 addresses."""
    port: int = 2222
    """TCP port to serve on."""


class Web(_Document, frozen=True, kw_only=True):
    """The web console and the REST API, over HTTPS under the TLS profile `gui`."""

    enabled: bool = False
    """Whether they are served."""
    address: str = "127.0.0.1"
    """IP address to bind."""
    port: int = 8443
    """TCP port to bind."""
    certificate: str = ""
    """Name of a certificate; empty: a self-signed one of its own, made at the first start."""


class Config(_Document, frozen=True, kw_only=True):
    """The whole document."""

    gateway: Gateway = Gateway()
    """Settings of the gateway as a whole."""
    certificates: dict[str, Certificate] = {}
    """Certificates and keys by name."""
    tls_profiles: dict[str, TlsProfile] = {}
    """The three built-in ones, gui, inbound and outbound, exist when they are not named; gui without DHE."""
    address_lists: dict[str, AddressList] = {}
    """Lists of envelope addresses by name."""
    listeners: dict[str, Listener] = {}
    """Listeners by name."""
    destinations: dict[str, DestinationControl] = {}
    """Destination controls by domain, or `.domain` for the domains below it; the most specific one is used."""
    default_destination: DefaultDestination = DefaultDestination()
    """What other domains get, and fields that a destination control leaves out."""
    routes: dict[str, list[str]] = {}
    """SMTP routes by domain, `.domain` or ALL; the most specific one is used, whatever the order, and MX is not asked."""
    bounce_profiles: dict[str, BounceProfile] = {}
    """`Default` exists with the defaults when it is not named."""
    web: Web = Web()
    """The web console and the REST API."""
    ssh: Ssh = Ssh()
    """The console over SSH."""


ROW_NAMES: dict[type, str] = {SenderGroup: "name", Recipient: "match", DomainMapping: "match"}
"""Tables that stand in lists, and the field that names a row in a path."""
BUILTIN_PROFILES = {
    "gui": TlsProfile(ciphers="ECDHE+AESGCM:ECDHE+CHACHA20"),
    "inbound": TlsProfile(),
    "outbound": TlsProfile(),
}
"""What the built-in profiles are where the document leaves them out: every browser has elliptic curves."""
BARE_BEHAVIORS = ("ACCEPT", "RELAY", "REJECT", "TCPREFUSE", "CONTINUE")


def size_in_octets(size: Size) -> int:
    """Read a `Size`; raises ValueError for anything but a whole number with an optional k, M or G."""
    if isinstance(size, int):
        return size
    text = size.strip()
    factor = {"k": 1024, "m": 1024**2, "g": 1024**3}.get(text[-1:].lower())
    digits = text[:-1] if factor else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f"{size!r} is not a size: write octets, or a number with k, M or G, such as 10M")
    return int(digits) * (factor or 1)


def tls_profile(config: Config, name: str) -> TlsProfile | None:
    """Return the named profile, a built-in one with its defaults where the document leaves it out."""
    return config.tls_profiles.get(name) or BUILTIN_PROFILES.get(name)


def bounce_profile(config: Config, name: str) -> BounceProfile | None:
    """Return the named bounce profile, `Default` with its defaults where the document leaves it out."""
    return config.bounce_profiles.get(name) or (BounceProfile() if name == "Default" else None)
