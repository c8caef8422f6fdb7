"""`sslconfig`: which TLS the web interface, listeners and deliveries speak, in the draft."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from gatepost.admin.cli_base import table
from gatepost.admin.cli_text import moment
from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.configuration import NOT_LIVE
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import cipher_list, ciphers, costs, tls_settings
from gatepost.admin.operations.cipher_list import Listed, Row
from gatepost.admin.operations.ciphers import Judgement
from gatepost.admin.operations.tls_settings import SIDES, Side
from gatepost.config.model import TlsProfile, TlsVersion
from gatepost.errors import GatepostError

if TYPE_CHECKING:
    from rich.console import RenderableType

OPERATIONS: Operations = (
    *((side.profile.upper(), f"Edit {side.words} ssl settings.") for side in SIDES),
    ("VERIFY", "Verify and show ssl cipher list."),
)
METHODS = [method.replace("TLSv", "TLS v") for method in tls_settings.METHODS]


async def sslconfig(talk: Talk, rest: str) -> None:
    """Edits the TLS profiles gui, inbound and outbound: methods, ciphers of TLS 1.2 and older, suites of TLS 1.3, key
    exchange groups, and whose order of preference decides.

    A cipher string is an OpenSSL cipher string. A word in it that matches nothing is told with its reason, and a string that
    leaves a method or an installed certificate without a suite is refused.
    """
    while True:
        talk.say("", *tls_settings.summary(talk.operator))
        chosen = await talk.menu(OPERATIONS)
        if not chosen:
            return
        if chosen == "verify":
            await _verify(talk)
        else:
            await _edit(talk, next(side for side in SIDES if side.profile == chosen))


async def _edit(talk: Talk, side: Side) -> None:
    present = ciphers.profile(talk.operator, side.profile)
    methods = await _methods(talk, side, present)
    made = msgspec.structs.replace(present, methods=methods)
    if methods != ["TLSv1.3"]:
        made = msgspec.structs.replace(made, ciphers=await _ciphers(talk, side, made))
    if "TLSv1.3" in methods:
        made = msgspec.structs.replace(made, suites=await _list(talk, side, made, "suites", "TLS 1.3 suites"))
    made = msgspec.structs.replace(made, groups=await _list(talk, side, made, "groups", "key exchange groups"))
    if side.profile != "outbound":  # there we are the client, and the server chooses
        made = msgspec.structs.replace(made, cipher_order=await _order(talk, side, made))
    if made == present:
        return
    pending = tls_settings.put(talk.operator, side.profile, made)
    asking.told(talk, pending, *(("tls_profiles", side.profile, field) for field in ("methods", "suites", "groups")))
    talk.say("", NOT_LIVE)


async def _methods(talk: Talk, side: Side, present: TlsProfile) -> list[TlsVersion]:
    listed = "\n".join(f"{place}. {method}" for place, method in enumerate(METHODS, 1))
    return await talk.text(
        f"Enter the {side.words} ssl method you want to use.\n{listed}",
        tls_settings.method_numbers(present.methods),
        check=tls_settings.read_methods,
    )


async def _ciphers(talk: Talk, side: Side, made: TlsProfile) -> str:
    def check(text: str) -> Judgement:
        found = tls_settings.judge_ciphers(talk.operator, side.profile, made.methods, text)
        if refusal := tls_settings.refused(found):
            raise GatepostError(f"{refusal}\nThe old value is kept.")
        return found

    judged = await talk.text(f"Enter the {side.words} ssl cipher you want to use.", made.ciphers, check=check)
    if judged.warnings:
        talk.say("", *tls_settings.words(judged), *(f"Warning: {warning}." for warning in judged.warnings))
    return judged.spec


async def _list(talk: Talk, side: Side, made: TlsProfile, field: str, what: str) -> list[str]:
    return await talk.text(
        f"Enter the {side.words} {what} you want to use, most wanted first.",
        ":".join(getattr(made, field)),
        check=lambda text: tls_settings.read_list(side.profile, made, field, text),
    )


async def _order(talk: Talk, side: Side, made: TlsProfile) -> str:
    options = ["The server's (ours)", "The client's"]
    orders = ["server", "client"]
    return orders[await talk.choose("Whose order of preference decides?", options, orders.index(made.cipher_order))]


# --- VERIFY ----------------------------------------------------------------------------------------------------------


async def _verify(talk: Talk) -> None:
    present = ciphers.profile(talk.operator, cipher_list.PROFILE).ciphers
    spec = await talk.text("Enter the ssl cipher string you want to verify.", present)
    if costs.costs(talk.operator) is None and await talk.yes(
        "What TLS costs on this machine is not measured yet. Do you want to do it now (about 15 seconds of one core)?", True
    ):
        with talk.progress("Measuring") as told:
            await asyncio.to_thread(costs.measure, talk.operator, told)
    found = cipher_list.verify(talk.operator, spec)
    judged = found.judgement
    if found.rows:
        talk.say("", _rows(found.rows), *_footnotes(found))
    if judged.refusals:
        talk.say("", tls_settings.refused(judged))
    elif judged.warnings:
        talk.say("", *tls_settings.words(judged), *(f"Warning: {warning}." for warning in judged.warnings))
    if found.clients:
        rows = [(one.client, str(one), one.runner_up) for one in found.clients]
        shown = ", ".join(found.certificates)
        talk.say("", f"What clients would get, by {shown}:", table("Client", "Gets", "Next", rows=rows))
    elif not found.certificates:
        talk.say("", "No listener has a certificate under this profile, so no client would get any of it.")


def _rows(rows: Sequence[Row]) -> RenderableType:
    return table("Suite", "Since", "Kx, Au", "Enc, Mac", "Cost", rows=map(_cells, rows))


def _cells(row: Row) -> tuple[str, ...]:
    suite = row.suite
    names = [suite.name, *suite.iana.replace("_WITH_", "_WITH_ ").split()] if suite.name != suite.iana else [suite.name]
    cost = [f"{one.ms:.2f} ms {one.certificate}" for one in row.handshakes]
    if row.bulk:
        cost += [f"in {row.bulk.receive:.0f}", f"out {row.bulk.send:.0f}"]
    cells = (
        names,
        [suite.protocol, suite.code],
        [suite.key_exchange.removesuffix(" group"), suite.authentication, "PFS" if suite.forward_secrecy else "no PFS"],
        [suite.cipher, f"{suite.bits} bits", suite.mac],
        cost or ["not known"],
    )
    return tuple("\n".join(cell) for cell in cells)


def _footnotes(found: Listed) -> Iterator[str]:
    yield ""
    if found.machine:
        yield f"Cost, measured {moment(found.measured_at)} on {found.machine.processor}"
        yield f"with {found.machine.library}."
        groups = dict.fromkeys(one.group for row in found.rows for one in row.handshakes if one.group)
        by = f" and {' or '.join(groups)}" if groups else ""
        yield f"ms: CPU of our side for a handshake with each certificate{by};"
        yield "in, out: MB of bulk data for a second of CPU. `gatepost tls ciphers --measure` measures again."
    yield "Suites of TLS 1.3 have a list of their own, which no cipher string touches."


COMMANDS = (
    Command(
        "sslconfig", "Set which TLS the web interface, listeners and deliveries speak.", sslconfig, menus={"": OPERATIONS}
    ),
)
