"""`explain in`: what a connecting host gets and why, from the functions that decide in production.

Decides nothing itself: it asks the tables, and words what their verdicts mean on the wire.
"""

from __future__ import annotations

from gatepost.admin.operations import profiles
from gatepost.admin.operations.explanation import Inbound, Section, listed, settings
from gatepost.admin.operations.hat_rows import also, rows
from gatepost.admin.operations.hosts import Facts, facts
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.admin.operations.tables import listener_of, read_path, readable
from gatepost.config.model import Config, Listener
from gatepost.policy import access
from gatepost.policy.access import HostAccessTable
from gatepost.policy.addresses import AddressMatcher
from gatepost.policy.recipients import RecipientTable
from gatepost.policy.verdict import Policy

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


def inbound(
    operator: Operator,
    address: str,
    *,
    name: str = "",
    sender: str | None = None,
    recipient: str = "",
    listener: str = "",
    draft: bool = False,
) -> Inbound:
    """Explain what a host gets; with a sender and a recipient, also what their MAIL and RCPT are answered."""
    loaded = load(operator, draft=draft)
    listener_name, chosen = listener_of(loaded.config, listener)
    with readable():
        table = HostAccessTable.build(chosen)
        known = facts(loaded.config, chosen, table, address, name)
        verdict = table.match(known.host, known.listed)
        matches = rows(table, known, verdict)
        policy = verdict.policy
        sections = [
            Section("Connection", [_where(listener_name, chosen, known, loaded.label), known.origin]),
            Section("Sender group", [f"{verdict.reason}.", *also(matches)]),
            Section("Behaviour", [_BEHAVIORS[policy.behavior]]),
            *_admitted(loaded.config, chosen, policy, sender, recipient),
        ]
    return Inbound(
        configuration=loaded.label,
        sections=sections,
        settings=settings(policy, FIELDS, policy.inherited),
        matches=matches,
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


def _admitted(config: Config, listener: Listener, policy: Policy, sender: str | None, recipient: str) -> list[Section]:
    if policy.behavior not in ("accept", "relay"):
        return []
    sections = [Section("TLS", _tls(config, policy))]
    if policy.tls != "no":
        sections.append(Section("Ciphers", profiles.inbound(config, policy.tls_profile, listener.certificates)))
    if sender is not None:
        sections.append(Section("Sender", mail_sentences(config, policy, sender)))
    if recipient:
        sections.append(Section("Recipient", rcpt_sentences(config, listener, policy, recipient)))
    return sections


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
