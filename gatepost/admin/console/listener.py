"""`listenerconfig`: the listeners, what each is, and what all share. Only asks and calls.

The tables of a listener have dialogues of their own: `hostaccess`, `rcptaccess`, `domainmap`.
"""

from __future__ import annotations

from functools import partial

from gatepost.admin.console import asking, hostaccess, listener_edit, listener_new
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import drafts, fields, listeners
from gatepost.config.model import Gateway, Listener

OPERATIONS: Operations = (
    ("NEW", "Create a new listener."),
    ("EDIT", "Modify a listener."),
    ("DELETE", "Remove a listener."),
    ("SETUP", "Change global settings."),
)
SETTINGS = {
    "unsuccessful_connection_timeout": "Enter the number of seconds that a connection may last without one message.",
    "connection_time_limit": "Enter the number of seconds that any inbound connection may last.",
    "command_timeout": "Enter the number of seconds to wait for a command or a block of mail data.",
    "tls_handshake_timeout": "Enter the number of seconds that a TLS handshake may take.",
    "max_header_size": "Enter the maximum size of a message header. Add a trailing k for kilobytes, M for megabytes, or no "
    "letter for bytes.",
    "max_header_lines": "Enter the maximum number of lines of a message header.",
    "max_line_length": "Enter the maximum length of a text line, in the same way as the size of a header.",
    "max_hops": "Enter the number of Received fields at which a message is taken for a loop.",
}
"""What SETUP asks, by field of the gateway."""


async def listenerconfig(talk: Talk, rest: str) -> None:
    """Lists the listeners and edits them: where each listens, what it limits, its certificates and its tables.

    `edit` shows a listener's summary as the draft has it. Nothing is live before `commit`; a session that is open keeps the
    rules it began with.
    """
    verbs = {"new": listener_new.new, "edit": listener_edit.edit, "delete": _delete, "setup": _setup}
    await asking.operate(
        talk, OPERATIONS, {name: partial(verb, talk) for name, verb in verbs.items()}, partial(_heading, talk)
    )


def _heading(talk: Talk) -> list[str]:
    config = drafts.current(talk.operator)
    listed = [_line(name, listener) for name, listener in config.listeners.items()]
    return ["Currently configured listeners:", *asking.numbered(listed)] if listed else ["There is no listener yet."]


def _line(name: str, listener: Listener) -> str:
    where = f"(on {listener.interface or name}, {listener.address})"
    return f"{name} {where} SMTP TCP Port {listener.port} {listener.type.capitalize()}"


async def _delete(talk: Talk) -> None:
    names = list(drafts.current(talk.operator).listeners)
    name = await asking.pick(talk, "Enter the name or number of the listener you wish to remove.", names, shown=())
    if name and await talk.yes(f'Are you sure you want to delete listener "{name}" and all of its tables?', False):
        listeners.delete(talk.operator, name)


async def _setup(talk: Talk) -> None:
    present = drafts.current(talk.operator).gateway
    answers = {
        field: await talk.text(question, str(getattr(present, field)), check=partial(fields.number, Gateway, field))
        for field, question in SETTINGS.items()
    }
    asking.told(talk, listeners.change_all(talk.operator, **answers), *(("gateway", field) for field in answers))


def _menus() -> dict[str, Operations]:
    return {
        "": OPERATIONS,
        "edit": listener_edit.operations(Listener(type="public")),
        "edit setup": listener_edit.SETUP,
        "edit hostaccess": hostaccess.OPERATIONS,
        "edit hostaccess edit": hostaccess.GROUP_OPERATIONS,
        "edit rcptaccess": listener_edit.TABLE,
        "edit domainmap": listener_edit.TABLE,
    }


COMMANDS = (
    Command(
        "listenerconfig",
        "Configure the listeners: address, limits, TLS, and who may send to whom.",
        listenerconfig,
        menus=_menus(),
    ),
)
