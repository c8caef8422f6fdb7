"""`gatepost cert`: certificates and keys in the draft. Only translates; private keys are never printed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from gatepost.admin.cli_base import Cli, Group, table
from gatepost.admin.cli_config import NOT_LIVE
from gatepost.admin.cli_problems import problem_lines
from gatepost.admin.cli_text import moment, pairs
from gatepost.admin.operations import certificates
from gatepost.admin.operations.certificates import Installed, Unreadable
from gatepost.admin.operations.configuration import Pending
from gatepost.admin.operations.documents import read_file
from gatepost.config.paths import join
from gatepost.tls.certificates import MAX_SIZE, Description
from gatepost.tls.making import Subject

if TYPE_CHECKING:
    from rich.console import RenderableType

group = Group("cert", "Certificates and keys; changes go to the draft.")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the certificate in the configuration.")]
Hostnames = Annotated[list[str] | None, typer.Option("--hostname", metavar="HOST", help="DNS name; may be repeated.")]


@group.command("list")
def listing(
    cli: Cli,
    committed: Annotated[bool, typer.Option("--committed", help="Those committed, not those of the draft.")] = False,
) -> None:
    """Show the certificates."""
    found = certificates.listing(cli.operator, committed=committed)
    cli.show(
        found, [overview(found)] if found else ["There are no certificates; `gatepost cert self-signed NAME` makes one."]
    )


@group.command("import")
def import_(
    cli: Cli,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="PEM with the chain, or PKCS#12; - for standard input.")],
    key: Annotated[str, typer.Option(metavar="FILE", help="Private key (PEM) where FILE does not hold it.")] = "",
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Ask for the passphrase of key or PKCS#12 file.")] = False,
) -> None:
    """Import a certificate with its chain and key. Without a key, the one known under NAME is kept."""
    data = read_file(file, MAX_SIZE)
    key_data = read_file(key, MAX_SIZE) if key else b""
    secret = _passphrase() if passphrase else ""
    _show(cli, name, certificates.import_pair(cli.operator, name, data, key=key_data, passphrase=secret))


@group.command("self-signed")
def self_signed(
    cli: Cli,
    name: Name,
    hostname: Hostnames = None,
    days: Annotated[int, typer.Option(min=1, metavar="N", help="Days until it ends.")] = 825,
    kind: Annotated[Literal["ecdsa", "rsa"], typer.Option("--type", metavar="ecdsa|rsa", help="Kind of key.")] = "ecdsa",
    bits: Annotated[int, typer.Option(metavar="N", help="Size of an RSA key: 2048, 3072 or 4096.")] = 2048,
) -> None:
    """Make a key and a self-signed certificate. Without --hostname it is for the gateway's own name."""
    made = certificates.make_self_signed(
        cli.operator, name, hostnames=hostname, days=days, kind="EC" if kind == "ecdsa" else "RSA", bits=bits
    )
    _show(cli, name, made)


@group.command("csr")
def csr(
    cli: Cli,
    name: Name,
    hostname: Hostnames = None,
    organization: Annotated[str, typer.Option(metavar="TEXT", help="Organisation.")] = "",
    unit: Annotated[str, typer.Option(metavar="TEXT", help="Organisational unit.")] = "",
    city: Annotated[str, typer.Option(metavar="TEXT", help="City.")] = "",
    region: Annotated[str, typer.Option(metavar="TEXT", help="State or province.")] = "",
    country: Annotated[str, typer.Option(metavar="TEXT", help="Country, two letters.")] = "",
) -> None:
    """Print a signing request for the key under NAME. `cert import NAME FILE` takes the answer.

    For a new key, `cert self-signed NAME` comes first.
    """
    subject = Subject(
        names=tuple(hostname or ()), organization=organization, unit=unit, city=city, state=region, country=country
    )
    made = certificates.request(cli.operator, name, subject)
    cli.show({"name": name, "request": made}, [made.rstrip()])


@group.command("show")
def show(cli: Cli, name: Name, pem: Annotated[bool, typer.Option("--pem", help="Print the chain as PEM.")] = False) -> None:
    """Show one certificate with its chain."""
    found = certificates.show(cli.operator, name)
    cli.show(found, [found.certificate.rstrip()] if pem else details(found))


@group.command("delete")
def delete(cli: Cli, name: Name) -> None:
    """Take a certificate out of the draft, unless it is used."""
    certificates.delete(cli.operator, name)
    cli.show({"deleted": name}, [f"Deleted certificate {name} in the draft.", NOT_LIVE])


def _show(cli: Cli, name: str, made: Pending) -> None:
    entry = certificates.show(cli.operator, name)
    place = join(("certificates", name))
    mine = [problem for problem in made.problems if f"{problem.path}.".startswith(f"{place}.")]
    cli.show(entry, [*details(entry), *problem_lines(mine), NOT_LIVE])


def _row(one: Installed | Unreadable) -> tuple[object, ...]:
    if isinstance(one, Unreadable):
        return one.name, one.fault, "", "", ""
    own = one.chain[0]
    names = ", ".join(own.dns_names) or own.common_name
    ends = (
        f"{moment(own.not_after)[:10]} ({one.days_left} d)" if one.days_left >= 0 else f"{moment(own.not_after)[:10]} (over)"
    )
    return one.name, names, own.key, ends, one.used_by


def overview(found: Sequence[Installed | Unreadable]) -> RenderableType:
    """List certificates, one a row."""
    return table("Name", "Names in it", "Key", "Ends", "Used by", rows=[_row(one) for one in found])


def details(found: Installed) -> Iterator[str]:
    """Write all that there is to see of a certificate and its chain."""
    yield from pairs([("Name", found.name), ("Used by", found.used_by or "nothing")])
    for place, one in enumerate(found.chain):
        yield ""
        yield "Certificate" if not place else f"Chain {place}"
        yield from (f"  {line}" for line in pairs(_facts(one)))


def _facts(one: Description) -> list[tuple[str, Any]]:
    return [
        ("Subject", one.subject),
        ("DNS names", ", ".join(one.dns_names)),
        ("Addresses", ", ".join(one.addresses)),
        ("Issuer", "itself (self-signed)" if one.self_signed else one.issuer),
        ("Valid", f"{moment(one.not_before)} to {moment(one.not_after)}"),
        ("Key", one.key),
        ("Signature", one.signature),
        ("Serial", one.serial),
        ("SHA-256", one.fingerprint),
    ]


def _passphrase() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Passphrase", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
