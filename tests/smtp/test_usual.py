"""The short way of reading MAIL and RCPT comes to the same as the long one, for whatever it takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatepost.smtp.parameters import parse_mail, parse_rcpt, usual_mail, usual_rcpt

ODD = 'abcXYZ019.-_@<> %!"\\+=:\u00e9[]'
LOCAL = st.text("abcXYZ019.-_+=%!", min_size=1, max_size=70) | st.text(ODD, max_size=10)
LABEL = st.text("abcXYZ019-", min_size=1, max_size=64)
DOMAIN = st.lists(LABEL, min_size=1, max_size=6).map(".".join) | st.text(ODD, max_size=12)
SIZE = st.sampled_from(["", " SIZE=0", " SIZE=12345", " SIZE=99999999999999999999", " SIZE=", "  SIZE=1"])
BODY = st.sampled_from(["", " BODY=8BITMIME", " BODY=7BIT", " BODY=8bitmime", " SMTPUTF8"])


@given(LOCAL, DOMAIN, SIZE, BODY)
def test_mail(local: str, domain: str, size: str, body: str) -> None:
    line = f"MAIL FROM:<{local}@{domain}>{size}{body}"
    usual = usual_mail(line.encode(), 10**18)
    if usual is not None:
        assert usual == parse_mail(line[5:])


@given(LOCAL, DOMAIN, st.sampled_from(["", " NOTIFY=NEVER", " "]))
def test_rcpt(local: str, domain: str, parameters: str) -> None:
    line = f"RCPT TO:<{local}@{domain}>{parameters}"
    usual = usual_rcpt(line.encode())
    if usual is not None:
        assert usual == parse_rcpt(line[5:], smtputf8=False)


def test_what_it_is_for() -> None:
    assert usual_mail(b"MAIL FROM:<a.b+c@Example.COM> SIZE=10 BODY=8BITMIME", 10) is not None
    assert usual_rcpt(b"RCPT TO:<a@mx1.example.com>") is not None


def test_what_it_leaves() -> None:
    long_domain = b".".join([b"a" * 60] * 5)
    for line in (
        b"MAIL FROM:<>",
        b"mail from:<a@b.example>",
        b"MAIL FROM:<a@" + long_domain + b">",
        b"MAIL FROM:<a@[1.2.3.4]>",
    ):
        assert usual_mail(line, 10**18) is None
    assert usual_mail(b"MAIL FROM:<a@b.example> SIZE=11", 10) is None
    assert usual_rcpt(b"RCPT TO:<a@" + long_domain + b">") is None
    assert usual_rcpt(b"RCPT TO:<postmaster>") is None
