"""Both engines joined: what the sender sends, the receiver takes as the same message, or refuses; never as another one.

An envelope or a content that could not be told apart from commands is a ValueError before a single octet of it goes out. Of
everything else the receiver hears exactly the commands that were meant: this path, these recipients, these parameters, this
content, one reply for each, whatever way it goes and however it is cut.
"""

from __future__ import annotations

from gatepost.smtp import events
from gatepost.smtp.path import Path, parse_path
from gatepost.smtp.sender import Transaction
from tests.support.joined import Line

WORDS = (
    b"\xff",
    b"a@b.example",
    b'"a b"@c.example',
    b"@",
    b'"',
    b"\\",
    b">",
    b"<",
    b"\r\n",
    b"\r\nRSET\r\n",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r\n..",
    b".",
    b"..\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"\xc3\xa9",
    b" SIZE=1",
    b"rfc822;x",
    b"NEVER",
    b"FULL",
    b"+2B",
    b"x" * 1000,
)
_SETTINGS = {
    "max_message_size": "-1",
    "max_header_size": "-1",
    "max_header_lines": "-1",
    "max_hops": "-1",
    "max_line_length": "-1",
    "bad_commands": "100",
    "command_line": "8000",
}
_OPEN = 6
"""Commands that an envelope may come to: MAIL, two RCPT, DATA, and what ends it."""


def check(octets: bytes) -> None:
    """See above; two octets for the way and the cut, then fields parted by 0xFF, the last of which is the content."""
    if len(octets) < 2:
        return
    way, cut = octets[0], octets[1] or 10**6
    fields = octets[2:].split(b"\xff", 6)
    fields = [b""] * (7 - len(fields)) + fields
    path, first, second, envid, orcpt, notify = (field.decode("utf-8", "surrogateescape") for field in fields[:6])
    content = fields[6]
    recipients = (first, second) if way & 8 else (first,)
    transaction = Transaction(
        path,
        recipients,
        len(content),
        eight_bit=bool(way & 16),
        smtputf8=bool(way & 32),
        ret="FULL" if way & 64 else "",
        envid=envid,
        notify=(notify,) * len(recipients),
        orcpt=(orcpt,) * len(recipients),
    )
    link = Link(way & 3, cut)
    link.peer.events.clear()
    try:
        if way & 4:
            link.sender.mail(transaction)
            link.exchange()
            if not link.sender.in_transaction:
                return _heard(link, transaction, None)
            for at in range(0, len(content), 50):
                link.sender.content(content[at : at + 50])
            link.sender.end()
        else:
            link.sender.send_whole(transaction, content)
    except ValueError:
        if not way & 4:
            assert not link.sender.data_to_send()
            assert not link.peer.events
        link.peer.close()
        assert not link.peer.messages
        return None
    link.exchange()
    _heard(link, transaction, content)


def _heard(link: Link, transaction: Transaction, content: bytes | None) -> None:
    assert link.sender.ready, "a reply is missing, or one too many came"
    mails = [event for event in link.peer.events if isinstance(event, events.Mail)]
    rcpts = [event for event in link.peer.events if isinstance(event, events.Rcpt)]
    refused = [event for event in link.peer.events if isinstance(event, events.Refused)]
    assert len(mails) <= 1
    assert len(mails) + len(rcpts) + len(refused) <= _OPEN
    assert not any(
        isinstance(event, events.Hello | events.Reset | events.StartTls | events.Quit) for event in link.peer.events
    )
    for mail in mails:
        assert str(mail.reverse_path).lower() == _meant(transaction.reverse_path)
        assert (mail.ret, mail.envid) == (transaction.ret, transaction.envid)
        assert (mail.eight_bit, mail.size) == (transaction.eight_bit, transaction.size)
    for rcpt in rcpts:
        assert str(rcpt.forward_path).lower() in [_meant(one) for one in transaction.recipients]
        assert rcpt.orcpt == transaction.orcpt[0]
        assert rcpt.notify == transaction.notify[0].upper()
    ends = [reply for reply in link.ends if reply == 250]
    assert len(link.peer.messages) == len(ends) <= 1
    if ends:
        assert content is not None
        [taken] = link.peer.messages
        lacking = b"" if link.sender.using_bdat or not content or content.endswith(b"\r\n") else b"\r\n"
        assert taken == content + lacking
        assert len(rcpts) >= 1
    elif content is not None:
        assert refused or b"\0" in content or link.refused_by_session, "no reason for a refusal"


def _meant(address: str) -> str:
    """Return the address as the receiver should have understood it; empty: not at all."""
    path = parse_path(f"<{address}>", smtputf8=True)
    return str(path).lower() if isinstance(path, Path) else ""


class Link(Line):
    """A sender and a receiver, greeted."""

    def __init__(self, way: int, step: int) -> None:
        super().__init__(_SETTINGS, step)
        self._way = way
        self.ends: list[int] = []
        self.refused_by_session = False
        self.exchange()
        self.sender.hello()
        self.exchange()

    def exchange(self) -> None:
        """Carry octets to and fro until both are silent."""
        for event in self.carry():
            self._note(event)

    def _note(self, event: events.Event) -> None:
        assert not isinstance(event, events.PeerFault), event
        if isinstance(event, events.EndReply):
            self.ends.append(event.reply.code)
        elif isinstance(event, events.MailReply | events.RcptReply):
            self.refused_by_session |= event.reply.code in (550, 452)
        elif isinstance(event, events.HelloReply):
            if self._way & 1:
                del self.sender.extensions["CHUNKING"]
                self.sender.using_bdat = False
            if self._way & 2:
                del self.sender.extensions["PIPELINING"]
                self.sender.pipelining = self.sender.using_bdat = False
