"""`explain in`: what a connecting host gets and why, from the functions that decide in production.

Decides nothing itself: it asks the tables, and words what their verdicts mean on the wire.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gatepost.admin.operations import negotiation, profiles
from gatepost.admin.operations.explanation import Inbound, Section, listed, settings
from gatepost.admin.operations.hat_rows import also, rows
from gatepost.admin.operations.hosts import Facts, addresses_of, facts
from gatepost.admin.operations.offers import Given, Negotiation, given_offer, negotiate, on_record, session_offer
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import Loaded, load
from gatepost.admin.operations.tables import listener_of, read_path, readable
from gatepost.admin.operations.whatif import with_draft
from gatepost.config.model import Config, Listener
from gatepost.errors import GatepostError
from gatepost.policy import access
from gatepost.policy.access import HostAccessTable
from gatepost.policy.addresses import AddressMatcher
from gatepost.policy.recipients import RecipientTable
from gatepost.policy.verdict import AccessVerdict, Policy

FIELDS = (
    "tls",
    "tls_profile",
    "tls_mandatory_senders",
    "tls_peer_names",
    "max_messages_per_connection",
    "max_recipients_per_message",
    "max_message_size",
    "max_connections_per_host",
    "max_recipients_per_hour",
)
_MAX_ADDRESSES = 8
_BEHAVIORS = {
    "accept": "ACCEPT: it may send to the recipients that the recipient table accepts.",
    "relay": "RELAY: it may send to any recipient; the recipient table is not asked.",
    "reject": "REJECT: it is refused with a 554 banner.",
    "tcprefuse": "TCPREFUSE: its connection is reset before a banner.",
}
_TLS = {
    "no": "STARTTLS is not offered; all mail comes in clear text.",
    "preferred": "STARTTLS is offered; clear text is accepted too.",
    "required": "Until STARTTLS has succeeded, every command but EHLO, NOOP, QUIT and STARTTLS is answered 530.",
    "preferred-verify": "STARTTLS is offered and a client certificate asked for; clear text and clients without one are "
    "accepted, a certificate that is not valid is refused.",
    "required-verify": "Until STARTTLS has succeeded, every command but EHLO, NOOP, QUIT and STARTTLS is answered 530; the "
    "client must show a valid certificate.",
}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked about a connecting host."""

    host: str
    """Address or name."""
    name: str = ""
    """Its verified name, where that is not to be looked up."""
    sender: str | None = None
    recipient: str = ""
    listener: str = ""
    """Empty: the first public one."""
    given: Given | None = None
    """What the client offers in TLS; None: each client on record is tried."""


def inbound(
    operator: Operator,
    host: str,
    *,
    name: str = "",
    sender: str | None = None,
    recipient: str = "",
    listener: str = "",
    offer: str = "",
    icid: int | None = None,
    draft: bool = False,
) -> Inbound:
    """Explain what a host gets, and what the draft would change of it.

    With a sender and a recipient, also what their MAIL and RCPT are answered. With an offer (a client on record, a file,
    or `icid`, a recorded session), also what the handshake would come to.
    """
    if offer and icid is not None:
        raise GatepostError("the offer is one of a client or file, or that of a session: not both")
    given = given_offer(offer) if offer else session_offer(operator, icid) if icid is not None else None
    question = Question(host=host, name=name, sender=sender, recipient=recipient, listener=listener, given=given)
    now = explained(load(operator, draft=draft), question)
    # of the same address: the DNS may well name a host's addresses in another order the next time
    again = msgspec.structs.replace(question, host=now.address)
    return now if draft else with_draft(operator, now, lambda pending: explained(pending, again))


def explained(loaded: Loaded, question: Question) -> Inbound:
    """Answer a question by one configuration."""
    config = loaded.config
    listener_name, listener = listener_of(config, question.listener)
    addresses = addresses_of(config, question.host)
    with readable():
        table = HostAccessTable.build(listener)
        known = facts(config, listener, table, addresses[0], question.name)
        verdict = table.match(known.host, known.listed)
        policy = verdict.policy
        matches = rows(table, known, verdict)
        others = list(_others(config, listener, table, verdict, addresses[1:]))
        tls, negotiations = _encryption(config, listener, policy, question.given)
        sections = [
            Section("Connection", [_where(listener_name, listener, known, loaded.label), known.origin, *others]),
            Section("Sender group", [f"{verdict.reason}.", *also(matches)]),
            Section("Behaviour", [_BEHAVIORS[policy.behavior]]),
            *tls,
            *_envelope(config, listener, policy, question),
        ]
    return Inbound(
        configuration=loaded.label,
        sections=sections,
        settings=settings(policy, FIELDS, policy.inherited),
        matches=matches,
        negotiations=negotiations,
        listener=listener_name,
        address=known.host.address,
        name=known.host.name,
        group=verdict.group,
        entry=verdict.entry,
        policy=policy.name,
        behavior=policy.behavior,
        tls=policy.tls,
        tls_profile=policy.tls_profile,
    )


