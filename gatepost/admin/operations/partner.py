"""Add partner: what the DNS says of a domain, what this gateway does with its hosts today, and what would make TLS a must.

Answers the first question of everybody who inherits such a gateway: is a new listener needed, or a sender group on the one
that is there? Looks first, proposes, and changes the draft only when told to.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Container
from typing import Literal

import msgspec

from gatepost.admin.operations import configuration
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.drafts import current, known, with_listener
from gatepost.admin.operations.hosts import read_name
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.spf import Senders, senders
from gatepost.admin.operations.tables import listener_of, readable
from gatepost.config.diff import Change, differences
from gatepost.config.model import (
    AddressList,
    Config,
    DestinationControl,
    InboundTls,
    Listener,
    MailFlowPolicy,
    OutboundTls,
    SenderGroup,
)
from gatepost.errors import GatepostError
from gatepost.net.dns import DnsFailure, Resolver
from gatepost.net.dns_query import Query, parse_server, system_servers
from gatepost.policy.access import HostAccessTable
from gatepost.policy.mail_flow import policies
from gatepost.policy.verdict import Host

Method = Literal["hosts", "senders"]
MAX_LOOKED_UP = 20
"""Addresses whose names are looked up."""
TLS_POLICY = "TLS_REQUIRED"


class MailHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host that takes the partner's mail."""

    name: str
    preference: int
    addresses: list[str] = []
    fault: str = ""


