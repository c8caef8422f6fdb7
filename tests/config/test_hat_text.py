"""The Host Access Table as text: it reads back as it was written, and every bad line is told with its number."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.config.hat_text import Table, examine, read, write
from gatepost.config.model import (
    BARE_BEHAVIORS,
    Behavior,
    DefaultPolicy,
    InboundTls,
    Listener,
    MailFlowPolicy,
    SenderGroup,
)
from gatepost.config.problems import ConfigErrors
from gatepost.policy.mail_flow import policies
from tests.config.documents import patient

APPLIANCE = """\
# File exported by the GUI at 20060530T220526
$ACCEPTED
    ACCEPT
$PARTNER_TLS
    ACCEPT {
        max_msgs_per_session = 10
        max_concurrency = 11
        max_rcpts_per_msg = 50
        max_rcpts_per_hour = -1
        max_message_size = 10485760
        use_sb = "on"
        spam_check = "on"
        dhap_limit = 0
        tls = "required"
    }
$BLOCKED
    REJECT {}
PARTNERS:
    198.51.100.0/24, .relay.partner.example,
    10.1.
        $PARTNER_TLS (partner must encrypt (both ways))
NOBODY:
    $BLOCKED
LISTED:
    dnslist[bl.example]
        TCPREFUSE
spamdomain.example
    REJECT (whole host refused)
.spamdomain.example, 203.0.113.1-9
    $BLOCKED
# the rest
ALL
    $ACCEPTED
    (Everyone else)
