"""`sslconfig`: which TLS the web interface, listeners and deliveries speak, in the draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from gatepost.admin.cli_base import table
from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.configuration import NOT_LIVE
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import ciphers, tls_settings
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


async def _verify(talk: Talk) -> None:
    present = ciphers.profile(talk.operator, tls_settings.INBOUND).ciphers
    spec = await talk.text("Enter the ssl cipher string you want to verify.", present)
    found = tls_settings.verify(talk.operator, spec)
    judged = found.judgement
    if judged.suites:
        talk.say("", _suites(judged.suites))
    if judged.refusals:
        talk.say("", tls_settings.refused(judged))
    elif judged.warnings:
        talk.say("", *tls_settings.words(judged), *(f"Warning: {warning}." for warning in judged.warnings))
    if found.newest:
        talk.say("", f"TLS 1.3 has suites of its own: {', '.join(found.newest)}.")
    if found.clients:
        rows = [(one.client, str(one), one.runner_up) for one in found.clients]
        talk.say(
            "", f"What clients would get ({', '.join(found.certificates)}):", table("Client", "Gets", "Next", rows=rows)
        )


def _suites(suites: Sequence[ciphers.Suite]) -> RenderableType:
    rows = [
        (
            "\n".join([one.name, *one.iana.replace("_WITH_", "_WITH_ ").split()]),
            f"{one.protocol}\n{one.code}",
            f"{one.key_exchange}\n{one.authentication}\n{'PFS' if one.forward_secrecy else 'no PFS'}",
            f"{one.cipher}\n{one.bits} bits\n{one.mac}",
        )
        for one in suites
    ]
    return table("Suite", "Since", "Kx, Au", "Enc, Mac", rows=rows)


COMMANDS = (
    Command(
        "sslconfig", "Set which TLS the web interface, listeners and deliveries speak.", sslconfig, menus={"": OPERATIONS}
    ),
)
