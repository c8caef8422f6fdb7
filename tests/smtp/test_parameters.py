"""Arguments of MAIL and RCPT."""

from __future__ import annotations

import pytest

from gatepost.smtp.events import Mail, Rcpt
from gatepost.smtp.parameters import parse_mail, parse_rcpt
from gatepost.smtp.path import NULL, Path
from gatepost.smtp.reply import Reply

AB = Path("a", "b")


@pytest.mark.parametrize(
    ("argument", "mail"),
    [
        ("FROM:<a@b>", Mail(AB)),
        ("from: <a@b>", Mail(AB)),
        ("FROM:<>", Mail(NULL)),
        ("FROM:<a@b> SIZE=12345678901234567890", Mail(AB, size=12345678901234567890)),
        ("FROM:<a@b>  BODY=8bitmime   size=1", Mail(AB, size=1, eight_bit=True)),
        ("FROM:<a@b> BODY=7BIT", Mail(AB)),
        ("FROM:<a@b> SMTPUTF8", Mail(AB, smtputf8=True)),
        ("FROM:<é@b> SMTPUTF8 BODY=8BITMIME", Mail(Path("é", "b"), smtputf8=True, eight_bit=True)),
        ("FROM:<a@b> RET=hdrs ENVID=QQ+2B1", Mail(AB, ret="HDRS", envid="QQ+2B1")),
    ],
)
def test_mail(argument: str, mail: Mail) -> None:
    assert parse_mail(argument) == mail


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("", 501),
        ("FROM", 501),
        ("FROM:", 501),
        ("TO:<a@b>", 501),
        ("FROM:  <a@b>", 501),
        ("FROM :<a@b>", 501),
        ("FROM:a@b", 501),
        ("FROM:<a@b>SIZE=1", 501),
        ("FROM:<a@b> SIZE", 501),
        ("FROM:<a@b> SIZE=", 501),
        ("FROM:<a@b> SIZE=-1", 501),
        ("FROM:<a@b> SIZE=1e3", 501),
        ("FROM:<a@b> SIZE=\u0661", 501),
        ("FROM:<a@b> SIZE=123456789012345678901", 501),
        ("FROM:<a@b> SIZE=1 SIZE=1", 501),
        ("FROM:<a@b> BODY=BINARYMIME", 501),
        ("FROM:<a@b> BODY=8B\u0131TMIME", 501),
        ("FROM:<a@b> SMTPUTF8=1", 501),
        ("FROM:<a@b> RET=ALL", 501),
        ("FROM:<a@b> ENVID=a=b", 501),
        ("FROM:<a@b> ENVID=" + "x" * 101, 501),
        ("FROM:<a@b> =x", 501),
        ("FROM:<a@b> \u017fIZE=1", 501),
        ("FROM:<a@b> X\x1b=1", 501),
        ("FROM:<a@b> FOO", 555),
        ("FROM:<a@b> FOO=bar", 555),
        ("FROM:<a@b> NOTIFY=NEVER", 555),
        ("FROM:<a@b> REQUIRETLS", 555),
        ("FROM:<é@b>", 553),
        ("FROM:<é@b> SIZE=1", 553),
        ("FROM:<é@b> RET=FULL", 553),
    ],
)
def test_refused_mail(argument: str, code: int) -> None:
    answer = parse_mail(argument)
    assert isinstance(answer, Reply)
    assert answer.code == code


@pytest.mark.parametrize(
    ("argument", "rcpt"),
    [
        ("TO:<a@b>", Rcpt(AB)),
        ("To: <postmaster>", Rcpt(Path("postmaster", ""))),
        ("TO:<a@b> NOTIFY=never", Rcpt(AB, notify="NEVER")),
        ("TO:<a@b> NOTIFY=Success,FAILURE,DELAY", Rcpt(AB, notify="SUCCESS,FAILURE,DELAY")),
        ("TO:<a@b> ORCPT=rfc822;a+2Bx@b", Rcpt(AB, orcpt="rfc822;a+2Bx@b")),
    ],
)
def test_rcpt(argument: str, rcpt: Rcpt) -> None:
    assert parse_rcpt(argument, smtputf8=False) == rcpt


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("", 501),
        ("TO:<>", 501),
        ("FROM:<a@b>", 501),
        ("TO:<a@b> NOTIFY=NEVER,DELAY", 501),
        ("TO:<a@b> NOTIFY=", 501),
        ("TO:<a@b> NOTIFY=\u017fUCCESS", 501),
        ("TO:<a@b> ORCPT=a@b", 501),
        ("TO:<a@b> ORCPT=;a@b", 501),
        ("TO:<a@b> ORCPT=rfc822;", 501),
        ("TO:<a@b> ORCPT=rfc822;a=b", 501),
        ("TO:<a@b> ORCPT=rfc822;é@b", 501),
        ("TO:<a@b> ORCPT=utf-8;é@b", 501),
        ("TO:<a@b> ORCPT=rfc822;" + "x" * 500, 501),
        ("TO:<a@b> SIZE=1", 555),
        ("TO:<é@b>", 553),
    ],
)
def test_refused_rcpt(argument: str, code: int) -> None:
    answer = parse_rcpt(argument, smtputf8=False)
    assert isinstance(answer, Reply)
    assert answer.code == code


def test_rcpt_with_smtputf8() -> None:
    assert parse_rcpt("TO:<é@b> ORCPT=utf-8;é@b", smtputf8=True) == Rcpt(Path("é", "b"), orcpt="utf-8;é@b")
