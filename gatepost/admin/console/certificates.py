"""`certconfig`: certificates, their keys, and the authorities that peers may come from. Only asks and calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from gatepost.admin.cli_base import table
from gatepost.admin.cli_cert import details, overview
from gatepost.admin.cli_text import count, moment
from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.configuration import NOT_LIVE
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import certificates, drafts, fields, files
from gatepost.admin.operations.configuration import Pending
from gatepost.tls.certificates import MAX_SIZE
from gatepost.tls.making import Subject

OPERATIONS: Operations = (
    ("CERTIFICATE", "Import, create, request, export or remove certificates."),
    ("CERTAUTHORITY", "Manage the authorities that are trusted besides those of the operating system."),
)
CERTIFICATE: Operations = (
    ("IMPORT", "Import a certificate from a file, PKCS#12 or PEM."),
    ("PASTE", "Paste a certificate and its key, PEM."),
    ("NEW", "Create a key and a self-signed certificate."),
    ("CSR", "Create a signing request for the key of a certificate."),
    ("EXPORT", "Export a certificate with its key to a PKCS#12 file."),
    ("DELETE", "Remove a certificate."),
    ("PRINT", "View the certificates and what uses them."),
)
CERTAUTHORITY: Operations = (
    ("IMPORT", "Import authorities from a PEM file."),
    ("PASTE", "Paste authorities, PEM."),
    ("PRINT", "View the authorities."),
    ("CLEAR", "Remove all authorities."),
)


async def certconfig(talk: Talk, rest: str) -> None:
    """Imports, makes, exports and removes certificates with their keys, and authorities that vouch for peers.

    Which certificate a listener shows is chosen in `listenerconfig`, and which one deliveries show in `destconfig`. Files
    are those of the directory `configuration` of the state directory; a private key is read and never shown.
    """
    await _operate(talk, OPERATIONS, {"certificate": _certificates, "certauthority": _authorities})


async def _certificates(talk: Talk) -> None:
    verbs = {
        "import": _import,
        "paste": _paste,
        "new": _new,
        "csr": _request,
        "export": _export,
        "delete": _delete,
        "print": _print,
    }
    await _operate(talk, CERTIFICATE, verbs, partial(_certificates_heading, talk))


async def _authorities(talk: Talk) -> None:
    verbs = {"import": _trust_file, "paste": _trust_pasted, "print": _print_authorities, "clear": _clear_authorities}
    await _operate(talk, CERTAUTHORITY, verbs, partial(_authorities_heading, talk))


async def _operate(
    talk: Talk,
    operations: Operations,
    verbs: Mapping[str, Callable[[Talk], Awaitable[None]]],
    heading: Callable[[], Sequence[str]] = lambda: (),
) -> None:
    await asking.operate(talk, operations, {name: partial(verb, talk) for name, verb in verbs.items()}, heading)


# --- certificates ----------------------------------------------------------------------------------------------------


def _certificates_heading(talk: Talk) -> list[str]:
    names = list(drafts.current(talk.operator).certificates)
    return [f"Certificates: {', '.join(names) or 'none'}."]


async def _import(talk: Talk) -> None:
    name = await _name(talk)
    if not name:
        return
    data = await _file(talk, "Enter the name of the file to import.")
    key = b""
    if certificates.is_pem(data) and await talk.yes("Is the private key in a file of its own?", False):
        key = await _file(talk, "Enter the name of the file with the private key.")
    passphrase = await talk.secret("Enter the pass phrase of the file; an empty line when it has none.")
    _made(talk, name, certificates.import_pair(talk.operator, name, data, key=key, passphrase=passphrase))


async def _paste(talk: Talk) -> None:
    name = await _name(talk)
    if not name:
        return
    pem = await talk.paste("The certificate in PEM, its issuers behind it, and its private key unless it is known already.")
    passphrase = await talk.secret("Enter the pass phrase of the private key; an empty line when it has none.")
    _made(talk, name, certificates.import_pair(talk.operator, name, pem.encode(), passphrase=passphrase))


async def _new(talk: Talk) -> None:
    name = await _name(talk)
    if not name:
        return
    hostnames = await talk.text(
        "Enter the DNS names that it is for, separated by commas.", drafts.current(talk.operator).gateway.hostname
    )
    days = await talk.number("Enter the number of days until it ends.", 825, 1, 36500)
    kinds = ["ECDSA P-256", "RSA 2048", "RSA 3072", "RSA 4096"]
    kind, _, bits = kinds[await talk.choose("Choose the kind of key.", kinds, 0)].partition(" ")
    made = certificates.make_self_signed(
        talk.operator,
        name,
        hostnames=fields.words(hostnames),
        days=days,
        kind="RSA" if kind == "RSA" else "EC",
        bits=int(bits) if kind == "RSA" else 2048,
    )
    _made(talk, name, made)


async def _request(talk: Talk) -> None:
    name = await _pick(talk, "request a certificate for")
    if not name:
        return
    hostnames = await talk.text("Enter the DNS names, separated by commas; an empty line takes those of the certificate.")
    subject = Subject(
        names=tuple(fields.words(hostnames)),
        organization=await talk.text("Enter the organization."),
        unit=await talk.text("Enter the organizational unit."),
        city=await talk.text("Enter the city."),
        state=await talk.text("Enter the state or province."),
        country=await talk.text("Enter the country, two letters."),
    )
    talk.say("", certificates.request(talk.operator, name, subject).rstrip())
    talk.say("", "Import or paste the answer under the same name: its key is kept.")


async def _export(talk: Talk) -> None:
    name = await _pick(talk, "export")
    if name:
        file = await talk.text("Enter the name of the file.", f"{name}.p12")
        passphrase = await talk.secret("Enter a pass phrase for the file.")
        written = files.write(talk.operator, file, certificates.export_pkcs12(talk.operator, name, passphrase))
        talk.say("", f"The certificate and its private key are saved in {written}.")


async def _delete(talk: Talk) -> None:
    name = await _pick(talk, "remove")
    if name:
        certificates.delete(talk.operator, name)
        talk.say("", f"The certificate {name} is removed.", NOT_LIVE)


async def _print(talk: Talk) -> None:
    found = certificates.listing(talk.operator)
    if found:
        talk.say("", overview(found))
        name = await asking.pick(
            talk, "Enter the certificate to see more of; an empty line leaves.", [one.name for one in found]
        )
        if name:
            talk.say("", *details(certificates.show(talk.operator, name)))
    else:
        talk.say("", "There is none yet.")


async def _name(talk: Talk) -> str:
    """Ask for the name to put a certificate under; empty when the one of that name shall stay."""
    held = drafts.current(talk.operator).certificates
    name = await talk.text(
        "Enter a name for this certificate profile:",
        check=lambda text: text if text in held else fields.new_name(text, held, "certificate"),
    )
    overwrite = f'Certificate profile "{name}" already exists. Do you want to overwrite with this new one?'
    return name if name not in held or await talk.yes(overwrite, False) else ""


async def _pick(talk: Talk, what: str) -> str:
    held = list(drafts.current(talk.operator).certificates)
    return await asking.pick(talk, f"Enter the certificate you wish to {what}.", held)


async def _file(talk: Talk, question: str) -> bytes:
    """Ask for a file until there is one."""
    return await talk.text(question, check=lambda name: files.read_octets(talk.operator, name, MAX_SIZE))


def _made(talk: Talk, name: str, made: Pending) -> None:
    talk.say("", *details(certificates.show(talk.operator, name)))
    asking.told(talk, made, ("certificates", name))
    talk.say("", NOT_LIVE)


# --- authorities -----------------------------------------------------------------------------------------------------


def _authorities_heading(talk: Talk) -> list[str]:
    return [f"Authorities besides those of the operating system: {len(certificates.authorities(talk.operator)) or 'none'}."]


async def _trust_file(talk: Talk) -> None:
    await _trust(talk, await _file(talk, "Enter the name of the file to import."))


async def _trust_pasted(talk: Talk) -> None:
    await _trust(talk, (await talk.paste("The certificates of the authorities, PEM.")).encode())


async def _trust(talk: Talk, pem: bytes) -> None:
    held = certificates.authorities(talk.operator)
    replace = bool(held) and await talk.yes("Do you want to replace the present ones?", False)
    certificates.put_authorities(talk.operator, pem, add=not replace)
    talk.say("", f"{count(len(certificates.authorities(talk.operator)), 'authority', 'authorities')} trusted.", NOT_LIVE)


async def _print_authorities(talk: Talk) -> None:
    rows = [(one.subject, one.key, moment(one.not_after)[:10]) for one in certificates.authorities(talk.operator)]
    talk.say("", table("Subject", "Key", "Ends", rows=rows) if rows else "There is none yet.")


async def _clear_authorities(talk: Talk) -> None:
    if await talk.yes("Are you sure you want to remove all of them?", False):
        certificates.clear_authorities(talk.operator)
        talk.say("", "They are removed.", NOT_LIVE)


COMMANDS = (
    Command(
        "certconfig",
        "Manage certificates, their keys, and the authorities that are trusted.",
        certconfig,
        menus={"": OPERATIONS, "certificate": CERTIFICATE, "certauthority": CERTAUTHORITY},
    ),
)