"""

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True).filter(
    lambda name: name.upper() not in BARE_BEHAVIORS
)
COMMENTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)
OCTET = st.integers(0, 255)
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True)
HOST = st.builds("{}.{}.example".format, LABEL, LABEL)
SENDERS = st.one_of(
    st.builds("{}.{}.{}.{}".format, OCTET, OCTET, OCTET, OCTET),
    st.builds("{}.{}.".format, OCTET, OCTET),
    st.builds("{}.{}".format, OCTET, OCTET),
    st.builds("{}.{}.{}-255".format, OCTET, OCTET, OCTET),
    st.builds("{}.{}/16".format, OCTET, OCTET),
    st.builds("2001:db8::{:x}".format, st.integers(0, 65535)),
    st.builds("2001:db8:{:x}::/48".format, st.integers(1, 65535)),
    HOST,
    HOST.map(".{}".format),
    HOST.map("dnslist[{}]".format),
    st.sampled_from(["nx.domain", "serv.fail", "not.double.verified", "localhost"]),
)
LIMITS = st.integers(1, 2**31 - 1) | st.just(-1)
SIZES = st.one_of(LIMITS, st.sampled_from(["10M", "1k", "2G", "1536k", "1048576", "7"]))
FIELDS = {
    "tls": st.sampled_from(get_args(InboundTls)),
    "tls_profile": NAMES,
    "tls_mandatory_senders": NAMES | st.just(""),
    "tls_peer_names": st.lists(HOST, max_size=3),
    "max_messages_per_connection": LIMITS,
    "max_recipients_per_message": LIMITS,
    "max_message_size": SIZES,
    "max_connections_per_host": LIMITS,
    "max_recipients_per_hour": LIMITS,
}
OPTIONAL = {field: st.none() | values for field, values in FIELDS.items()}
POLICIES = st.builds(MailFlowPolicy, behavior=st.sampled_from(get_args(Behavior)), **OPTIONAL)


@st.composite
def listeners(draw: st.DrawFn) -> Listener:
    own = draw(st.dictionaries(NAMES, POLICIES, max_size=4))
    rule = st.sampled_from([*own, *BARE_BEHAVIORS])
    groups = [
        SenderGroup(
            name=name,
            senders=draw(st.lists(SENDERS, max_size=12)),
            policy=draw(rule),
            comment=draw(COMMENTS),
        )
        for name in draw(st.lists(NAMES.filter(lambda name: name != "ALL"), max_size=5, unique=True))
    ]
    return Listener(
        type=draw(st.sampled_from(["public", "private"])),
        policies=own,
        sender_groups=groups,
        all_hosts=draw(st.just("") | rule),
        default_policy=draw(st.builds(DefaultPolicy, **FIELDS)),
    )


@patient
@given(listeners())
def test_export_import_export_is_the_same(listener: Listener) -> None:
    text = write(listener)
    table = read(text)
    back = table.put(Listener(type=listener.type))
    assert write(back) == text
    assert policies(back) == policies(listener), "and every policy means what it meant"
    assert list(back.policies) == list(listener.policies)
    assert [(row.name, row.senders, row.policy) for row in back.sender_groups] == [
        (row.name, row.senders, row.policy) for row in listener.sender_groups
    ]
    assert [row.comment for row in back.sender_groups] == [" ".join(row.comment.split()) for row in listener.sender_groups]
    assert table.notes == []
    again = table.put(listener)
    assert again.all_hosts == listener.all_hosts, "what means the same is not written anew"


@patient
@given(listeners(), st.data())
def test_any_damage_is_told_by_line_or_is_none(listener: Listener, data: st.DataObject) -> None:
    lines = write(listener).split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    damage = (
        st.sampled_from(["", "}", "{", "ALL", "$X", "X:", "ACCEPT {", "a = b", "    (x", "1.2.3", "DEFAULT {"]) | st.text()
    )
    lines[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(damage, max_size=2))
    text = "\n".join(lines)
    table, problems = examine(text)
    assert isinstance(table, Table)
    for problem in problems:
        assert problem.severity == "error"
        assert problem.wrong
        assert problem.mend
        assert 1 <= int(problem.path.removeprefix("line ")) <= text.count("\n") + 1
    if not problems:
        once = write(table.put(Listener()))
        assert write(read(once).put(Listener())) == once


def test_a_file_of_the_appliance() -> None:
    table = read(APPLIANCE.replace("\n", "\r\n"))
    assert table.policies == {
        "ACCEPTED": MailFlowPolicy(),
        "PARTNER_TLS": MailFlowPolicy(
            tls="required",
            max_messages_per_connection=10,
            max_connections_per_host=11,
            max_recipients_per_message=50,
            max_recipients_per_hour=-1,
            max_message_size="10M",
        ),
        "BLOCKED": MailFlowPolicy(behavior="reject"),
    }
    assert [(row.name, row.senders, row.policy, row.comment) for row in table.sender_groups] == [
        (
            "PARTNERS",
            ["198.51.100.0/24", ".relay.partner.example", "10.1."],
            "PARTNER_TLS",
            "partner must encrypt (both ways)",
        ),
        ("NOBODY", [], "BLOCKED", ""),
        ("LISTED", ["dnslist[bl.example]"], "TCPREFUSE", ""),
        ("HOST_spamdomain.example", ["spamdomain.example"], "REJECT", "whole host refused"),
        ("HOST_.spamdomain.example", [".spamdomain.example", "203.0.113.1-9"], "BLOCKED", ""),
    ]
    assert (table.all_hosts, table.default_policy) == ("ACCEPTED", None)
    assert table.notes == [
        "use_sb (line 11) is ignored, for Gatepost has no reputation data.",
        "spam_check (line 12) is ignored, for Gatepost does not scan mail.",
        "dhap_limit (line 13) is ignored, for Gatepost does not count invalid recipients.",
        "2 rows without a sender group became groups of their own: HOST_spamdomain.example, HOST_.spamdomain.example.",
        "The comment of the ALL row (line 32) is ignored, for that row has none in Gatepost.",
        "The text has no DEFAULT block; the Default Policy Parameters stay as they are.",
    ]
    listener = Listener(default_policy=DefaultPolicy(max_connections_per_host=7), domain_map=[], max_concurrency=9)
    put = table.put(listener)
    assert (put.default_policy, put.max_concurrency) == (listener.default_policy, 9)


def test_the_text_of_a_table() -> None:
    listener = Listener(
        policies={
            "PARTNER_TLS": MailFlowPolicy(tls="required-verify", tls_peer_names=["mx.partner.example", "b.example"]),
            "BLOCKED": MailFlowPolicy(behavior="reject"),
        },
        sender_groups=[
            SenderGroup(name="PARTNERS", senders=["192.0.2.1", ".p.example"], policy="PARTNER_TLS", comment="two\nlines"),
            SenderGroup(name="MANY", senders=[f"10.0.0.{n}" for n in range(11)], policy="BLOCKED"),
            SenderGroup(name="NONE", policy="REJECT"),
        ],
    )
    assert write(listener).split("\n\n", 1)[1] == (
        "$PARTNER_TLS\n"
        "    ACCEPT {\n"
        '        tls = "required-verify"\n'
        '        tls_peer_names = "mx.partner.example, b.example"\n'
        "    }\n\n"
        "$BLOCKED\n"
        "    REJECT\n\n"
        "PARTNERS:\n"
        "    192.0.2.1, .p.example\n"
        "        $PARTNER_TLS (two lines)\n\n"
        "MANY:\n" + "".join(f"    10.0.0.{n},\n" for n in range(10)) + "    10.0.0.10\n"
        "        $BLOCKED\n\n"
        "NONE:\n"
        "        REJECT\n\n"
        "ALL\n"
        "    ACCEPT\n"
    )
    lines = write(Listener(type="private")).split("\n")
    assert lines[:3] == [lines[0], "DEFAULT {", '    tls = "off"']
    assert "    max_message_size = 104857600" in lines
    assert lines[-3:] == ["ALL", "    REJECT", ""]


BAD = [
    ("", "line 1: is the end, and there is no ALL row; write ALL and its policy last; or is the file cut short?"),
    ("G:\n  1.2.3.4\nALL\n  ACCEPT", 'line 1 = "G": has no policy; write one below it and indent it: ACCEPT, or $NAME'),
    ("$A\n$B\n  REJECT\nALL\n  $B", 'line 1 = "A": has no behaviour; write one below it and indent it: ACCEPT'),
    ("$A\n  ACEPT\nALL\n  $A", 'line 2 = "ACEPT": is not a behaviour; did you mean ACCEPT?'),
    ("$A\n  $B\nALL\n  $A", 'line 2 = "$B": is not a behaviour; there is ACCEPT, RELAY, REJECT, TCPREFUSE, CONTINUE'),
    ("ALL\n  $GONE", 'line 2 = "$GONE": is no policy of this table; there is ACCEPT, RELAY, REJECT, TCPREFUSE, CONTINUE'),
    ("$A\n  ACCEPT\n$A\n  REJECT\nALL\n  $A", 'line 3 = "A": stands twice, first in line 1; take one out, or rename it'),
    ("G:\n  REJECT\nG:\n  ACCEPT\nALL\n  ACCEPT", 'line 3 = "G": stands twice, first in line 1; take one out, or rename it'),
    ("ALL\n  ACCEPT\nALL\n  REJECT", 'line 3 = "ALL": stands twice, first in line 1; take one out, or rename it'),
    ("ALL\n  ACCEPT\nG:\n  REJECT", 'line 3 = "G": stands below the ALL row and could never match; move it up'),
    ("$A\n  ACCEPT {\n  }\nALL\n  $A {", 'line 5 = "ALL": opens a brace that is not closed; write } below its settings'),
    ("$A\n  ACCEPT {\nALL\n  $A", 'line 2 = "A": opens a brace that is not closed; write } below its settings'),
    (
        "$A\n  ACCEPT {\n  tls\n  }\nALL\n  $A",
        'line 3 = "tls": is not a setting; write name = value, such as tls = "required"',
    ),
    ('$A\n  ACCEPT {\n  tls = "x\n  }\nALL\n  $A', "has no value that can be read"),
    (
        "$A\n  ACCEPT {\n  tls = always\n  }\nALL\n  $A",
        "is no TLS setting; write one of off, preferred, required, preferred-verify",
    ),
    ("$A\n  ACCEPT {\n  max_concurrency = 1\n  max_concurrency = 1\n  }\nALL\n  $A", "line 4 = "),
    ("$A\n  ACCEPT {\n  max_concurrency = 10M\n  }\nALL\n  $A", "is not a whole number; write one, or -1 for no limit"),
    ("$A\n  ACCEPT {\n  max_message_size = big\n  }\nALL\n  $A", "is not a size; write octets, or -1 for no limit"),
    ("$A\n  ACCEPT {\n  tsl = required\n  }\nALL\n  $A", "neither of Gatepost nor of the appliance; did you mean tls?"),
    (
        '$A\n  RELAY {\n  smtp_auth = "required"\n  }\nALL\n  $A',
        "cannot be honoured, for Gatepost has no SMTP authentication",
    ),
    ("G:\n  1.2.3.4\n  REJECT {\n  tls = off\n  }\nALL\n  ACCEPT", "line 4 = "),
    ("G:\n  1.2.3.4\n  REJECT { tls = off }\nALL\n  ACCEPT", "is neither a policy nor a behaviour; write $NAME or one of"),
    (
        "G:\n  SBRS[-10.0:-2.0]\n  REJECT\nALL\n  ACCEPT",
        'line 2 = "SBRS[-10.0:-2.0]": is not supported, for Gatepost has no rep',
    ),
    ("G:\n  SBO:7\n  REJECT\nALL\n  ACCEPT", 'line 2 = "SBO:7": is not supported, for Gatepost has no reputation'),
    (
        "G:\n  country[us]\n  REJECT\nALL\n  ACCEPT",
        "is not supported, for Gatepost has no reputation, network owner or country",
    ),
    ("G:\n  Somalia\n  REJECT\nALL\n  ACCEPT", "(countries are not supported)"),
    ("G:\n  1.2.3.4, ALL\n  REJECT\nALL\n  ACCEPT", "is no member of a group; write it at the margin, last of all"),
    ("G:\n  1.2.3.4 1.2.3.5\n  REJECT\nALL\n  ACCEPT", "is not a member of a sender group; put commas between members"),
    ("G:\n  1.2.3.400\n  REJECT\nALL\n  ACCEPT", "is not an IPv4 address, for 400 is more than 255"),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_each_bad_line(text: str, told: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(text)
    assert [str(problem) for problem in caught.value.problems if told in str(problem)], str(caught.value)
    assert len(caught.value.problems) == 1, str(caught.value)


def test_every_bad_line_is_told_at_once_in_order() -> None:
    text = "".join(f"G{n}:\n  10.0.0.{n}, bad host, SBO:{n}\n  $NONE\n" for n in range(100)) + "ALL\n  ACCEPT"
    with pytest.raises(ConfigErrors) as caught:
        read(text)
    lines = [int(problem.path.removeprefix("line ")) for problem in caught.value.problems]
    assert len(lines) == 300
    assert lines == sorted(lines)


def test_which_line_says_what() -> None:
    table = read(APPLIANCE)
    assert table.line("policies.PARTNER_TLS.max_messages_per_connection") == 6
    assert table.line("policies.PARTNER_TLS.tls_profile") == 4, "what is not there is looked for at its policy"
    assert table.line("sender_groups.PARTNERS.policy") == 21
    assert table.line('sender_groups."HOST_spamdomain.example".name') == 27
    assert table.line("all_hosts") == 33
    assert table.line("certificates[0]") == 0


def test_nameless_rows_take_names_that_are_free() -> None:
    text = (
        "HOST_a.example:\n  ACCEPT\na.example\n  REJECT\na.example, b.example\n  REJECT\n10.0.0.0/8\n  REJECT\nALL\n  ACCEPT"
    )
    names = [row.name for row in read(text).sender_groups]
    assert names == ["HOST_a.example", "HOST_a.example_3", "HOST_a.example_5", "HOST_10.0.0.0_8"]


def test_it_says_how_far_it_has_come() -> None:
    text = "G:\n" + "".join(f"  10.{n >> 8}.{n & 255}.1,\n" for n in range(20_000)) + "  REJECT\nALL\n  ACCEPT\n"
    steps: list[tuple[int, int]] = []
    table = read(text, lambda done, of: steps.append((done, of)))
    assert steps == [(done, 20_005) for done in (5000, 10000, 15000, 20000)]
    assert len(table.sender_groups[0].senders) == 20_000
    assert msgspec.structs.astuple(table.put(Listener()))[0] == "public"


def test_a_text_that_is_bad_throughout_can_still_be_judged() -> None:
    table, problems = examine("'\"><img src=x>")
    assert problems
    assert table.put(Listener(type="public")).all_hosts == ""
