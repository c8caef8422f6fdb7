"""Arguments of MAIL and RCPT (smtp/parameters.py).

Any argument is an event or a refusal, and what an event says, sent to a peer that knows every extension, is one line that
reads back as the same event.
"""

from __future__ import annotations

import re

from gatepost.smtp.envelope import Transaction, mail_command, rcpt_command
from gatepost.smtp.events import Mail, Rcpt
from gatepost.smtp.parameters import parse_mail, parse_rcpt
from gatepost.smtp.reply import Reply

WORDS = (
    b"FROM:",
    b"TO:",
    b"<a@b.example>",
    b"<>",
    b" SIZE=",
    b" BODY=8BITMIME",
    b" BODY=7BIT",
    b" SMTPUTF8",
    b" RET=FULL",
    b" RET=HDRS",
    b" ENVID=",
    b" NOTIFY=",
    b"NEVER",
    b"SUCCESS,FAILURE,DELAY",
    b" ORCPT=rfc822;",
    b" ORCPT=utf-8;",
    b"+2B",
    b"+0D+0A",
    b"=",
    b";",
    b",",
    b"\xc3\xa9",
    b" AUTH=<>",
    b"  ",
)
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_ALL = {"SIZE": "", "8BITMIME": "", "SMTPUTF8": "", "DSN": ""}


def check(octets: bytes) -> None:
    """See above."""
    text = octets.decode("utf-8", "surrogateescape")
    _mail(text)
    for smtputf8 in (False, True):
        _rcpt(text, smtputf8)


def _mail(text: str) -> None:
    mail = parse_mail(text)
    if isinstance(mail, Reply):
        assert 500 <= mail.code < 600
        return
    assert 0 <= mail.size < 10**20
    assert _XTEXT.fullmatch(mail.envid)
    line = mail_command(
        Transaction(
            str(mail.reverse_path), ("c@d",), mail.size, mail.eight_bit, mail.smtputf8, ret=mail.ret, envid=mail.envid
        ),
        _ALL,
    )
    back = parse_mail(_argument(line, b"MAIL "))
    assert isinstance(back, Mail)
    assert back == mail


def _rcpt(text: str, smtputf8: bool) -> None:
    rcpt = parse_rcpt(text, smtputf8=smtputf8)
    if isinstance(rcpt, Reply):
        assert 500 <= rcpt.code < 600
        return
    one = Transaction("", (str(rcpt.forward_path),), 1, notify=(rcpt.notify,), orcpt=(rcpt.orcpt,))
    back = parse_rcpt(_argument(rcpt_command(one, 0, _ALL), b"RCPT "), smtputf8=smtputf8)
    assert isinstance(back, Rcpt)
    assert back == rcpt


def _argument(line: bytes, verb: bytes) -> str:
    assert line.startswith(verb)
    assert line.endswith(b"\r\n")
    assert line.count(b"\r") == line.count(b"\n") == 1
    return line[len(verb) : -2].decode()
