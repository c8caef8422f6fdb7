"""`hostaccess`: sender groups, mail flow policies and Default Policy Parameters of one listener.

A part of `listenerconfig`; only asks and calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from gatepost.admin.cli_text import count
from gatepost.admin.console import asking, policy_questions, sender_group
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import drafts, fields, groups, hat, policies
from gatepost.admin.operations.tables import listener_of
from gatepost.config.model import BARE_BEHAVIORS, Behavior, Listener, MailFlowPolicy

OPERATIONS: Operations = (
    ("NEW", "Create a new entry."),
    ("EDIT", "Modify an entry."),
    ("DELETE", "Remove an entry."),
    ("MOVE", "Move an entry."),
    ("DEFAULT", "Set the defaults."),
    ("PRINT", "Display the table."),
    ("IMPORT", "Import a table from a file."),
    ("EXPORT", "Export the table to a file."),
    ("RESET", "Remove all sender groups and set the policies back to those of a new listener."),
)
GROUP_OPERATIONS = sender_group.OPERATIONS
KINDS = ("Sender Group", "Policy")
BEHAVIORS: dict[str, Behavior] = {
    "Accept": "accept",
    "Relay": "relay",
    "Reject": "reject",
    "TCP Refuse": "tcprefuse",
    "Continue": "continue",
}


async def hostaccess(talk: Talk, name: str) -> None:
    """Edit the Host Access Table of a listener until an empty line."""

    def heading() -> list[str]:
        listener = _listener(talk, name)
        return [
            f"There are currently {count(len(listener.policies), 'policy', 'policies')} defined.",
            f"There are currently {count(len(listener.sender_groups), 'sender group')}.",
        ]

    verbs = {
        "new": _new,
        "edit": _edit,
        "delete": _delete,
        "move": sender_group.move,
        "default": _default,
        "print": _print,
        "import": _import,
        "export": _export,
        "reset": _reset,
    }
    await asking.operate(talk, OPERATIONS, {each: partial(verb, talk, name) for each, verb in verbs.items()}, heading)


async def _new(talk: Talk, name: str) -> None:
    if await _is_group(talk, "What do you want to create?"):
        await sender_group.new(talk, name)
        return
    config = drafts.current(talk.operator)
    listener = listener_of(config, name)[1]
    new = await talk.text(
        "Enter the name of the policy.",
        check=lambda text: _policy_name(text, listener.policies),
    )
    policy = await _policy(talk, name, MailFlowPolicy(), ask_first=True)
    asking.told(talk, policies.create(talk.operator, name, new, policy), *_places(name, new))


async def _edit(talk: Talk, name: str) -> None:
    if await _is_group(talk, "What do you want to edit?"):
        await sender_group.edit(talk, name)
        return
    listener = _listener(talk, name)
    chosen = await asking.pick(talk, "Enter the name or number of the policy you wish to edit.", list(listener.policies))
    if not chosen:
        return
    others = drafts.without(listener.policies, chosen)
    new = await talk.text(
        "Enter the name of the policy.",
        chosen,
        check=lambda text: _policy_name(text, others),
    )
    policy = await _policy(talk, name, listener.policies[chosen])
    pending = policies.replace(talk.operator, name, chosen, policy)
    if new != chosen:
        pending = policies.rename(talk.operator, name, chosen, new)
    asking.told(talk, pending, *_places(name, new))


async def _delete(talk: Talk, name: str) -> None:
    if await _is_group(talk, "What do you want to delete?"):
        await sender_group.delete(talk, name)
        return
    known = list(_listener(talk, name).policies)
    chosen = await asking.pick(talk, "Enter the name or number of the policy you wish to delete.", known)
    if chosen and await talk.yes(f'Are you sure you want to delete policy "{chosen}"?', False):
        policies.delete(talk.operator, name, chosen)


async def _default(talk: Talk, name: str) -> None:
    config = drafts.current(talk.operator)
    answers = await policy_questions.ask(talk, config, listener_of(config, name)[1].default_policy)
    pending = policies.change_default(talk.operator, name, **answers)
    asking.told(talk, pending, ("listeners", name, "default_policy"))


async def _print(talk: Talk, name: str) -> None:
    asking.print_table(talk, hat.export_text(talk.operator, name))


async def _import(talk: Talk, name: str) -> None:
    text = await asking.table_to_import(talk, "the Host Access Table")
    with talk.progress("Importing") as told:
        pending = hat.import_text(talk.operator, name, text, told)
    talk.say("", *pending.notes, f"{count(len(_listener(talk, name).sender_groups), 'sender group')} imported.")
    asking.told(
        talk, pending, *(("listeners", name, part) for part in ("sender_groups", "policies", "default_policy", "all_hosts"))
    )


async def _export(talk: Talk, name: str) -> None:
    await asking.export_table(talk, hat.export_text(talk.operator, name))


async def _reset(talk: Talk, name: str) -> None:
    question = (
        "This removes every sender group and every policy of your own, and sets the Default Policy Parameters back: "
        "TLS is then not offered. Are you sure?"
    )
    if await talk.yes(question, False):
        groups.reset(talk.operator, name)


async def _policy(talk: Talk, name: str, present: MailFlowPolicy, *, ask_first: bool = False) -> MailFlowPolicy:
    """Ask for the behaviour of a policy and, where it takes mail, for its other fields."""
    config = drafts.current(talk.operator)
    words = {behavior: word for word, behavior in BEHAVIORS.items()}
    word = await asking.one_of(talk, "Select the connection behavior.", BEHAVIORS, words[present.behavior])
    behavior = BEHAVIORS[word]
    if behavior not in ("accept", "relay"):
        return MailFlowPolicy(behavior=behavior)
    if ask_first and not await talk.yes("Do you want to change the host access policy parameters?", False):
        return MailFlowPolicy(behavior=behavior)
    inherited = listener_of(config, name)[1].default_policy
    return MailFlowPolicy(behavior=behavior, **await policy_questions.ask(talk, config, present, inherited))


def _policy_name(text: str, others: Iterable[str]) -> str:
    return fields.new_name(text, [*others, *BARE_BEHAVIORS], "policy or behavior")


async def _is_group(talk: Talk, question: str) -> bool:
    return await talk.choose(question, KINDS, 0) == 0


def _listener(talk: Talk, name: str) -> Listener:
    return listener_of(drafts.current(talk.operator), name)[1]


def _places(listener: str, policy: str) -> tuple[tuple[str, ...], ...]:
    """Return where a fault is told of that a policy may have caused."""
    return ("listeners", listener, "policies", policy), ("listeners", listener, "certificates")
