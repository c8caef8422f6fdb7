"""Network > Certificates: what there is, until when, who shows it; import, make, request, export, delete.

A private key comes in here and never goes out, not even back into the form that it was sent with.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Template

from gatepost.admin.operations import certificates, fields
from gatepost.admin.operations.drafts import current
from gatepost.admin.web import exchange, faults
from gatepost.admin.web.desk import ADMINISTRATOR, Desk
from gatepost.admin.web.forms import Form, filled
from gatepost.admin.web.submitted import submitted
from gatepost.admin.web.threads import in_thread
from gatepost.config.model import Config
from gatepost.errors import GatepostError
from gatepost.tls.certificates import MAX_SIZE
from gatepost.tls.making import KeyKind, Subject

TITLE = "Certificates"
KINDS: dict[str, tuple[str, KeyKind, int]] = {
    "EC": ("EC P-256", "EC", 256),
    "RSA 2048": ("RSA, 2048 bits", "RSA", 2048),
    "RSA 3072": ("RSA, 3072 bits", "RSA", 3072),
    "RSA 4096": ("RSA, 4096 bits", "RSA", 4096),
}
"""Keys that can be made: what is shown, and the two words that the maker of keys wants."""
SUBJECT = {
    "organization": "Organization",
    "unit": "Organizational Unit",
    "city": "City (Locality)",
    "state": "State (Province)",
    "country": "Country (two letters)",
}


@get("/certificates")
@in_thread
def overview(desk: Desk) -> Template:
    """Show the certificates."""
    config = current(desk.operator)
    listing = certificates.listing(desk.operator)
    used = {one.name: certificates.used_by(config, one.name) for one in listing}
    return desk.page("certificates.html", title=TITLE, listing=listing, used=used)


@get("/certificates/import")
@in_thread
def import_page(desk: Desk, name: str = "") -> Template:
    """Show the form to import one; with a name to renew that one."""
    form = Form(name=name)
    if name in current(desk.operator).certificates:
        form["replace"] = "on"
    return _form_page(desk, "certificate_import.html", "Import Certificate", form, {})


@post("/certificates/import", opt=ADMINISTRATOR)
@filled
def import_pair(desk: Desk, form: Form) -> Response[Any] | Template:
    """Put a certificate with its chain and key into the draft: files that were chosen, or PEM that was pasted."""
    passphrase, pasted = form.pop("passphrase", ""), form["text"]
    data = form.files.get("file", b"") or pasted.strip().encode()
    name, told = _name(desk, form)
    if not data:
        told["file"] = "choose a file, or paste the certificate below"
    if len(data) > MAX_SIZE:
        told["file"] = f"this is larger than {MAX_SIZE >> 20} MiB: a certificate with its chain and key has a few KiB"
    if not told:
        try:
            key = form.files.get("key", b"")
            made = certificates.import_pair(desk.operator, name, data, key=key, passphrase=passphrase)
        except GatepostError as fault:
            sentence = faults.by_field(fault, ())[""]
            told["passphrase" if "passphrase" in sentence else "file"] = sentence
    if told:
        if "PRIVATE KEY" in pasted:
            form["text"] = ""
        return _form_page(desk, "certificate_import.html", "Import Certificate", form, told)
    desk.tell(f"imported certificate {name}")
    return submitted(desk, made, _path(name), name, ("certificates", name))


@get("/certificates/self-signed")
@in_thread
def self_signed_page(desk: Desk) -> Template:
    """Show the form to make one."""
    form = Form(hostnames=current(desk.operator).gateway.hostname, days="825", kind="EC")
    return _form_page(desk, "certificate_make.html", "Create Self-Signed Certificate", form, {})


@post("/certificates/self-signed", opt=ADMINISTRATOR)
@filled
def make_self_signed(desk: Desk, form: Form) -> Response[Any] | Template:
    """Make a key and a certificate signed by itself."""
    name, told = _name(desk, form)
    days = form["days"].strip()
    if not (days.isascii() and days.isdecimal() and len(days) <= 5 and 0 < int(days) <= 36500):
        told["days"] = f"{days!r} is not a number of days: write 1 to 36500"
    if form["kind"] not in KINDS:
        told["kind"] = "choose one of the keys"
    if not told:
        _, kind, bits = KINDS[form["kind"]]
        names = fields.words(form["hostnames"])
        try:
            certificates.make_self_signed(desk.operator, name, hostnames=names, days=int(days), kind=kind, bits=bits)
        except GatepostError as fault:
            told = faults.by_field(fault, (), other="hostnames")
    if told:
        return _form_page(desk, "certificate_make.html", "Create Self-Signed Certificate", form, told)
    desk.tell(f"made self-signed certificate {name}")
    return desk.drafted(_path(name), f"{name}: made")


@get("/certificates/certificate/{name:str}")
@in_thread
def certificate_page(desk: Desk, name: str) -> Template:
    """Show one certificate."""
    return _certificate(desk, current(desk.operator), name, Form(), {})


@get("/certificates/certificate/{name:str}/pem")
@in_thread
def export(desk: Desk, name: str) -> Response[str]:
    """Hand out a certificate with its chain, without its key."""
    config = current(desk.operator)
    if name not in config.certificates:
        raise NotFoundException(f"there is no certificate {name}")
    return exchange.download(config.certificates[name].certificate, f"{name}.pem", "application/x-pem-file")


@get("/certificates/certificate/{name:str}/csr", opt=ADMINISTRATOR)
@in_thread
def request(desk: Desk, name: str) -> Response[str] | Template:
    """Hand out a signing request for the key of a certificate."""
    config = current(desk.operator)
    if name not in config.certificates:
        raise NotFoundException(f"there is no certificate {name}")
    form = Form({field: value.strip() for field, value in desk.request.query_params.items() if isinstance(value, str)})
    subject = Subject(names=tuple(fields.words(form["hostnames"])), **{field: form[field] for field in SUBJECT})
    try:
        made = certificates.request(desk.operator, name, subject)
    except GatepostError as fault:
        return _certificate(desk, config, name, form, faults.by_field(fault, ()))
    desk.tell(f"made a signing request for the key of certificate {name}")
    return exchange.download(made, f"{name}.csr", "application/pkcs10")


@post("/certificates/certificate/{name:str}/delete", opt=ADMINISTRATOR)
@filled
def delete(desk: Desk, form: Form, name: str) -> Response[Any] | Template:
    """Take a certificate out of the draft."""
    config = current(desk.operator)
    try:
        certificates.delete(desk.operator, name)
    except GatepostError as fault:
        return _certificate(desk, config, name, form, faults.by_field(fault, ()))
    desk.tell(f"deleted certificate {name}")
    return desk.drafted("/certificates", f"{name}: deleted")


@get("/certificates/authorities")
@in_thread
def authorities_page(desk: Desk) -> Template:
    """Show the authorities that are trusted besides those of the operating system."""
    return _authorities(desk, Form(), {})


@post("/certificates/authorities", opt=ADMINISTRATOR)
@filled
def put_authorities(desk: Desk, form: Form) -> Response[Any] | Template:
    """Trust the authorities of a PEM text, beside those that are there or in their place."""
    data = form.files.get("file", b"") or form["text"].strip().encode()
    try:
        if not data:
            raise GatepostError("choose a file, or paste the authorities' certificates below")
        certificates.put_authorities(desk.operator, data, add=not form.ticked("instead"))
    except GatepostError as fault:
        return _authorities(desk, form, faults.by_field(fault, (), other="file"))
    desk.tell("imported certificate authorities")
    return desk.drafted("/certificates/authorities", "Authorities: imported")


@post("/certificates/authorities/clear", opt=ADMINISTRATOR)
@filled
def clear_authorities(desk: Desk, form: Form) -> Response[Any]:
    """Trust the authorities of the operating system alone."""
    certificates.clear_authorities(desk.operator)
    desk.tell("removed all certificate authorities of our own")
    return desk.drafted("/certificates/authorities", "Authorities: removed")


def _name(desk: Desk, form: Form) -> tuple[str, dict[str, str]]:
    """Read the name that a new certificate gets; one that is there already has to be meant."""
    name = form["name"].strip()
    taken = () if form.ticked("replace") else current(desk.operator).certificates
    try:
        return fields.new_name(name, taken, "certificate"), {}
    except GatepostError as fault:
        return name, {"name": str(fault)}


def _path(name: str) -> str:
    return f"/certificates/certificate/{name}"


def _form_page(desk: Desk, template: str, title: str, form: Form, told: dict[str, str]) -> Template:
    context: dict[str, Any] = {"form": form, "kinds": {kind: words[0] for kind, words in KINDS.items()}, "tag": desk.tag()}
    return desk.form(template, title=title, faults=told, **context)


def _certificate(desk: Desk, config: Config, name: str, form: Form, told: dict[str, str]) -> Template:
    if name not in config.certificates:
        raise NotFoundException(f"there is no certificate {name}")
    found = next(one for one in certificates.listing(desk.operator) if one.name == name)
    context: dict[str, Any] = {
        "found": found,
        "pem": config.certificates[name].certificate,
        "used": certificates.used_by(config, name),
        "subject": SUBJECT,
        "form": form,
        "tag": desk.tag(),
    }
    return desk.form("certificate.html", title=name, faults=told, **context)


def _authorities(desk: Desk, form: Form, told: dict[str, str]) -> Template:
    fault = ""
    try:
        held = certificates.authorities(desk.operator)
    except GatepostError as error:
        held, fault = [], str(error)
    context: dict[str, Any] = {"held": held, "unreadable": fault, "form": form, "tag": desk.tag()}
    return desk.form("authorities.html", title="Certificate Authorities", faults=told, **context)


HANDLERS = (
    overview,
    import_page,
    import_pair,
    self_signed_page,
    make_self_signed,
    certificate_page,
    export,
    request,
    delete,
    authorities_page,
    put_authorities,
    clear_authorities,
)
