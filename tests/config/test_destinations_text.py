"""The destination controls as a text: it reads back as it was written, and every bad line is told."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.config.destinations_text import dumps, loads
from gatepost.config.model import DefaultDestination, DestinationControl, OutboundTls, RecipientRate
from gatepost.config.problems import ConfigErrors

NUMBERS = st.integers(1, 2**31 - 1)
RATES = st.builds(RecipientRate, recipients=NUMBERS, minutes=st.integers(1, 60))
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
DOMAINS = st.from_regex(r"\.?([a-z][a-z0-9]{0,8}\.){1,3}[a-z]{2,6}", fullmatch=True)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "tls": st.sampled_from(get_args(OutboundTls)),
    "tls_profile": NAMES,
    "dane": st.sampled_from(["none", "opportunistic", "mandatory"]),
    "mta_sts": st.sampled_from(["none", "testing", "enforce-as-published"]),
    "max_connections": NUMBERS,
    "max_messages_per_connection": NUMBERS,
    "recipients_per_minutes": RATES,
    "bounce_profile": NAMES,
}
CONTROLS = st.builds(DestinationControl, **{name: st.none() | field for name, field in FIELDS.items()})
DEFAULTS = st.builds(
    DefaultDestination,
    **{**FIELDS, "recipients_per_minutes": st.none() | RATES, "certificate": st.just("") | NAMES},
)

WHOLE = """\
[DEFAULT]
max_host_concurrency = 500
max_messages_per_connection = 50
recipient_minutes = 60
recipient_limit = 0
table_tls = off
"""


@given(st.dictionaries(DOMAINS, CONTROLS, max_size=6), DEFAULTS)
def test_what_is_written_reads_back_and_is_written_the_same(
    destinations: dict[str, DestinationControl], default: DefaultDestination
) -> None:
    text = dumps(destinations, default)
    table = loads(text)
    assert (table.destinations, table.default) == (destinations, default)
    assert list(table.destinations) == list(destinations)
    assert dumps(table.destinations, table.default) == text


def test_the_text_as_it_is_written() -> None:
    controls = {
        "partner.example": DestinationControl(tls="required-verify", max_connections=5),
        ".clinic.example": DestinationControl(
            recipients_per_minutes=RecipientRate(recipients=1000), bounce_profile="Patient", tls_profile="old"
        ),
        "as.default.example": DestinationControl(),
    }
    assert dumps(controls, DefaultDestination(certificate="mx")) == (
        "# Destination controls: [DEFAULT] is for every other domain, a section holds what its domain sets itself.\n"
        "\n"
        "[DEFAULT]\n"
        "ip_sort_pref = PREFER_V6\n"
        "max_host_concurrency = 500\n"
        "max_messages_per_connection = 500\n"
        "recipient_minutes = 60\n"
        "recipient_limit = 0\n"
        "limit_type = host\n"
        "limit_apply = system\n"
        "table_tls = on\n"
        "certificate = mx\n"
        "\n"
        "[partner.example]\n"
        "max_host_concurrency = 5\n"
        "limit_type = host\n"
        "limit_apply = system\n"
        "table_tls = require_verify\n"
        "\n"
        "[.clinic.example]\n"
        "recipient_minutes = 60\n"
        "recipient_limit = 1000\n"
        "limit_type = host\n"
        "limit_apply = system\n"
        "tls_profile = old\n"
        "bounce_profile = Patient\n"
        "\n"
        "[as.default.example]\n"
    )


def test_a_file_of_the_appliance_is_read() -> None:
    table = loads(
        "# Destination Controls\r\n"
        "[Default]\r\n"
        "ip_sort_pref = PREFER_V6\r\n"
        "max_host_concurrency: 400\r\n"
        "limit_type = 0\r\n"
        "limit_apply = 0\r\n"
        "max_messages_per_connection = 50\r\n"
        "recipient_minutes = 60\r\n"
        "recipient_limit = 300\r\n"
        "bounce_validation = 0\r\n"
        "TABLE_TLS = on\r\n"
        "send_tls_req_alert = 0\r\n"
        "; an old note\r\n"
        "[Partner.Example]\r\n"
        "table_tls = required\r\n"
        "bounce_profile = Partner\r\n"
    )
    rate = RecipientRate(recipients=300, minutes=60)
    assert table.default == DefaultDestination(
        max_connections=400, max_messages_per_connection=50, recipients_per_minutes=rate, tls="preferred"
    )
    assert table.destinations == {"partner.example": DestinationControl(tls="required", bounce_profile="Partner")}
    assert table.lines['destinations."partner.example".tls'] == 15
    assert table.lines['destinations."partner.example"'] == 14


BAD = [
    ("[a.example]\nmax_host_concurrency = ten", 8, "max_host_concurrency = ten is out of place; write a whole number of 1"),
    ("[a.example]\nmax_host_concurrency = 0", 8, "max_host_concurrency = 0 is out of place; write a whole number of 1 or"),
    ("[a.example]\nrecipient_minutes = 61\nrecipient_limit = 5", 8, "write a whole number from 1 to 60"),
    ("[a.example]\nrecipient_limit = 5", 8, "recipient_limit lacks its recipient_minutes"),
    ("[a.example]\nrecipient_minutes = 5", 8, "recipient_minutes lacks its recipient_limit"),
    ("[a.example]\ntable_tls = yes", 8, "write one of off, on, require, on_verify, require_verify, require_verify_hosted"),
    ("[a.example]\ntabel_tls = on", 8, "tabel_tls is not a setting of this file; did you mean table_tls"),
    ("[a.example]\nlimit_type = MXIP", 8, "limit_type = MXIP cannot be had, for a limit is one for the whole domain"),
    ("[a.example]\nip_sort_pref = REQUIRE_V4", 8, "Gatepost tries IPv6 addresses first; write PREFER_V6, or leave"),
    ("[a.example]\nsend_tls_req_alert = 1", 8, "Gatepost sends no alert by mail"),
    ("[a.example]\ndane = maybe", 8, "write one of none, opportunistic, mandatory"),
    ("[a.example]\ncertificate = mx", 8, "certificate is for all outbound TLS; move the line to [DEFAULT]"),
    ("[a.example]\nbounce_profile =", 8, "bounce_profile is empty"),
    ("[a.example]\ntable_tls = on\ntable_tls = off", 9, "table_tls stands twice, first in line 8"),
    ("[a.example]\n[A.example]", 8, "[a.example] stands twice, first in line 7"),
    ("[a.example\ntable_tls = on", 7, "'[a.example' lacks its closing bracket"),
    ("[*.example]", 7, "holds a wildcard; write .example.com for the domains below a domain"),
    ("[user@a.example]", 7, "is a mail address; write its domain"),
    ("[]", 7, "the text is empty"),
    ("[a.example]\njust words", 8, "'just words' is neither a section nor a setting"),
]


@pytest.mark.parametrize(("text", "line", "said"), BAD, ids=[said for _, _, said in BAD])
def test_a_bad_line_is_told_with_its_number(text: str, line: int, said: str) -> None:
    with pytest.raises(ConfigErrors) as refused:
        loads(f"{WHOLE}{text}\n")
    (problem,) = refused.value.problems
    assert problem.path == f"line {line}"
    assert said in f"{problem.wrong}; {problem.mend}"


def test_every_bad_line_is_told_at_once_in_their_order() -> None:
    lines = [text for text, _, _ in BAD if text.startswith("[a.example]\n") and "\n" not in text[12:]]
    text = WHOLE + "[a.example]\n" + "".join(line.removeprefix("[a.example]\n") + "\n" for line in lines)
    text += "[b.example]\nx = 1\n[b.example]\n"
    with pytest.raises(ConfigErrors) as refused:
        loads(text)
    numbers = [int(problem.path.removeprefix("line ")) for problem in refused.value.problems]
    assert numbers == sorted(numbers)
    assert len(numbers) >= len(lines)


def test_the_default_section_is_whole() -> None:
    with pytest.raises(ConfigErrors) as refused:
        loads("table_tls = on\n[DEFAULT]\ntable_tls = on\n")
    assert [str(problem) for problem in refused.value.problems] == [
        "line 1: table_tls stands before any section; write [DEFAULT] or [domain] above it",
        "line 2: [DEFAULT] lacks max_host_concurrency; add a line max_host_concurrency = ...",
        "line 2: [DEFAULT] lacks max_messages_per_connection; add a line max_messages_per_connection = ...",
        "line 2: [DEFAULT] lacks recipient_minutes; add a line recipient_minutes = ...",
        "line 2: [DEFAULT] lacks recipient_limit; add a line recipient_limit = ...",
    ]
    with pytest.raises(ConfigErrors, match=r"line 1: the file has no section \[DEFAULT\]"):
        loads("[a.example]\n")


def test_an_entry_cannot_lift_the_limit_of_the_default() -> None:
    limited = WHOLE.replace("recipient_limit = 0", "recipient_limit = 10")
    entry = "[a.example]\nrecipient_minutes = 60\nrecipient_limit = 0\n"
    with pytest.raises(ConfigErrors, match=r"line 9: recipient_limit = 0 cannot lift the limit of \[DEFAULT\]"):
        loads(limited + entry)
    assert loads(WHOLE + entry).destinations == {"a.example": DestinationControl()}
