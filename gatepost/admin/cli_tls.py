"""`gatepost tls`: what the TLS library makes of a cipher string. Only translates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.operations import ciphers
from gatepost.errors import GatepostError

group = Group("tls", "Cipher strings and what they select.")

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
