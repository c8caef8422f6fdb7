"""`nslookup` and `tlsverify`: what the DNS says, and what TLS a partner's hosts give. Only asks and calls."""

from __future__ import annotations

import asyncio
from functools import partial

from gatepost.admin.cli_tls_verify import found_lines
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import hosts, lookup, tls_verify
from gatepost.admin.operations.lookup import KINDS


async def nslookup(talk: Talk, rest: str) -> None:
    """Asks for a name or an address and a type of record, and shows what the resolvers of the gateway say.

    Name and type may follow the command instead: `nslookup partner.example MX`.
    """
    name, _, kind = rest.partition(" ")
    if not name:
        name = await talk.text("Enter the host name, the domain or the IP address to look up.")
        kind = KINDS[await talk.choose("Choose the query type.", KINDS, 0)]
    wanted = lookup.read_kind(kind.strip() or "A")
    found = await asyncio.to_thread(lookup.lookup, talk.operator, name, wanted)
    talk.say("")
    if found.fault:
        talk.say(f"{found.name} {found.kind}: {found.fault}")
    else:
        secure = ", validated by DNSSEC" if found.secure else ""
        talk.say(*(f"{found.kind} {record}" for record in found.records))
        talk.say(f"TTL {found.ttl} s{secure}")
    talk.say(f"Asked: {', '.join(found.servers)}")


async def tlsverify(talk: Talk, rest: str) -> None:
    """Asks for a domain, connects to its hosts as a delivery would, and says what TLS each gives.

    Then it says for every destination setting what would become of mail. STARTTLS is tried whatever setting is in force; no
    mail is sent. The committed configuration decides on routes, profile and trusted authorities.
    """
    read = hosts.read_name
    domain = read(rest) if rest else await talk.text("Enter the TLS domain to verify against:", check=read)
    host = await talk.text(
        "Enter the destination host to connect to. Append the port\n"
        "(example.com:26) if you are not connecting on port 25. An empty line\n"
        "connects to the hosts that mail to the domain goes to:",
        check=tls_verify.read_host,
    )
    with talk.progress("Connecting") as told:
        told(domain, 0, 1)
        found = await asyncio.to_thread(partial(tls_verify.verify, talk.operator, domain, host))
    talk.say("", *found_lines(found), "TLS verification completed.")


COMMANDS = (
    Command("nslookup", "Look a name up in the DNS.", nslookup, usage="[NAME [TYPE]]"),
    Command("tlsverify", "Connect to a domain's hosts and say what TLS they give.", tlsverify, usage="[DOMAIN]"),
)
