"""`trace`: one message followed through the tables from connection to next hop, and nothing sent (asyncos.md 9.1).

The sections stand in the order of processing, and stop where the gateway would stop.
"""

from __future__ import annotations

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
from gatepost.policy import access
from gatepost.policy.access import HostAccessTable
from gatepost.policy.destination import DestinationTable, RouteTable
from gatepost.policy.recipients import RecipientTable
from gatepost.policy.verdict import AccessVerdict, Policy
from gatepost.smtp.path import Path


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A message's way."""

    configuration: str
    listener: str
    sections: list[Section]
    accepted: list[str]
    """Recipients that would be taken, as they would be recorded."""
    refused: list[str]


def trace(
    operator: Operator,
    address: str,
    *,
    sender: str,
    recipients: list[str],
    name: str = "",
    listener: str = "",
    draft: bool = True,
) -> Trace:
    """Follow one message; by default under the draft, for `trace` is there to try a change before it is committed."""
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
        accepted: list[Path] = []
        refused: list[str] = []
        if verdict.policy.behavior in ("accept", "relay"):
            sections += _envelope(loaded.config, chosen, verdict, sender, recipients, accepted, refused)
        else:
            sections.append(Section("End", [_ending(loaded.config, verdict)]))
    return Trace(
        configuration=loaded.label,
        listener=listener_name,
        sections=sections,
        accepted=[str(path) for path in accepted],
        refused=refused,
    )


def _limits(policy: Policy) -> list[str]:
    limits = (
        f"at most {_number(policy.max_message_size)} octets a message, "
        f"{_number(policy.max_recipients_per_message)} recipients a message, "
        f"{_number(policy.max_messages_per_connection)} messages a connection"
    )
    return [f"Policy {policy.name}: {policy.behavior.upper()}, tls = {policy.tls}, {limits}."]


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
    reverse = table.complete(read_path(sender, "sender"))
    if not reverse.is_null and not reverse.domain:
        refused += recipients
        return [Section("Processing MAIL FROM", [f"{reverse} has no domain, and the listener no default domain: refused."])]
    sections = [Section("Processing MAIL FROM", mail_sentences(config, verdict.policy, str(reverse)))]
    said = []
    for recipient in recipients:
        judged = table.judge(verdict.policy, read_path(recipient, "recipient"))
        if judged.accepted:
            accepted.append(judged.forward_path)
            said.append(f"RCPT TO:<{recipient}> is accepted: {judged.reason}.")
        else:
            refused.append(recipient)
            said.append(f"RCPT TO:<{recipient}> is answered `{judged.reply}`: {judged.reason}.")
    sections.append(Section("Processing Recipient List", said))
    return sections + [_delivery(config, domain) for domain in dict.fromkeys(path.domain for path in accepted)]


def _delivery(config: Config, domain: str) -> Section:
    destination = DestinationTable(config.destinations, config.default_destination).find(domain)
    route = RouteTable(config.routes).find(domain)
    sentences = [*route_sentences(domain, route), *tls_sentences(domain, destination), retry_sentence(config, destination)]
    return Section(f"Message Enqueued for Delivery to {domain}", sentences)
