"""One message through one open connection: its envelope, its content, and what became of each recipient.

With PIPELINING and CHUNKING a small message is one write and one read. Large ones go in pieces, and sending stops as soon
as the peer refuses. Nothing counts as delivered but a 250 to the end of the mail data. What a refusal costs is not decided
here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import BinaryIO

import msgspec

from gatepost.errors import WireError
from gatepost.outbound.dialogue import (
    BLOCK_TIMEOUT,
    DATA_TIMEOUT,
    END_TIMEOUT,
    MAIL_TIMEOUT,
    RCPT_TIMEOUT,
    Dialogue,
)
from gatepost.outbound.outcome import Delivered, Outcome
from gatepost.policy import failure
from gatepost.policy.failure import Stage
from gatepost.smtp import reply as replies
from gatepost.smtp.events import DataReply, EndReply, MailReply, PeerFault, RcptReply
from gatepost.smtp.reply import Reply
from gatepost.smtp.sender import Transaction
from gatepost.spool.message import Content, Envelope

PIECE = 128 * 1024
_TIMEOUTS: Mapping[Stage, float] = {
    "mail": MAIL_TIMEOUT,
    "rcpt": RCPT_TIMEOUT,
    "data": DATA_TIMEOUT,
    "content": BLOCK_TIMEOUT,
    "end": END_TIMEOUT,
}


class Result(msgspec.Struct):
    """What a transaction came to."""

    outcomes: list[Outcome]
    """By index of the recipient."""
    alive: bool
    """The connection may carry another message."""
    stale: bool
    """The peer went away without one reply, or said 421 to MAIL: a connection that served before has had its time."""
    delivered: Delivered | None = None
    """What all of them came to, where the next hop took the message for everybody, as it nearly always does."""


def transaction(envelope: Envelope, rids: tuple[int, ...]) -> Transaction:
    """Return the envelope for some of the recipients."""
    everybody = len(rids) == len(envelope.recipients)
    return Transaction(
        envelope.reverse_path,
        envelope.recipients if everybody else tuple(envelope.recipients[rid] for rid in rids),
        envelope.size,
        envelope.eight_bit,
        envelope.smtputf8,
        envelope.ret,
        envelope.envid,
        envelope.notify if everybody or not envelope.notify else tuple(envelope.notify[rid] for rid in rids),
        envelope.orcpt if everybody or not envelope.orcpt else tuple(envelope.orcpt[rid] for rid in rids),
    )


class Exchange:
    """A transaction under way."""

    __slots__ = ("_content", "_data", "_dialogue", "_end", "_fault", "_mail", "_rcpt", "_refused", "_stage", "_transaction")

    def __init__(self, dialogue: Dialogue, transaction: Transaction, content: Content) -> None:
        self._dialogue = dialogue
        self._transaction = transaction
        self._content = content
        self._stage: Stage = "mail"
        self._mail: Reply | None = None
        self._rcpt: dict[int, Reply] = {}
        self._data: Reply | None = None
        self._end: Reply | None = None
        self._refused = False
        """At least one recipient was refused by itself."""
        self._fault = ""

    async def run(self, *, host: str, hosts_left: bool) -> Result:
        """Carry the message; raises ValueError for one that cannot be sent as it is, and then the wire must be dropped."""
        sender = self._dialogue.sender
        refusal = sender.check(self._transaction)
        if refusal is not None:
            cost = failure.of_shortage(_shortage(refusal), host)
            return Result([cost] * len(self._transaction.recipients), alive=True, stale=False)
        if self._content.path:
            await self._send_file()
        else:
            sender.send_whole(self._transaction, self._content.octets)
        while sender.in_transaction and not self._fault:
            for event in await self._dialogue.events(_TIMEOUTS[self._due]):
                self._note(event)
        ready = sender.ready
        if ready and not self._refused and self._end is not None and self._end.code == 250:
            done = Delivered(self._end, dsn="DSN" in sender.extensions)
            return Result([done] * len(self._transaction.recipients), alive=True, stale=False, delivered=done)
        if not ready:
            self._take_in()  # the fault that ended it
        return Result(
            self._outcomes(hosts_left),
            alive=not self._fault and sender.ready,
            stale=self._is_stale,
        )

    @property
    def _is_stale(self) -> bool:
        if self._mail is not None:
            return self._mail.code == 421  # RFC 5321 3.8: it closes the channel, with no word against the message
        return bool(self._fault) and self._dialogue.wire.closed

    # --- replies -----------------------------------------------------------------------------------------------------

    async def _next(self) -> None:
        """Wait for a reply, for as long as the command that is to be answered may take, and take all that are at hand."""
        for event in await self._dialogue.events(_TIMEOUTS[self._due]):
            self._note(event)

    @property
    def _due(self) -> Stage:
        if self._mail is None:
            return "mail"
        if len(self._rcpt) < len(self._transaction.recipients):
            return "rcpt"
        return "end" if self._data is not None or self._dialogue.sender.using_bdat else "data"

    def _note(self, event: object) -> None:
        if isinstance(event, RcptReply):
            self._rcpt[event.index] = event.reply
            if event.reply.code >= 400:
                self._refused = True
        elif isinstance(event, MailReply):
            self._mail = event.reply
        elif isinstance(event, EndReply):
            self._end = event.reply
        elif isinstance(event, DataReply):
            self._data = event.reply
        elif isinstance(event, PeerFault):
            self._fault = event.text

    # --- content in pieces -------------------------------------------------------------------------------------------

    async def _send_file(self) -> None:
        """Send the envelope, wait until the content is welcome, then stream it."""
        sender = self._dialogue.sender
        sender.mail(self._transaction)
        while sender.in_transaction and not self._fault and not self._welcome:
            await self._next()
        if not sender.in_transaction or self._fault:
            return
        self._stage = "content"
        try:
            with await asyncio.to_thread(open, self._content.path, "rb") as file:
                await self._stream(file)
        except WireError as fault:
            self._take_in()
            self._fault = self._fault or str(fault)

    @property
    def _welcome(self) -> bool:
        answered = self._mail is not None and len(self._rcpt) == len(self._transaction.recipients)
        return answered and (self._dialogue.sender.using_bdat or self._data is not None)

    async def _stream(self, file: BinaryIO) -> None:
        dialogue, sender = self._dialogue, self._dialogue.sender
        while piece := await asyncio.to_thread(file.read, PIECE):
            sender.content(piece)
            dialogue.flush()
            await dialogue.wire.drain(BLOCK_TIMEOUT)
            if dialogue.wire.at_hand:
                sender.receive_data(await dialogue.wire.read(BLOCK_TIMEOUT))
                self._take_in()
            if self._end is not None or self._fault or not sender.in_transaction:
                return
        sender.end()
        self._stage = "end"
        dialogue.flush()

    def _take_in(self) -> None:
        """Note the replies that have arrived already: one in the middle of the content is a refusal."""
        while self._end is None and not self._fault and (event := self._dialogue.pending()) is not None:
            self._note(event)

    # --- outcomes ----------------------------------------------------------------------------------------------------

    def _outcomes(self, hosts_left: bool) -> list[Outcome]:
        count = len(self._transaction.recipients)
        if self._mail is not None and not self._mail.is_positive:
            return [failure.of_reply("mail", self._mail, hosts_left=hosts_left)] * count
        whole = self._of_message(hosts_left)
        outcomes: list[Outcome] = [whole] * count
        for index, reply in self._rcpt.items():
            if not reply.is_positive:
                outcomes[index] = failure.of_reply("rcpt", reply, hosts_left=hosts_left)
        return outcomes

    def _of_message(self, hosts_left: bool) -> Outcome:
        """What became of the recipients that were not refused one by one."""
        end = self._end
        if end is not None:
            if end.code == 250:
                return Delivered(end, dsn="DSN" in self._dialogue.sender.extensions)
            return failure.of_reply("end", end, hosts_left=hosts_left)
        if self._data is not None and not self._data.is_positive:
            return failure.of_reply("data", self._data, hosts_left=hosts_left)
        text = self._fault or "the transaction ended without an answer"
        return failure.of_fault(self._fault_stage, text, hosts_left=hosts_left)

    @property
    def _fault_stage(self) -> Stage:
        """Where a fault struck. Once the end of data may be out, the peer may have taken the message."""
        if self._content.path:
            return self._stage if self._stage != "mail" else self._due
        return "end" if self._data is not None or self._dialogue.sender.using_bdat else self._due


def _shortage(refusal: Reply) -> failure.Shortage:
    if refusal is replies.NO_8BITMIME:
        return "8bitmime"
    return "smtputf8" if refusal is replies.NO_SMTPUTF8 else "size"
