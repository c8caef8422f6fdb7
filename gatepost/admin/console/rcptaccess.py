"""`rcptaccess`: the Recipient Access Table of one public listener. A part of `listenerconfig`; only asks."""

from __future__ import annotations

from gatepost.admin.console import rows
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import fields
from gatepost.admin.operations.rows import RECIPIENTS
from gatepost.config.entries import parse_recipient
from gatepost.config.model import Recipient

QUESTION = (
    "Enter the recipient address: user@example.com, example.com, .example.com for the domains below it, user@, "
    "[192.0.2.1], or ALL for every other recipient."
)
ACTIONS = ("Accept", "Reject")


async def _ask(talk: Talk, present: Recipient | None) -> Recipient:
    def read(text: str) -> str:
        text = "ALL" if text.lower() == "all" else text
        fields.parsed(parse_recipient, text)
        return text

    match = await talk.text(QUESTION, present.match if present else "", check=read)
    default = 1 if present and present.action == "reject" else 0
    action = await talk.choose("Select the action to apply to this address:", ACTIONS, default)
    return RECIPIENTS.read(match, ACTIONS[action])


rcptaccess = rows.dialogue("Recipient Access Table", RECIPIENTS, _ask)
