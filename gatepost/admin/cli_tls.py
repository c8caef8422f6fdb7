"""`gatepost tls`: what the TLS library makes of a cipher string, and what TLS a partner's hosts give. Only translates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_tls_verify import found_lines
from gatepost.admin.operations import ciphers, tls_verify
from gatepost.errors import GatepostError

group = Group("tls", "Cipher strings and what they select; what TLS a partner gives.")

_OLD = ("TLSv1.0", "TLSv1.1", "TLSv1.2")


@group.command("ciphers")
def show(
    cli: Cli,
    spec: Annotated[str, typer.Argument(metavar="SPEC", help='OpenSSL cipher string, such as "ECDHE+AESGCM".')] = "",
    everything: Annotated[bool, typer.Option("--all", help="Every suite that the TLS library has.")] = False,
    old: Annotated[bool, typer.Option("--old", help="As a profile that has TLSv1.0 or TLSv1.1 reads it.")] = False,
) -> None:
    """Show the suites that a cipher string selects, in order of preference, and what in it selects nothing."""
    if everything and not spec:
        found = ciphers.everything()
        cli.show(found, [_suites(found)])
        return
    judgement = ciphers.judge(cli.operator, spec, _OLD if old else ("TLSv1.2", "TLSv1.3"))
    cli.show(judgement, _lines(judgement))
    if judgement.refusals:
        raise GatepostError(f"cipher string {spec!r} {' '.join(str(refusal) for refusal in judgement.refusals)}")


@group.command("verify")
def verify(
    cli: Cli,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Destination, or an address in it.")],
    host: Annotated[
        str, typer.Option(metavar="HOST[:PORT]", help="Host to connect to, instead of those that mail goes to.")
    ] = "",
    draft: Annotated[bool, typer.Option("--draft", help="By the draft instead of the committed configuration.")] = False,
) -> None:
    """Connect to a domain's hosts as a delivery would, and show what TLS they give and what each setting makes of it.

    Exit status 1 when mail would wait under the setting in force.
    """
    with cli.waiting("Connecting"):
        found = tls_verify.verify(cli.operator, domain, host, draft=draft)
    cli.show(found, found_lines(found))
    if not found.ok:
        raise GatepostError(found.verdict)


def _lines(judgement: ciphers.Judgement) -> Iterator[Any]:
    if judgement.suites:
        yield _suites(judgement.suites)
    if judgement.dead and not (judgement.refusals and not judgement.suites):
        yield ""
        yield "Matches nothing:"
        yield from (f"  {token}" for token in judgement.dead)
    yield from judgement.warnings


def _suites(suites: Iterable[ciphers.Suite]) -> Any:
    rows = [
        (
            f"{one.name}\n{one.iana}" if one.name != one.iana else one.name,
            f"{one.protocol}\n{one.code}",
            f"{one.key_exchange}\n{one.authentication}",
            f"{one.cipher}\n{one.bits} bits, {one.mac}",
            f"{one.grade}\n{'PFS' if one.forward_secrecy else 'no PFS'}",
        )
        for one in suites
    ]
    return table("Suite", "Since", "Exchange", "Cipher, MAC", "Grade", rows=rows)
