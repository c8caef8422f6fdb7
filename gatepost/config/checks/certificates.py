"""Certificates and their keys: readable, belonging together, valid today. Names are held against nothing here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from gatepost.config.model import Certificate, Config
from gatepost.config.problems import MASK, Report
from gatepost.errors import GatepostError
from gatepost.tls.certificates import describe, key_matches, load_chain, load_key

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_SOON = timedelta(days=14)
_RENEW = "import a renewed one under the same name"


def certificates_in_use(config: Config) -> dict[str, str]:
    """Return the certificates that the document refers to by name, each with one path that does."""
    used = {
        name: f"listeners.{listener}.certificates" for listener, it in config.listeners.items() for name in it.certificates
    }
    if config.default_destination.certificate:
        used.setdefault(config.default_destination.certificate, "default_destination.certificate")
    if config.web.certificate:
        used.setdefault(config.web.certificate, "web.certificate")
    return used


def check_certificates(config: Config, report: Report, now: datetime, in_force: Config | None = None) -> None:
    """Check every certificate; one that comes into use must be valid today, another only earns a warning."""
    used = certificates_in_use(config)
    shown_already = {name: in_force.certificates.get(name) for name in certificates_in_use(in_force)} if in_force else {}
    for name, certificate in config.certificates.items():
        chain = _read_chain(name, certificate, report)
        key = _read_key(name, certificate, report)
        if not chain:
            continue
        _check_dates(name, chain, report, now, used.get(name), keeps_out=shown_already.get(name) != certificate)
        _check_order(name, chain, report)
        _check_purpose(name, chain, report, config)
        if key is not None:
            _check_match(name, chain, key, report)


def alarms(config: Config, now: datetime) -> list[str]:
    """Return what the dates of certificates in use give cause to say, a sentence for each.

    A document that was good when it was committed stays in force, and a certificate in it is shown whatever the calendar
    says: most senders do not look at it, and none could be served better without.
    """
    report = Report()
    for name, used_by in certificates_in_use(config).items():
        if name in config.certificates and (chain := _read_chain(name, config.certificates[name], report)):
            _check_dates(name, chain, report, now, used_by)
    return [str(problem) for problem in report.problems]


def _read_chain(name: str, certificate: Certificate, report: Report) -> tuple[x509.Certificate, ...]:
    try:
        return load_chain(certificate.certificate)
    except GatepostError as error:
        mend = "paste the host's certificate and its chain, each from BEGIN to END CERTIFICATE"
        report.error(("certificates", name, "certificate"), None, f"cannot be read: {error}", mend)
        return ()


def _read_key(name: str, certificate: Certificate, report: Report) -> PrivateKeyTypes | None:
    path = ("certificates", name, "private_key")
    if certificate.private_key == MASK:
        mend = "write the key in, or import the document where this certificate is already known"
        report.error(path, certificate.private_key, "is masked", mend)
        return None
    try:
        return load_key(certificate.private_key)
    except GatepostError as error:
        mend = "paste the whole private key without a passphrase, from BEGIN to END PRIVATE KEY"
        report.error(path, None, f"cannot be read: {error}", mend)
        return None


def _check_dates(
    name: str,
    chain: tuple[x509.Certificate, ...],
    report: Report,
    now: datetime,
    used_by: str | None,
    *,
    keeps_out: bool = True,
) -> None:
    path = ("certificates", name, "certificate")
    note = report.error if used_by and keeps_out else report.warning
    related = [used_by] if used_by else []
    used = f" and is used by {used_by}" if used_by else ""
    for place, one in enumerate(chain):
        which = "" if place == 0 else f"an issuer in its chain ({_subject(one)}) "
        if one.not_valid_after_utc < now:
            note(
                path, _subject(chain[0]), f"{which}expired on {_day(one.not_valid_after_utc)}{used}", _RENEW, related=related
            )
        elif one.not_valid_before_utc > now:
            wrong = f"{which}is not valid before {_day(one.not_valid_before_utc)}{used}"
            note(path, _subject(chain[0]), wrong, "wait until then, or look at this machine's clock", related=related)
        elif one.not_valid_after_utc < now + _SOON:
            wrong = f"{which}expires on {_day(one.not_valid_after_utc)}"
            report.warning(path, _subject(chain[0]), wrong, _RENEW)


def _check_order(name: str, chain: tuple[x509.Certificate, ...], report: Report) -> None:
    for one, issuer in pairwise(chain):
        if one.issuer != issuer.subject:
            path = ("certificates", name, "certificate")
            wrong = f"its chain is out of order: {_subject(one)} is not issued by the one behind it"
            report.warning(path, _subject(chain[0]), wrong, "put the host's certificate first, then each issuer")
            return


def _check_purpose(name: str, chain: tuple[x509.Certificate, ...], report: Report, config: Config) -> None:
    """Public authorities issue for servers alone these days: partners that verify clients refuse such a certificate."""
    own = describe(chain[0])
    serves = [listener for listener, it in config.listeners.items() if name in it.certificates]
    if serves and not own.server_auth:
        wrong = f"is not made for servers (extended key usage), but is used by listeners.{serves[0]}.certificates"
        report.warning(("certificates", name, "certificate"), _subject(chain[0]), wrong, "have it issued for server use")
    if config.default_destination.certificate == name and not own.client_auth:
        wrong = "is not made for clients (extended key usage), but is used by default_destination.certificate"
        report.warning(("certificates", name, "certificate"), _subject(chain[0]), wrong, "have it issued for client use")


def _check_match(name: str, chain: tuple[x509.Certificate, ...], key: PrivateKeyTypes, report: Report) -> None:
    if key_matches(chain[0], key):
        return
    mend = "import the key that the certificate was requested with"
    if any(key_matches(one, key) for one in chain[1:]):
        mend = "put the host's own certificate first, and its issuers behind it"
    report.error(
        ("certificates", name, "private_key"), None, f"does not match the certificate of {_subject(chain[0])}", mend
    )


def _subject(certificate: x509.Certificate) -> str:
    return describe(certificate).subject or "a certificate without subject"


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
