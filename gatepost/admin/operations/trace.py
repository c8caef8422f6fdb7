"""`trace`: one message followed through the tables from connection to next hop, and nothing sent (asyncos.md 9.1).

The sections stand in the order of processing, and stop where the gateway would stop. What a section says comes from the
functions that decide in production.
"""

from __future__ import annotations

import time

import msgspec

from gatepost.admin.operations.explain_in import mail_sentences
from gatepost.admin.operations.explain_out import retry_sentence, route_sentences, tls_sentences
from gatepost.admin.operations.explanation import Section
from gatepost.admin.operations.hat_rows import rows
from gatepost.admin.operations.hosts import facts
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.admin.operations.tables import listener_of, read_path, readable
from gatepost.config.model import UNLIMITED, Config, Listener
from gatepost.inbound.trace import received_field
from gatepost.policy import access
from gatepost.policy.access import HostAccessTable
from gatepost.policy.destination import DestinationTable, RouteTable
from gatepost.policy.recipients import RecipientTable
from gatepost.policy.verdict import AccessVerdict, Host, Policy
from gatepost.smtp import reply
from gatepost.smtp.path import Path


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A message's way."""

    configuration: str
    listener: str
    sections: list[Section]
    accepted: list[str]
    """Recipients that would be taken, as they would be recorded."""
    refused: list[str]
    message: str = ""
    """What would be stored, our Received field on top; empty: no message was given, or it would not be taken."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The mail data to follow, and who brings it."""

    hello: str = "unknown"
    """What the client calls itself in EHLO."""
    text: str = ""
    """Header and body as an editor has them; empty: none."""

    @property
    def octets(self) -> bytes:
        """The mail data, with CR LF behind every line."""
        return "".join(f"{line}\r\n" for line in self.text.splitlines()).encode()


def trace(
    operator: Operator,
    address: str,
    *,
    sender: str,
    recipients: list[str],
    name: str = "",
    listener: str = "",
    message: Message | None = None,
    draft: bool = True,
) -> Trace:
    """Follow one message; by default under the draft, for `trace` is there to try a change before it is committed."""
    message = message or Message()
    loaded = load(operator, draft=draft)
    listener_name, chosen = listener_of(loaded.config, listener)
    with readable():
        table = HostAccessTable.build(chosen)
        known = facts(loaded.config, chosen, table, address, name)
        verdict = table.match(known.host, known.listed)
        passed = [
            f"{row.entry} of {row.group}: {row.remark}." for row in rows(table, known, verdict) if row.remark and row.group
        ]
        sections = [Section("Host Access Table", [f"{verdict.reason}.", known.origin, *passed, *_limits(verdict.policy)])]
        result = ""
        accepted: list[Path] = []
        refused: list[str] = []
        if verdict.policy.behavior in ("accept", "relay"):
            sections += _envelope(loaded.config, chosen, verdict, sender, recipients, accepted, refused)
            if accepted:
                taken, said = _message(loaded.config, chosen, verdict.policy, message)
                sections.append(Section("Message Processing", said))
                if taken:
                    sections += [
                        _delivery(loaded.config, domain) for domain in dict.fromkeys(path.domain for path in accepted)
                    ]
                    result = _result(loaded.config, known.host, message, accepted)
            else:
                sections.append(Section("End", ["No recipient is left, so no message is taken."]))
        else:
            sections.append(Section("End", [_ending(loaded.config, verdict)]))
    return Trace(
        configuration=loaded.label,
        listener=listener_name,
        sections=sections,
        accepted=[str(path) for path in accepted],
        refused=refused,
        message=result,
    )


def _limits(policy: Policy) -> list[str]:
    limits = (
        f"at most {_number(policy.max_message_size)} octets a message, "
        f"{_number(policy.max_recipients_per_message)} recipients a message, "
        f"{_number(policy.max_messages_per_connection)} messages a connection"
    )
    host = (
        f"at most {_number(policy.max_connections_per_host)} connections a host, "
        f"{_number(policy.max_recipients_per_hour)} recipients a host and hour"
    )
    profile = f" by the TLS profile {policy.tls_profile}" if policy.tls != "no" else ""
    said = [f"Policy {policy.name}: {policy.behavior.upper()}, tls = {policy.tls}{profile}, {limits}; {host}."]
    if policy.inherited:
        said.append(f"From the Default Policy Parameters: {', '.join(sorted(policy.inherited))}.")
    return said


