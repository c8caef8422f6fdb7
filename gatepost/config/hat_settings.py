"""The settings of a mail flow policy as the appliance's Host Access Table file spells them (asyncos.md 2.7), both ways.

Fields that the appliance does not have stand under their own names. Of its settings that Gatepost does not have, each has a
sentence that says so: they are passed over, except where to pass over one would let in what the file keeps out. A name
that neither has is an error, for it may be a misspelt one that matters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from gatepost.config.model import DefaultPolicy, InboundTls, MailFlowPolicy, size_in_octets
from gatepost.config.paths import did_you_mean

KEYS = {
    "tls": "tls",
    "tls_profile": "tls_profile",
    "tls_mandatory_senders": "tls_mandatory_senders",
    "tls_peer_names": "tls_peer_names",
    "max_msgs_per_session": "max_messages_per_connection",
    "max_rcpts_per_msg": "max_recipients_per_message",
    "max_message_size": "max_message_size",
    "max_concurrency": "max_connections_per_host",
    "max_rcpts_per_hour": "max_recipients_per_hour",
}
"""The file's names, and ours."""
_NUMBERS = frozenset(field for field in KEYS.values() if field.startswith("max_") and field != "max_message_size")
_TLS: dict[str, InboundTls] = {"off": "no", "on": "preferred", **{setting: setting for setting in get_args(InboundTls)}}
_SCANS = "Gatepost does not scan mail"
_REPUTATION = "Gatepost has no reputation data"
_BANNER = "the banner and the refusals of Gatepost are fixed"
_SIGNED = "Gatepost does not check signatures or sender policies"
_PASSED_OVER = {
    "spam_check": _SCANS,
    "virus_check": _SCANS,
    "use_sb": _REPUTATION,
    "significant_bits": "Gatepost counts by single address",
    "dhap_": "Gatepost does not count invalid recipients",
    "smtp_banner_": _BANNER,
    "use_override_hostname": _BANNER,
    "override_hostname": _BANNER,
    "max_rcpts_per_hour_": _BANNER,
    "max_rcpts_per_mail_from": "Gatepost does not limit envelope senders by the hour",
    "dkim_": _SIGNED,
    "domainkey": _SIGNED,
    "spf_": _SIGNED,
    "dmarc_": _SIGNED,
    "smime_": _SIGNED,
}
"""Settings of the appliance, or how a family of them begins, and why Gatepost has none."""
_DEMANDED = {"smtp_auth": "Gatepost has no SMTP authentication, and without it hosts could send that this policy keeps out"}
"""Settings that cannot be passed over unless they are off."""
_OFF = ("off", "no", "0", "")
_VALUE = re.compile(r'"([^"]*)"|(-?\d+)|([^\s"{}(),;]+)', re.ASCII)


class Setting(NamedTuple):
    """A setting that was read."""

    field: str
    """Empty: it was passed over."""
    value: Any
    """The field's value, or why it was passed over."""


def write_settings(policy: DefaultPolicy | MailFlowPolicy) -> Iterator[str]:
    """Write what a policy sets itself, one setting a line."""
    for key, field in KEYS.items():
        value = getattr(policy, field)
        if value is not None:
            yield f"{key} = {_written(field, value)}"


def _written(field: str, value: Any) -> str:
    if field == "tls":
        return f'"{"off" if value == "no" else value}"'
    if field == "max_message_size":
        try:
            return str(size_in_octets(value))
        except ValueError:
            pass  # a draft may hold what is no size
    if isinstance(value, list):
        value = ", ".join(value)
    return str(value) if isinstance(value, int) else f'"{value}"'


def read_setting(text: str) -> Setting:
    """Read `key = value`; raises ValueError with one sentence, `what is wrong: how to mend it`."""
    key, equals, rest = (part.strip() for part in text.partition("="))
    if not equals:
        raise ValueError('is not a setting: write name = value, such as tls = "required"')
    found = _VALUE.fullmatch(rest)
    if found is None:
        raise ValueError(f"has no value that can be read: write {key} = 10, or a text in quotes, one setting a line")
    value = found[1] or found[2] or found[3] or ""
    if key in KEYS:
        return Setting(KEYS[key], _read(KEYS[key], value))
    if key in _DEMANDED and value.lower() not in _OFF:
        raise ValueError(f"cannot be honoured, for {_DEMANDED[key]}: take it out if that is what you want")
    for begin, why in {**_PASSED_OVER, **_DEMANDED}.items():
        if key == begin or (begin.endswith("_") and key.startswith(begin)):
            return Setting("", why)
    raise ValueError(f"names no setting, neither of Gatepost nor of the appliance: {did_you_mean(key, KEYS)}")


def _read(field: str, text: str) -> Any:
    if field == "tls":
        if text.lower() not in _TLS:
            raise ValueError(f"is no TLS setting: write one of off, {', '.join(list(_TLS)[3:])}")
        return _TLS[text.lower()]
    if field == "tls_peer_names":
        return [name.strip() for name in text.split(",") if name.strip()]
    if field == "max_message_size":
        return _size(text)
    if field not in _NUMBERS:
        return text
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise ValueError("is not a whole number: write one, or -1 for no limit")
    return int(text)


def _size(text: str) -> int | str:
    """Read octets, or a size with its unit, into the shortest way to write it: 10485760 is 10M."""
    try:
        octets = int(text) if text.startswith("-") else size_in_octets(text)
    except ValueError:
        raise ValueError("is not a size: write octets, or -1 for no limit") from None
    for unit, factor in (("G", 1 << 30), ("M", 1 << 20), ("k", 1 << 10)):
        if octets > 0 and octets % factor == 0:
            return f"{octets // factor}{unit}"
    return octets