def _where(name: str, listener: Listener, known: Facts, label: str) -> str:
    host = known.host
    who = f"{host.address} ({host.name})" if host.name else host.address
    place = f"{listener.type}, {listener.address} port {listener.port}"
    return f"{who} connects to the listener {name} ({place}) under {label}."


def _others(
    config: Config, listener: Listener, table: HostAccessTable, verdict: AccessVerdict, addresses: tuple[str, ...]
) -> Iterator[str]:
    """Say what a host's further addresses get, for a name may have several and a table knows but one at a time."""
    for address in addresses[:_MAX_ADDRESSES]:
        known = facts(config, listener, table, address, "")
        other = table.match(known.host, known.listed)
        same = (other.group, other.policy) == (verdict.group, verdict.policy)
        yield f"Its address {address} gets {'the same' if same else f'something else: {other.reason}'}."
    if len(addresses) > _MAX_ADDRESSES:
        yield f"It has {len(addresses) - _MAX_ADDRESSES} more addresses, which were not looked at."


def _encryption(
    config: Config, listener: Listener, policy: Policy, given: Given | None
) -> tuple[list[Section], list[Negotiation]]:
    """Say what TLS is asked for and what it comes to."""
    if policy.behavior not in ("accept", "relay"):
        return _none(given, "the connection ends before it"), []
    sections = [Section("TLS", _tls(config, policy))]
    if policy.tls == "no":
        return [*sections, *_none(given, "STARTTLS is not offered")], []
    try:
        sections.append(Section("Ciphers", profiles.inbound(config, policy.tls_profile, listener.certificates)))
        side = negotiation.side_of(config, listener, policy)
    except GatepostError as fault:
        return [*sections, Section("Handshake", [f"None can succeed: {fault}."])], []
    if given is None:
        return sections, [negotiate(side, one) for one in on_record()]
    said = negotiation.sentences(side, listener.certificates, policy, given)
    return [*sections, Section("Handshake", said)], [negotiate(side, given)]


def _none(given: Given | None, why: str) -> list[Section]:
    return [Section("Handshake", [f"There is none: {why}, so the offer is never made."])] if given else []


def _envelope(config: Config, listener: Listener, policy: Policy, question: Question) -> Iterator[Section]:
    if policy.behavior in ("accept", "relay"):
        if question.sender is not None:
            yield Section("Sender", mail_sentences(config, policy, question.sender))
        if question.recipient:
            yield Section("Recipient", rcpt_sentences(config, listener, policy, question.recipient))


def _tls(config: Config, policy: Policy) -> list[str]:
    came = "inherited from the Default Policy Parameters" if "tls" in policy.inherited else f"set by policy {policy.name}"
    said = [f"tls = {policy.tls}, {came}.", _TLS[policy.tls]]
    if policy.tls.endswith("-verify"):
        names = policy.tls_peer_names
        said.append(
            f"The certificate must carry one of the names {listed(names)}."
            if names
            else "Any certificate with a valid chain does."
        )
    if policy.tls.startswith("preferred") and policy.tls_mandatory_senders:
        known = config.address_lists.get(policy.tls_mandatory_senders)
        held = listed(tuple((known.addresses if known else [])[:5]))
        said.append(f"The senders of the address list {policy.tls_mandatory_senders} ({held}) have to encrypt.")
    return said


def mail_sentences(config: Config, policy: Policy, sender: str) -> list[str]:
    """Say what MAIL with this sender is answered, in the clear and over TLS."""
    path = read_path(sender, "sender")
    known = config.address_lists.get(policy.tls_mandatory_senders)
    matcher = AddressMatcher(known.addresses) if known else None
    refusal = access.mail(policy, matcher, path, encrypted=False)
    shown = f"MAIL FROM:<{path}>"
    if refusal is None:
        return [f"{shown} is accepted in clear text{'' if policy.tls == 'no' else ' and over TLS'}."]
    entry = matcher.match(path) if matcher and policy.tls.startswith("preferred") else ""
    why = f"{path} is in {entry} of the address list {policy.tls_mandatory_senders}" if entry else f"tls = {policy.tls}"
    return [f"{shown} in clear text is answered `{refusal}`: {why}.", f"{shown} over TLS is accepted."]


def rcpt_sentences(config: Config, listener: Listener, policy: Policy, recipient: str) -> list[str]:
    """Say what RCPT with this recipient is answered."""
    verdict = RecipientTable.build(listener, config.gateway).judge(policy, read_path(recipient, "recipient"))
    answer = "accepted" if verdict.accepted else f"answered `{verdict.reply}`"
    return [f"RCPT TO:<{recipient}> is {answer}: {verdict.reason}."]