def _number(limit: int) -> str:
    return "any number of" if limit == UNLIMITED else str(limit)


def _ending(config: Config, verdict: AccessVerdict) -> str:
    if verdict.policy.behavior == "tcprefuse":
        return "The connection is reset; nothing is answered."
    return f"The banner is `{access.refusal(verdict, config.gateway.hostname)}`, and the connection is closed."


def _envelope(
    config: Config,
    listener: Listener,
    verdict: AccessVerdict,
    sender: str,
    recipients: list[str],
    accepted: list[Path],
    refused: list[str],
) -> list[Section]:
    table = RecipientTable.build(listener, config.gateway)
    written = read_path(sender, "sender")
    reverse = table.complete(written)
    if not reverse.is_null and not reverse.domain:
        refused += recipients
        return [Section("Processing MAIL FROM", [f"{reverse} has no domain, and the listener no default domain: refused."])]
    completed = [] if reverse == written else [f"{written} is completed with the listener's default domain: {reverse}."]
    sections = [Section("Processing MAIL FROM", [*completed, *mail_sentences(config, verdict.policy, str(reverse))])]
    said = []
    for recipient in recipients:
        refusal = access.recipient(verdict.policy, len(accepted))
        if refusal is not None:
            refused.append(recipient)
            said.append(f"RCPT TO:<{recipient}> is answered `{refusal}`: the policy allows {len(accepted)} of a message.")
            continue
        judged = table.judge(verdict.policy, read_path(recipient, "recipient"))
        if judged.accepted:
            accepted.append(judged.forward_path)
            became = "" if judged.rewriting is None else f" and goes to <{judged.forward_path}>"
            said.append(f"RCPT TO:<{recipient}> is accepted{became}: {judged.reason}.")
        else:
            refused.append(recipient)
            said.append(f"RCPT TO:<{recipient}> is answered `{judged.reply}`: {judged.reason}.")
    sections.append(Section("Processing Recipient List", said))
    return sections


def _message(config: Config, listener: Listener, policy: Policy, message: Message) -> tuple[bool, list[str]]:
    """Say what becomes of the mail data before it is queued, and whether it is taken."""
    octets = message.octets
    if octets and 0 <= policy.max_message_size < len(octets):
        limit = f"it has {len(octets)} octets, and policy {policy.name} takes {policy.max_message_size}"
        return False, [f"The end of the mail data is answered `{reply.MESSAGE_TOO_LARGE}`: {limit}."]
    profile = f"Bounce profile of the listener: {listener.bounce_profile}; a destination that names its own goes before it."
    content = "Its content is neither looked at nor changed: a Received field is put on top, and it is queued for delivery."
    return True, [profile, content]


def _result(config: Config, host: Host, message: Message, accepted: list[Path]) -> str:
    """Return the message as it would be stored, the MID left at 0."""
    if not message.text:
        return ""
    field = received_field(
        hello_name=message.hello,
        peer_name=host.verified_name,
        peer_address=host.address,
        hostname=config.gateway.hostname,
        extended=True,
        tls=None,
        smtputf8=False,
        mid=0,
        recipient=str(accepted[0]) if len(accepted) == 1 else "",
        now=time.time(),
    )
    return (field + message.octets).decode(errors="replace").replace("\r\n", "\n")


def _delivery(config: Config, domain: str) -> Section:
    destination = DestinationTable(config.destinations, config.default_destination).find(domain)
    route = RouteTable(config.routes).find(domain)
    sentences = [*route_sentences(domain, route), *tls_sentences(domain, destination), retry_sentence(config, destination)]
    return Section(f"Message Enqueued for Delivery to {domain}", sentences)