class Sending(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts that send the partner's mail, and what the gateway gives them now."""

    network: str
    by: str
    """Whose SPF record names it."""
    name: str = ""
    """Verified name of its first address; empty when there is none."""
    group: str
    """Sender group that its first address falls into; empty: the ALL row."""
    entry: str
    policy: str
    tls: InboundTls


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What to put into the draft; every field may be changed before."""

    listener: str
    method: Method
    """hosts: a sender group holds the partner's hosts; senders: an address list holds the partner's addresses, for hosts
    that others use as well."""
    members: list[str]
    group: str
    before: str = ""
    """Sender group to stand before, since it holds some of the hosts as well; empty: at the end."""
    policy: str = TLS_POLICY
    inbound_tls: InboundTls = "required"
    outbound_tls: OutboundTls = "required"
    domain: str


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that was found, and what is proposed."""

    domain: str
    listener: str
    mx: list[MailHost]
    mx_note: str = ""
    spf: Senders
    sending: list[Sending]
    answer: str
    """Whether a new listener is needed."""
    advice: list[str]
    """What to mind, in sentences."""
    proposal: Proposal


def look(operator: Operator, domain: str, *, listener: str = "") -> Findings:
    """Look a partner up. GatepostError for what is no domain, and where there is no listener."""
    domain = read_name(domain.strip().rpartition("@")[2])
    config = current(operator)
    name, entry = listener_of(config, listener)
    with readable():
        table = HostAccessTable.build(entry)
    servers = [parse_server(text) for text in config.gateway.dns_servers] or system_servers()
    return asyncio.run(_look(config, domain, name, entry, table, Query(servers)))


async def _look(
    config: Config, domain: str, name: str, listener: Listener, table: HostAccessTable, query: Query
) -> Findings:
    resolver = Resolver(config.gateway.dns_servers)
    spf, (mx, note) = await asyncio.gather(senders(domain, query, resolver), _mail_hosts(resolver, domain))
    told = await asyncio.gather(*(_name_of(resolver, one.network) for one in spf.senders[:MAX_LOOKED_UP]))
    names = dict(zip((one.network for one in spf.senders), told, strict=False))
    sending = [_sending(table, one.network, one.by, names.get(one.network, "")) for one in spf.senders]
    return Findings(
        domain=domain,
        listener=name,
        mx=mx,
        mx_note=note,
        spf=spf,
        sending=sending,
        answer=_answer(name, listener),
        advice=list(_advice(domain, spf, mx)),
        proposal=propose(config, domain, name, spf, mx, sending),
    )


def propose(config: Config, domain: str, name: str, spf: Senders, mx: list[MailHost], sending: list[Sending]) -> Proposal:
    """Return what would make TLS a must with a partner, as far as what was found tells."""
    listener = config.listeners[name]
    own = [one.network for one in spf.senders if one.by == domain or one.by.endswith(f".{domain}")]
    members = [one.network for one in spf.senders] or [address for host in mx for address in host.addresses]
    taken = {one.group for one in sending if one.group}
    before = next((group.name for group in listener.sender_groups if group.name in taken), "")
    return Proposal(
        listener=name,
        # hosts of a provider send for its other customers as well: all of them would be held to TLS
        method="senders" if spf.shared and not own else "hosts",
        members=own or members,
        group=_free(f"PARTNER_{_word(domain)}", {group.name for group in listener.sender_groups}),
        before=before,
        policy=_fitting(listener, "required"),
        domain=domain,
    )


def preview(operator: Operator, proposal: Proposal) -> list[Change]:
    """Return what a proposal would change in the draft, and change nothing."""
    config = current(operator)
    return differences(config, _changed(config, proposal))


def apply(operator: Operator, proposal: Proposal) -> Pending:
    """Put a proposal into the draft."""
    return configuration.edit(operator, lambda config: _changed(config, proposal))


def _changed(config: Config, proposal: Proposal) -> Config:
    listener = known(config.listeners, proposal.listener, "listener")
    if proposal.method == "hosts":
        config = with_listener(config, proposal.listener, _with_group(listener, proposal))
    else:
        config = _with_address_list(config, listener, proposal)
    if proposal.outbound_tls == config.default_destination.tls and proposal.domain not in config.destinations:
        return config
    control = config.destinations.get(proposal.domain, DestinationControl())
    control = msgspec.structs.replace(control, tls=proposal.outbound_tls)
    return msgspec.structs.replace(config, destinations={**config.destinations, proposal.domain: control})


def _with_group(listener: Listener, proposal: Proposal) -> Listener:
    rows = list(listener.sender_groups)
    if any(row.name == proposal.group for row in rows):
        raise GatepostError(f"there is a sender group {proposal.group} already: choose another name, or edit that one")
    if not proposal.members:
        raise GatepostError(f"no hosts are named: write the addresses that {proposal.domain} sends from")
    place = len(rows)
    if proposal.before:
        place = next((index for index, row in enumerate(rows) if row.name == proposal.before), place)
    made = SenderGroup(
        name=proposal.group, senders=proposal.members, policy=proposal.policy, comment=f"TLS with {proposal.domain}"
    )
    rows.insert(place, made)
    held = listener.policies
    if proposal.policy not in held:
        held = {**held, proposal.policy: MailFlowPolicy(tls=proposal.inbound_tls)}
    return msgspec.structs.replace(listener, sender_groups=rows, policies=held)


def _with_address_list(config: Config, listener: Listener, proposal: Proposal) -> Config:
    """Name the partner's addresses in the list that every policy of TLS preferred holds to encryption."""
    default = listener.default_policy
    name = default.tls_mandatory_senders or "must_encrypt"
    entry = config.address_lists.get(name, AddressList(description="These senders must encrypt."))
    wanted = [f"@{proposal.domain}", f"@.{proposal.domain}"]
    addresses = entry.addresses + [one for one in wanted if one not in entry.addresses]
    lists = {**config.address_lists, name: msgspec.structs.replace(entry, addresses=addresses)}
    tls: InboundTls = "preferred" if default.tls == "no" else default.tls
    default = msgspec.structs.replace(default, tls=tls, tls_mandatory_senders=name)
    listener = msgspec.structs.replace(listener, default_policy=default)
    return with_listener(msgspec.structs.replace(config, address_lists=lists), proposal.listener, listener)


def _fitting(listener: Listener, tls: InboundTls) -> str:
    """Return a policy that accepts under this TLS setting, or the name of one to be made."""
    for name, policy in policies(listener).items():
        if policy.behavior == "accept" and policy.tls == tls and name in listener.policies:
            return name
    return _free(TLS_POLICY, listener.policies.keys())


def _sending(table: HostAccessTable, network: str, by: str, name: str) -> Sending:
    host = Host(network.partition("/")[0], name, "verified" if name else "nx.domain")
    verdict = table.match(host)
    return Sending(
        network=network,
        by=by,
        name=name,
        group=verdict.group,
        entry=verdict.entry,
        policy=verdict.policy.name,
        tls=verdict.policy.tls,
    )


def _answer(name: str, listener: Listener) -> str:
    if listener.type != "public":
        return f"Listener {name} is private: mail from the Internet comes in by a public one. Make a public listener first."
    if not listener.certificates:
        return (
            f"No new listener is needed, but {name} has no certificate and cannot speak TLS: give it one first, "
            "under Network > Certificates."
        )
    return f"No new listener is needed: a sender group and a policy on {name} are enough."


def _advice(domain: str, spf: Senders, mx: list[MailHost]) -> list[str]:
    told = []
    if spf.shared:
        told.append(
            f"{domain} sends by hosts of {', '.join(spf.shared)}, which send for others as well: a sender group of these "
            "hosts holds all their customers to TLS. An address list (method: senders) holds only mail from this domain to "
            "it, but can refuse no earlier than at MAIL."
        )
    if not spf.record:
        told.append(f"{domain} has no SPF record: ask the partner which hosts they send from.")
    if not mx:
        told.append(f"No host takes mail for {domain}: see whether the name is right.")
    return told + spf.left_out


async def _mail_hosts(resolver: Resolver, domain: str) -> tuple[list[MailHost], str]:
    try:
        answer = await resolver.mx(domain)
    except DnsFailure as error:
        return [], str(error)
    if answer.null:
        return [], f"{domain} takes no mail (null MX, RFC 7505)"
    hosts = []
    for host in answer.hosts[:MAX_LOOKED_UP]:
        try:
            found = list(await resolver.addresses(host.name))
        except DnsFailure as error:
            hosts.append(MailHost(name=host.name, preference=host.preference, fault=str(error)))
        else:
            hosts.append(MailHost(name=host.name, preference=host.preference, addresses=found))
    return hosts, "there is no MX record: the domain itself is the host" if answer.implicit else ""


async def _name_of(resolver: Resolver, network: str) -> str:
    if "/" in network:
        return ""
    found = await resolver.host(network)
    return found.name if found.status == "verified" else ""


def _word(domain: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", domain.upper()).strip("_")


def _free(name: str, taken: Container[str]) -> str:
    number = 2
    made = name
    while made in taken:
        made, number = f"{name}_{number}", number + 1
    return made
