"""A gateway with something to show: listeners, policies, names as long as they get, a week of records, mail that waits.

For pictures of the web console's pages and for holding them to what everybody can use. All of it is made up and the same
each time; `bare` is the other end, a gateway on which nothing was ever configured or happened.
"""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

from gatepost.admin.tokens import DAY, Tokens
from gatepost.admin.users import Role
from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.store import FILE_NAME, RecordStore
from gatepost.records.tables import Record
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.making import Subject, self_signed
from gatepost.tls.outcome import Offer, TlsOutcome
from tests.support.client import Client
from tests.support.documents import certificate

LONG = "Subsidiary_Partner_Exchange_for_Frankfurt_and_Warszawa_DC-2b"
DAYS = 7
ROUNDS = 1400
"""Connections in the records."""

_DOCUMENT = """
[gateway]
hostname = "mx1.example.com"
postmaster = "postmaster@example.com"

[tls_profiles.old_partner]
methods = ["TLSv1.0", "TLSv1.1", "TLSv1.2"]
ciphers = "ALL:!aNULL:@SECLEVEL=0"

[address_lists.must_encrypt]
addresses = ["@bank.example", "@.clinic.example", "ceo@partner.example"]
[address_lists.{long}]
addresses = ["@a-domain-whose-name-is-as-long-as-somebody-could-bear.subsidiary.partner.example"]

[listeners.InboundMail]
address = "127.0.0.1"
port = {public}
certificates = ["mx", "mx-partner"]
default_policy = {{ tls = "preferred", max_messages_per_connection = 100, max_recipients_per_hour = 5000 }}
[listeners.InboundMail.policies.ACCEPTED]
[listeners.InboundMail.policies.PARTNER_TLS]
tls = "required"
max_message_size = "50M"
[listeners.InboundMail.policies.BANKS]
tls = "preferred"
tls_mandatory_senders = "must_encrypt"
[listeners.InboundMail.policies.VERIFIED]
tls = "required-verify"
tls_peer_names = ["mx.partner.example", "mx2.partner.example"]
[listeners.InboundMail.policies.OLD_PARTNER]
tls = "required"
tls_profile = "old_partner"
[listeners.InboundMail.policies.THROTTLED]
max_messages_per_connection = 1
max_recipients_per_hour = 20
max_connections_per_host = 1
[listeners.InboundMail.policies.BLOCKED]
behavior = "reject"
[listeners.InboundMail.policies.{long}]
tls = "required"
{groups}
[[listeners.InboundMail.recipients]]
match = "postmaster@"
[[listeners.InboundMail.recipients]]
match = "former.employee@example.com"
action = "reject"
[[listeners.InboundMail.recipients]]
match = "example.com"
[[listeners.InboundMail.recipients]]
match = ".example.com"

[listeners.OutboundMail]
type = "private"
address = "127.0.0.1"
port = {private}
sender_groups = [{{ name = "RELAYLIST", senders = ["127.0.0.0/24", "10.0.0.0/8"], policy = "RELAY", comment = "our own" }}]

[listeners.{long}]
address = "127.0.0.1"
port = {third}
certificates = ["mx"]
recipients = [{{ match = "subsidiary.example" }}]

[destinations."partner.example"]
tls = "required-verify"
max_connections = 5
[destinations.".bank.example"]
tls = "required"
recipients_per_minutes = {{ recipients = 1000, minutes = 60 }}
[destinations."slow.example"]
tls = "no"
bounce_profile = "Patient"
[destinations."a-domain-whose-name-is-as-long-as-somebody-could-bear.subsidiary.partner.example"]
tls = "preferred-verify"

[routes]
"example.com" = ["127.0.0.1:{closed}", "10.0.0.6:2525/pri=10"]
".example.com" = ["127.0.0.1:{closed}"]
"partner.example" = ["127.0.0.1:{closed}"]
"slow.example" = ["127.0.0.1:{closed}"]
"gone.example" = ["/dev/null"]
ALL = ["127.0.0.1:{closed}"]

[bounce_profiles.Default]
[bounce_profiles.Patient]
max_age = 604800
initial_wait = 600
max_wait = 14400
"""
_GROUPS = (
    ("PARTNERS", ["198.51.100.0/24", ".relay.partner.example"], "PARTNER_TLS", "contract 2026-11, reviewed each November"),
    ("VERIFIED_PARTNERS", ["203.0.113.7", "mx.partner.example"], "VERIFIED", "shows a certificate"),
    ("BANKS", [".bank.example", "192.0.2.0/26"], "BANKS", ""),
    ("OLD_FAX_GATEWAY", ["192.0.2.77"], "OLD_PARTNER", "until it is replaced"),
    (LONG, ["2001:db8:1234:5678::/64"], LONG, "a comment that goes on and on, " * 6),
    ("SUSPECTLIST", ["dnslist[bl.example]", "not.double.verified"], "THROTTLED", ""),
    ("BLACKLIST", ["203.0.113.128-191"], "BLOCKED", "abuse, since 2025"),
    ("MANY", [f"10.{at // 250}.{at % 250}.1" for at in range(600)], "ACCEPTED", "imported from the old system"),
)
_GOT = (
    (62, "TLSv1.3", "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", 256),
    (18, "TLSv1.3", "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", "X25519", 256),
    (5, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", "X25519", 256),
    (8, "TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "P-256", 256),
    (2, "TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "P-384", 128),
    (5, "", "", "", "", 0),
)
_PARTIES = (
    ("198.51.100.7", "mx.relay.partner.example", "partner.example", "PARTNERS 198.51.100.0/24", "PARTNER_TLS", "required"),
    ("203.0.113.7", "mx.partner.example", "partner.example", "VERIFIED_PARTNERS 203.0.113.7", "VERIFIED", "required-verify"),
    ("192.0.2.3", "out1.bank.example", "bank.example", "BANKS 192.0.2.0/26", "BANKS", "preferred"),
    ("203.0.113.20", "", "clinic.example", "ALL", "ACCEPT", "preferred"),
    (
        "2001:db8:1234:5678:9abc:def0:1234:5678",
        "a-mail-server-whose-name-is-as-long-as-somebody-could-bear.subsidiary.partner.example",
        "a-domain-whose-name-is-as-long-as-somebody-could-bear.subsidiary.partner.example",
        f"{LONG} 2001:db8:1234:5678::/64",
        LONG,
        "required",
    ),
)


def document(public: int, private: int, third: int, closed: int) -> str:
    """Return the configuration; ports for the listeners, and one on which nobody listens for all next hops."""
    groups = "".join(
        f"[[listeners.InboundMail.sender_groups]]\nname = {name!r}\nsenders = {senders!r}\npolicy = {policy!r}\n"
        f"comment = {comment.strip()!r}\n"
        for name, senders, policy, comment in _GROUPS
    )
    text = _DOCUMENT.format(public=public, private=private, third=third, closed=closed, groups=groups, long=LONG)
    made = self_signed(Subject(names=("mx.expires-soon.example",)), days=9)
    soon = f"[certificates.soon]\ncertificate = '''\n{made.certificate}'''\nprivate_key = '''\n{made.private_key}'''\n"
    return text + certificate("mx", "mx1.example.com") + certificate("mx-partner", "mx.partner-facing.example.com") + soon


def bare(port: int) -> str:
    """Return a configuration with one listener of no table."""
    return f'[gateway]\nhostname = "mx1.example.com"\n[listeners.InboundMail]\naddress = "127.0.0.1"\nport = {port}\n'


def fill_records(state: Path, now: float | None = None) -> None:
    """Put a week of connections, messages and outcomes into the records; before the gateway starts."""
    now = time.time() if now is None else now
    chance = random.Random(5321)
    state.mkdir(parents=True, exist_ok=True)
    store = RecordStore(state / FILE_NAME)
    records: list[Record] = []
    for number in range(ROUNDS):
        ago = DAYS * 86400 * (1 - (number + chance.random()) / ROUNDS)
        records += _round(41_000 + number, now - ago, chance)
    store.append(records)
    store.close()


def add_tokens(state: Path, now: float | None = None) -> None:
    """Add tokens of programs: one with a long time before it, one near its end, one that has ended, one of a long name."""
    now = time.time() if now is None else now
    held: tuple[tuple[str, Role, int, int, str], ...] = (
        ("backup", "read-only", 20, 365, "alice"),
        ("deploy", "administrator", 81, 90, "alice"),
        ("migration-2026", "operator", 45, 30, "root"),
        (LONG, "read-only", 1, 3650, "a-login-name-as-long-as-they-get@subsidiary.example"),
    )
    for name, role, age, days, author in held:
        Tokens(state / "users.db", partial(float, now - age * DAY)).add(name, role, days, author)


def _round(number: int, when: float, chance: random.Random) -> list[Record]:
    """A connection, and, where it came in and was good enough, a message and what became of it."""
    [got] = chance.choices(_GOT, [weight for weight, *_ in _GOT])
    [party] = chance.choices(_PARTIES, [40, 12, 20, 24, 4])
    peer, name, domain, rule, policy, requirement = party
    direction = chance.choice(("in", "in", "out"))
    outcome = TlsOutcome(protocol=got[1], cipher=got[2], suite=got[3], group=got[4], bits=got[5]) if got[1] else None
    is_refused = outcome is None and requirement.startswith("required")
    offer = Offer(
        versions=("TLSv1.3", "TLSv1.2"),
        suites=("TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
        groups=("X25519MLKEM768", "X25519", "P-256"),
        key_shares=("X25519MLKEM768", "X25519"),
        signatures=("ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"),
        server_name="mx1.example.com",
    )
    connection = TlsRecord(
        direction="in" if direction == "in" else "out",
        connection=number,
        time=when,
        peer=peer,
        peer_name=name,
        port=25,
        listener="InboundMail" if direction == "in" else "",
        domain=domain if direction == "out" else "",
        rule=rule if direction == "in" else f"destination control {domain}",
        reason="the first sender group that holds this host",
        policy=policy if direction == "in" else "",
        requirement=requirement,
        requirement_source=f"policy {policy}",
        offer=offer if outcome else None,
        allowance=offer if outcome else None,
        cipher_order="server",
        outcome=outcome,
        failure="TLS was required but the remote host did not initiate it" if is_refused else "",
        verdict="as required"
        if outcome
        else "TLS was required and there is none"
        if is_refused
        else "no TLS, and none is required",
        messages=0 if is_refused else chance.randint(1, 4),
        revision=1,
    )
    if direction == "out" or is_refused:
        return [connection]
    encrypted = f"{got[1]} {got[2]}".strip()
    message = MessageRecord(
        mid=number,
        icid=number,
        time=when + 1,
        peer=peer,
        peer_name=name,
        listener="InboundMail",
        group=rule.split()[0],
        policy=policy,
        reverse_path=f"ann.of.accounting@{domain}",
        recipients=("bob@example.com", "carol@example.com")[: chance.randint(1, 2)],
        size=chance.randint(900, 4_000_000),
        subject=chance.choice(
            (
                "Invoice 2026-11",
                "Re: contract",
                "Minutes of the meeting of the committee for " + "very " * 12 + "long subjects",
                "",
            )
        ),
        message_id=f"<{number}@{domain}>",
        encrypted=encrypted,
        revision=1,
    )
    outcomes: list[Record] = []
    for rid, address in enumerate(message.recipients):
        [what] = chance.choices(("delivered", "deferred", "bounced", "held"), [90, 5, 3, 2])
        reply = {"delivered": "250 2.0.0 Ok: queued as 4F2k", "bounced": "550 5.1.1 no such user"}.get(
            what, "451 4.7.1 later"
        )
        outcomes.append(
            OutcomeRecord(
                mid=number,
                rid=rid,
                time=when + 2,
                address=address,
                outcome=what,  # type: ignore[arg-type]
                reply=reply,
                dcid=number,
                peer="10.0.0.5",
                encrypted=encrypted,
                attempts=1,
            )
        )
    return [connection, message, *outcomes]


def send_some(public: int, private: int) -> None:
    """Have a running gateway take a few messages that will wait, and refuse a few."""
    for domain in ("partner.example", "slow.example", "bank.example", "example.com"):
        for number in range(3):
            with Client(private) as client:
                client.say("EHLO host.inside.example.com")
                for line in (f"MAIL FROM:<ann{number}@example.com>", f"RCPT TO:<box{number}@{domain}>", "DATA"):
                    answer = client.say(line)
                    assert answer[:1] in "23", answer
                answer = client.say(f"From: Ann <ann{number}@example.com>\r\nSubject: Order {number}\r\n\r\nText\r\n.")
                assert answer.startswith("250"), answer
    with Client(public) as client:
        client.ehlo()
        client.start_tls()
        client.ehlo()
        client.send_text()
    with Client(public) as client:
        client.ehlo()
        client.say("MAIL FROM:<a@client.example>")
        client.say("RCPT TO:<nobody@elsewhere.example>")
