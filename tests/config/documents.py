"""Documents, certificates and hypothesis strategies for the tests of gatepost.config."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, get_origin

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from gatepost.config.decode import element, field_types, is_table
from gatepost.config.model import Certificate, Config
from gatepost.tls.certificates import key_to_pem, to_pem

# The suite runs beside others on small machines: how long one example takes says nothing.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@lru_cache
def certificate(
    name: str = "mx1.example.com", first_day: int = -10, last_day: int = 100, server: bool = True
) -> Certificate:
    """Make a certificate that is valid between two days counted from NOW, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=first_day))
        .not_valid_after(NOW + timedelta(days=last_day))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(certificate=to_pem([made]), private_key=key_to_pem(key))


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_NAMES = st.one_of(st.sampled_from(["mx", "A", "PARTNER_TLS", ".partner.example", "ALL", "a b", '"', ""]), _TEXTS)


@cache
def _values(kind: Any) -> st.SearchStrategy[Any]:
    if is_table(kind):
        return tables(kind)
    if get_origin(kind) is dict:
        return st.dictionaries(_NAMES, _values(element(kind)), max_size=3)
    if get_origin(kind) is list:
        return st.lists(_values(element(kind)), max_size=3)
    if kind is str:
        return _TEXTS
    if kind is int:
        return st.integers(-(2**63), 2**63 - 1)
    return st.from_type(kind)


@st.composite
def tables(draw: st.DrawFn, kind: Any = Config) -> Any:
    """Make a table of the document from anything that its types allow."""
    fields = field_types(kind)
    given = {field: draw(_values(fields[field])) for field in fields if _needed(kind, field) or draw(st.booleans())}
    return kind(**given)


def _needed(kind: Any, field: str) -> bool:
    return next(info for info in msgspec.structs.fields(kind) if info.name == field).required
