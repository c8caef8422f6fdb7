"""How records are written on a terminal: messages, their recipients' outcomes, connections and their TLS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gatepost.admin.cli_base import table
from gatepost.admin.cli_text import brief, moment, pairs, shown, size, wrapped
from gatepost.records.message_record import MessageRecord, OutcomeRecord
from gatepost.records.search import Gap, Tracked
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.outcome import Offer, PeerCertificate, TlsOutcome

CLEAR = "clear text"


def messages_table(found: Iterable[MessageRecord]) -> Any:
    """Write messages, one a row."""
    rows = (
        (one.mid, brief(one.time), shown(one.reverse_path) or "<>", _first(one.recipients), _version(one.encrypted))
        for one in found
    )
    return table("MID", "Received", "From", "To", "TLS", rows=rows, right=(0,))


def message_lines(found: Tracked) -> Iterator[Any]:
    """Write everything about one message."""
    if found.message is None:
        yield "Its own record is missing; these are its outcomes."
    else:
        yield from pairs(_message_facts(found.message))
    if found.outcomes:
        yield ""
        rows = [
            (one.rid, shown(one.address), one.outcome, brief(one.time), way_text(one), shown(one.reply))
            for one in found.outcomes
        ]
        yield table("RID", "Recipient", "Outcome", "When", "TLS", "Answer", rows=rows, right=(0,))
    for connection in found.connections:
        yield ""
        yield from connection_lines(connection)


def way_text(one: OutcomeRecord) -> str:
    """Write how a recipient's mail went; nothing where it did not go."""
    return one.encrypted or (CLEAR if one.outcome == "delivered" and one.dcid else "")


def connections_table(found: Iterable[TlsRecord]) -> Any:
    """Write connections, one a row."""
    rows = ((_name(one), brief(one.time), shown(one.peer_name or one.peer), one.requirement, _came_to(one)) for one in found)
    return table("Connection", "When", "Peer", "Required", "Came to", rows=rows)


def gaps_table(found: Iterable[Gap]) -> Any:
    """Write the times of which records are incomplete, one a row."""
    rows = (
        (moment(one.since), moment(one.until), one.worker if one.worker >= 0 else "master", one.lost or "?", one.reason)
        for one in found
    )
    return table("Since", "Until", "Worker", "Lost", "Why", rows=rows, right=(2, 3))


def connection_lines(one: TlsRecord) -> Iterator[str]:
    """Write one connection: which rule, what it required, what was negotiated and why."""
    yield f"{'Received by' if one.direction == 'in' else 'Delivered by'} {_name(one)}"
    yield from (f"  {line}" for line in pairs(_connection_facts(one)))
    if one.offer is not None:
        yield "  The peer offered"
        yield from _offer(one.offer)
    if one.allowance is not None:
        yield "  We allow"
        yield from _offer(one.allowance)


def _message_facts(one: MessageRecord) -> list[tuple[str, object]]:
    return [
        ("MID", one.mid),
        ("Received", moment(one.time)),
        ("From", shown(one.reverse_path) or "<>"),
        ("To", shown(", ".join(one.recipients))),
        ("Subject", shown(one.subject)),
        ("Message-ID", shown(one.message_id)),
        ("Size", size(one.size)),
        ("Peer", _peer(one.peer, one.peer_name)),
        ("Listener", one.listener),
        ("Sender group", one.group or ("ALL" if one.icid else "")),
        ("Policy", one.policy),
        ("TLS", one.encrypted or CLEAR if one.icid else ""),
        ("Revision", one.revision or ""),
    ]


def _connection_facts(one: TlsRecord) -> list[tuple[str, object]]:
    port, here = f" port {one.port}" if one.port else "", one.direction == "in"
    facts: list[tuple[str, object]] = [
        ("When", moment(one.time)),
        ("Peer", f"{_peer(one.peer, one.peer_name)}{'' if here else port}"),
        ("Listener", f"{one.listener}{port if here else ''}"),
        ("Domain", one.domain),
        ("Rule", one.rule),
        ("Why", shown(one.reason)),
        ("Required", f"{one.requirement} ({one.requirement_source})" if one.requirement_source else one.requirement),
    ]
    if one.outcome is not None:
        facts += outcome_facts(one.outcome)
        facts.append(("Order", f"the {one.cipher_order}'s decides" if one.cipher_order else ""))
    else:
        facts.append(("TLS", "failed" if one.failure else CLEAR))
    return [
        *facts,
        ("Failure", shown(one.failure)),
        ("Verdict", shown(one.verdict)),
        ("Messages", one.messages),
        ("Revision", one.revision or ""),
    ]


def outcome_facts(outcome: TlsOutcome) -> list[tuple[str, object]]:
    """Return what was negotiated."""
    chain = "verified" if outcome.chain_ok else outcome.chain_error
    return [
        ("Protocol", outcome.protocol),
        ("Cipher", f"{outcome.cipher} ({outcome.bits} bits)" if outcome.bits else outcome.cipher),
        ("Group", outcome.group),
        ("Certificate", certificate_text(outcome.peer) if outcome.peer else ""),
        ("Chain", chain if outcome.peer else ""),
    ]


def certificate_text(peer: PeerCertificate) -> str:
    """Write whose certificate it is."""
    names = ", ".join(peer.dns_names) or peer.common_name or peer.subject
    return shown(f"{names}, {peer.key}, until {moment(peer.not_after)[:10]}")


def _offer(offer: Offer) -> Iterator[str]:
    for name, values in (("versions", offer.versions), ("suites", offer.suites), ("groups", offer.groups)):
        if values:
            yield wrapped(f"{name}: {', '.join(map(shown, values))}", "    ")
    if offer.server_name:
        yield f"    server name: {shown(offer.server_name)}"


def _came_to(one: TlsRecord) -> str:
    if one.failure:
        return shown(one.failure)
    if one.outcome is None:
        return CLEAR
    return f"{one.outcome.protocol} {one.outcome.cipher}{' verified' if one.verified else ''}"


def _name(one: TlsRecord) -> str:
    return f"{'ICID' if one.direction == 'in' else 'DCID'} {one.connection}"


def _peer(address: str, name: str) -> str:
    return f"{address} ({shown(name)})" if name and name != address else address


def _version(encrypted: str) -> str:
    return encrypted.partition(" ")[0] or CLEAR


def _first(recipients: tuple[str, ...]) -> str:
    if not recipients:
        return ""
    more = f" and {len(recipients) - 1} more" if len(recipients) > 1 else ""
    return f"{shown(recipients[0])}{more}"
