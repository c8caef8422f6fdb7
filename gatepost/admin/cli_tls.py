"""`gatepost tls`: what a cipher string selects and costs, and what TLS a partner's hosts give. Only translates."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_tls_verify import verify
from gatepost.admin.operations import ciphers
from gatepost.admin.operations import costs as measured
from gatepost.admin.operations.costs import Costs
from gatepost.errors import GatepostError

group = Group("tls", "Cipher strings and what they cost; what TLS a partner gives.")

_OLD = ("TLSv1.0", "TLSv1.1", "TLSv1.2")


@group.command("ciphers")
def show(
    cli: Cli,
    spec: Annotated[
        str | None,
        typer.Argument(metavar="SPEC", help='OpenSSL cipher string, such as "ECDHE+AESGCM"; otherwise profile inbound\'s.'),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every suite that the TLS library has.")] = False,
    old: Annotated[bool, typer.Option("--old", help="As a profile that has TLSv1.0 or TLSv1.1 reads it.")] = False,
    measure: Annotated[
        bool, typer.Option("--measure", help="Measure what TLS costs on this machine (15 seconds of one core) and keep it.")
    ] = False,
) -> None:
    """Show which suites a cipher string selects, and what they cost.

    They come in the order of preference; what in the string selects nothing stands below.
    """
    found = _measure(cli) if measure else measured.costs(cli.operator)
    ours = ciphers.profile(cli.operator, "inbound")
    groups = tuple(ours.groups)
    if everything and not spec:
        suites = ciphers.everything()
        cli.show({"suites": suites, "costs": found}, [_suites(suites), *_costs(suites, found, groups)])
        return
    if spec is None:
        spec, methods = ours.ciphers, ours.methods
        head = [f'Profile inbound, ciphers = "{spec}":', ""]
    else:
        methods, head = ["TLSv1.2", "TLSv1.3"], []
    judgement = ciphers.judge(cli.operator, spec, _OLD if old else methods)
    value = {**{field: getattr(judgement, field) for field in judgement.__struct_fields__}, "costs": found}
    cli.show(value, [*head, *_lines(judgement, found, groups)])
    if judgement.refusals:
        raise GatepostError(f"cipher string {spec!r} {' '.join(str(refusal) for refusal in judgement.refusals)}")


def _measure(cli: Cli) -> Costs:
    with cli.progress("Measuring") as told:
        return measured.measure(cli.operator, told)


def _lines(judgement: ciphers.Judgement, found: Costs | None, groups: Sequence[str]) -> Iterator[Any]:
    if judgement.suites:
        yield _suites(judgement.suites)
        yield from _costs(judgement.suites, found, groups)
    if judgement.dead and judgement.suites:
        yield ""
        yield "Matches nothing:"
        yield from (f"  {token}" for token in judgement.dead)
    yield from judgement.warnings


def _suites(suites: Sequence[ciphers.Suite]) -> Any:
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


def _costs(suites: Sequence[ciphers.Suite], found: Costs | None, groups: Sequence[str]) -> Iterator[Any]:
    yield ""
    if found is None:
        yield "What they cost has not been measured on this machine; --measure does it."
        return
    when = datetime.datetime.fromtimestamp(found.measured_at, datetime.UTC)
    yield f"Cost, measured {when:%Y-%m-%d %H:%M} UTC on {found.machine.processor}"
    yield f"with {found.machine.library}: CPU ms of a server's handshake"
    yield "by kind of certificate, MB/s of bulk data in and out for a second of CPU"
    yield ""
    headers = ("Suite", "Group", *found.keys, "in", "out")
    yield table(*headers, rows=_cost_rows(suites, found, groups), right=tuple(range(2, len(headers))))
    newest = next((suite for suite in ciphers.everything() if suite.name == "TLS_AES_256_GCM_SHA384"), None)
    if newest:
        yield ""
        yield "CPU ms of a TLS 1.3 handshake by key exchange group"
        yield ""
        rows = [[name, *(_ms(found, newest, key, [name]) for key in found.keys)] for name in measured.GROUPS]
        yield table("Group", *found.keys, rows=rows, right=tuple(range(1, len(found.keys) + 1)))


def _cost_rows(suites: Sequence[ciphers.Suite], found: Costs, groups: Sequence[str]) -> Iterator[list[str]]:
    for suite in suites:
        by_key = [found.handshake(suite, key, groups) for key in found.keys]
        used = next((one.group for one in by_key if one), "")
        bulk = found.bulk(suite)
        if any(by_key):
            rates = [f"{bulk.receive:.0f}", f"{bulk.send:.0f}"] if bulk else ["", ""]
            yield [suite.name, used, *(f"{one.ms:.2f}" if one else "" for one in by_key), *rates]


def _ms(found: Costs, suite: ciphers.Suite, key: str, groups: Sequence[str]) -> str:
    one = found.handshake(suite, key, groups)
    return f"{one.ms:.2f}" if one else ""


group.command("verify")(verify)
