"""The state tables, and the page drawn from them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gatepost.smtp.states import COMMANDS, REFUSED, SENDER, TABLE, TRANSACTION, Ask, Stage, State, Verb

ROOT = Path(__file__).resolve().parents[2]


def test_page_is_current() -> None:
    drawn = subprocess.run([sys.executable, ROOT / "scripts" / "draw-states"], capture_output=True, text=True, check=True)
    assert drawn.stdout == (ROOT / "docs" / "states.md").read_text(), "run scripts/draw-states > docs/states.md"


def test_tables_are_complete() -> None:
    assert set(TABLE) == set(State)
    assert set(SENDER) == set(Ask)
    assert {command.verb for command in COMMANDS.values()} == set(Verb) - {Verb.END_OF_DATA}


def test_before_tls_only_what_the_model_says() -> None:
    allowed = {command.verb for command in COMMANDS.values() if command.before_tls}
    assert allowed == {Verb.EHLO, Verb.NOOP, Verb.QUIT, Verb.STARTTLS}


def test_no_message_without_recipient() -> None:
    assert [state for state, moves in TABLE.items() if Verb.DATA in moves] == [State.RCPT]
    assert {state for state, moves in TABLE.items() if Verb.BDAT in moves} == {State.RCPT, State.BDAT}
    assert not any(Verb.MAIL in TABLE[state] or Verb.STARTTLS in TABLE[state] for state in TRANSACTION)


def test_every_way_out_of_a_transaction_is_ready_or_closed() -> None:
    for state in TRANSACTION:
        leaving = {after for after in TABLE[state].values() if after not in TRANSACTION}
        assert leaving <= {State.READY, State.CLOSED}
    assert set(REFUSED.values()) == {State.READY}


def test_delivered_only_by_250() -> None:
    assert SENDER[Ask.END].codes == {250}
    assert Stage.CONTENT not in SENDER[Ask.RSET].stages | SENDER[Ask.QUIT].stages
