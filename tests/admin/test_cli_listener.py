"""`gatepost listener hat`: the Host Access Table out as text and in again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gatepost.admin.operations import configuration, hat
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.errors import Conflict
from tests.admin.conftest import Terminal

TABLE = """\
$BLOCKED
    REJECT
$PARTNER_TLS
    ACCEPT {
        tls = "required"
        spam_check = "on"
    }
PARTNERS:
    198.51.100.0/24
        $PARTNER_TLS (since 2009)
ALL
    $BLOCKED
"""
WRONG = """\
$PARTNER_TLS
    ACCEPT {
        tls = "required"
        tls_profile = "inbond"
        max_concurrency = 0
        max_msgs = 10
    }
PARTNERS:
    198.51.100.0/24, sbrs[-10.0:-2.0]
        $PARTNERS
MY GROUP:
    192.0.2.1
        REJECT
ALL
    CONTINUE
"""
LINES = 100_000
SECONDS = 5.0


def test_out_and_in_again_changes_nothing(configured: Terminal, tmp_path: Path) -> None:
    text = configured("listener", "hat", "export", "InboundMail").out
    assert "\nPARTNERS:\n    198.51.100.0/24, .relay.partner.example\n        $PARTNER_TLS\n" in text
    assert configured.json("listener", "hat", "export", "InboundMail") == {"listener": "InboundMail", "text": text}
    file = tmp_path / "hat.txt"
    file.write_text(text)
    assert (
        "The draft is the same as the committed configuration."
        in configured("listener", "hat", "import", "InboundMail", str(file)).out
    )
    assert configured("listener", "hat", "export", "InboundMail", "--draft").out == text


def test_an_import_replaces_the_table_in_the_draft_alone(configured: Terminal, tmp_path: Path) -> None:
    before = configured("listener", "hat", "export", "InboundMail").out
    file = tmp_path / "hat.txt"
    file.write_bytes(b"\xef\xbb\xbf" + TABLE.encode())
    told = configured("listener", "hat", "import", "InboundMail", str(file)).out
    assert told.startswith(
        "spam_check (line 6) is ignored, for Gatepost does not scan mail.\nThe text has no DEFAULT block;"
    )
    assert "  listeners.InboundMail.sender_groups.BAD: removed, was " in told
    assert told.endswith("Nothing is live before `gatepost config commit -m TEXT`.\n")
    assert configured("listener", "hat", "export", "InboundMail").out == before
    draft = load(Operator(configured.state), draft=True).config.listeners["InboundMail"]
    assert list(draft.policies) == ["BLOCKED", "PARTNER_TLS"]
    assert [row.comment for row in draft.sender_groups] == ["since 2009"]
    assert draft.default_policy.tls == "preferred", "which the text does not speak of"
    assert [row.match for row in draft.recipients] == ["example.com", ".example.com"]
    again = configured.json("listener", "hat", "import", "InboundMail", str(file))
    assert again["notes"][0].startswith("spam_check")


def test_every_bad_line_is_told_and_nothing_changed(configured: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "hat.txt"
    file.write_text(WRONG)
    before = configuration.pending(Operator(configured.state)).tag
    told = configured("listener", "hat", "import", "InboundMail", str(file), status=1).err
    heads = [line for line in told.splitlines() if line.startswith("error:")]
    assert heads == [
        'error:   line 4 = "inbond"',
        "error:   line 5 = 0",
        'error:   line 6 = "max_msgs = 10"',
        'error:   line 9 = "sbrs[-10.0:-2.0]"',
        'error:   line 10 = "$PARTNERS"',
        'error:   line 11 = "MY GROUP"',
        'error:   line 15 = "CONTINUE"',
    ]
    assert "policies.PARTNER_TLS.tls_profile names no TLS profile\n         mend: did you mean inbound?" in told
    assert configuration.pending(Operator(configured.state)).tag == before


def test_what_cannot_be_read(configured: Terminal, tmp_path: Path) -> None:
    assert "there is no listener 'Inbound': did you mean" in configured("listener", "hat", "export", "Inbound", status=1).err
    file = tmp_path / "hat.txt"
    file.write_bytes(TABLE.replace("since", "depuis f\xe9vrier").encode("latin-1"))
    told = configured("listener", "hat", "import", "InboundMail", str(file), status=1).err
    assert told == f"gatepost: {file} is not UTF-8 text (line 10): save it as UTF-8\n"


def test_a_draft_that_somebody_else_changed_is_not_overwritten(configured: Terminal) -> None:
    operator = Operator(configured.state)
    operator.tag = configuration.pending(operator).tag
    hat.import_text(Operator(configured.state), "InboundMail", TABLE)
    with pytest.raises(Conflict):
        hat.import_text(operator, "InboundMail", TABLE.replace("2009", "2010"))


@pytest.mark.system
@pytest.mark.alone
@pytest.mark.parametrize("groups", [10, LINES // 2], ids=["in ten groups", "each a row of its own"])
def test_100_000_lines_take_less_than_five_seconds(configured: Terminal, groups: int) -> None:
    """Stored and compared, with word on how far it has come."""
    members = LINES // groups
    addresses = (f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(LINES))
    if groups == 10:
        rows = (
            f"G{row}:\n" + "".join(f"  {next(addresses)},\n" for _ in range(members - 2)) + "  REJECT\n" for row in range(10)
        )
    else:
        rows = (f"{next(addresses)}\n    REJECT\n" for _ in range(groups))
    text = "".join(rows) + "ALL\n  ACCEPT\n"
    assert text.count("\n") >= LINES
    told: list[str] = []
    began, cpu = time.monotonic(), time.process_time()
    made = hat.import_text(
        Operator(configured.state), "InboundMail", text, lambda doing, done, of: told.append(f"{doing} {done} {of}")
    )
    took = min(time.monotonic() - began, time.process_time() - cpu)  # the machine may be busy with something else
    assert not made.problems
    assert "reading 5000 " in told[0]
    assert len(told) >= 20
    assert len(load(Operator(configured.state), draft=True).config.listeners["InboundMail"].sender_groups) == groups
    assert took < SECONDS
