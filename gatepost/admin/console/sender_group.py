"""Sender groups, as `hostaccess` edits them: who is in one, which policy it has, where it stands. Only asks and calls."""

from __future__ import annotations

from gatepost.admin.console import asking
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import drafts, fields, groups
from gatepost.admin.operations.tables import listener_of
from gatepost.config.model import BARE_BEHAVIORS, Listener, SenderGroup
from gatepost.errors import GatepostError

ALL = "ALL"
MEMBERS = (
    "Enter the hosts: addresses, ranges, networks, host names, .domain for all hosts below a domain, dnslist[zone], "
    "nx.domain, serv.fail, not.double.verified. Separate them with commas."
)
OPERATIONS: Operations = (
    ("NEW", "Add hosts."),
    ("DELETE", "Remove hosts."),
    ("POLICY", "Change the policy."),
    ("COMMENT", "Change the comment."),
    ("RENAME", "Rename the sender group."),
    ("PRINT", "Display the sender group."),
)


async def new(talk: Talk, listener: str) -> None:
    """Create a sender group; it stands below those that there are."""
    present = _listener(talk, listener)
    taken = [ALL, *_names(present)]
    name = await talk.text(
        "Enter the name of the sender group.", check=lambda text: fields.new_name(text, taken, "sender group")
    )
    senders = await talk.text(MEMBERS, check=_some_members)
    policy = await asking.one_of(talk, "Select the policy, or a behavior.", _policies(present), "")
    comment = await talk.text("Enter a comment for this sender group.")
    group = SenderGroup(name=name, senders=senders, policy=policy, comment=comment)
    asking.told(talk, groups.create(talk.operator, listener, group), _place(listener, name))


async def edit(talk: Talk, listener: str) -> None:
    """Edit one sender group until an empty line; of the ALL row only the policy can be changed."""
    present = _listener(talk, listener)
    name = await asking.pick(talk, "Enter the name or number of the sender group you wish to edit.", [*_names(present), ALL])
    if name == ALL:
        options = [policy for policy in _policies(present) if policy != "CONTINUE"]
        now = present.all_hosts or ("ACCEPT" if present.type == "public" else "REJECT")
        policy = await asking.one_of(talk, "Select the policy, or a behavior, of all other hosts.", options, now)
        asking.told(talk, groups.set_all_hosts(talk.operator, listener, policy), ("listeners", listener, "all_hosts"))
        return
    while name and (operation := await talk.menu(OPERATIONS)):
        try:
            name = await _edit(talk, listener, name, operation)
        except GatepostError as fault:
            talk.refuse(fault)


async def delete(talk: Talk, listener: str) -> None:
    """Remove a sender group."""
    names = _names(_listener(talk, listener))
    name = await asking.pick(talk, "Enter the name or number of the sender group you wish to delete.", names)
    if name and await talk.yes(f'Are you sure you want to delete sender group "{name}"?', False):
        groups.delete(talk.operator, listener, name)


async def move(talk: Talk, listener: str) -> None:
    """Put a sender group above another one."""
    names = _names(_listener(talk, listener))
    name = await asking.pick(talk, "Enter the name or number of the sender group you wish to move.", names)
    if not name:
        return
    others = [other for other in names if other != name]
    before = await asking.pick(talk, "Enter the name or number of the sender group it shall stand above.", [*others, ALL])
    if before:
        pending = groups.move(talk.operator, listener, name, before)
        asking.told(talk, pending, ("listeners", listener, "sender_groups"))


async def _edit(talk: Talk, listener: str, name: str, operation: str) -> str:
    """Do one thing to a sender group; returns its name."""
    operator, present = talk.operator, _listener(talk, listener)
    group = next(group for group in present.sender_groups if group.name == name)
    match operation:
        case "new":
            pending = groups.add_members(operator, listener, name, await talk.text(MEMBERS, check=fields.members))
        case "delete":
            members = await talk.text("\n".join(["Enter the hosts to remove.", *asking.numbered(group.senders)]))
            gone = [asking.chosen(word, group.senders) for word in fields.words(members)]
            pending = groups.remove_members(operator, listener, name, gone)
            talk.say("", f"Removed: {', '.join(gone)}.")
        case "policy":
            policy = await asking.one_of(talk, "Select the policy, or a behavior.", _policies(present), group.policy)
            pending = groups.change(operator, listener, name, policy=policy)
        case "comment":
            comment = await asking.optional(talk, "Enter a comment for this sender group.", group.comment)
            pending = groups.change(operator, listener, name, comment=comment)
        case "rename":
            others = [ALL, *(other for other in _names(present) if other != name)]
            new_name = await talk.text(
                "Enter the new name of the sender group.",
                name,
                check=lambda text: fields.new_name(text, others, "sender group"),
            )
            pending = groups.change(operator, listener, name, name=new_name)
            name = new_name
        case _:
            talk.say("", *_told(group))
            return name
    asking.told(talk, pending, _place(listener, name))
    return name


def _told(group: SenderGroup) -> list[str]:
    more = len(group.senders) - asking.SHOWN
    senders = group.senders[: asking.SHOWN] + ([f"and {more} more"] if more > 0 else [])
    return [f"Name: {group.name}", f"Policy: {group.policy}", f"Comment: {group.comment}".rstrip(), "Hosts:", *senders]


def _some_members(text: str) -> list[str]:
    members = fields.members(text)
    if not members:
        raise GatepostError("A sender group without hosts matches nobody: name at least one.")
    return members


def _policies(listener: Listener) -> list[str]:
    return [*listener.policies, *BARE_BEHAVIORS]


def _names(listener: Listener) -> list[str]:
    return [group.name for group in listener.sender_groups]


def _listener(talk: Talk, name: str) -> Listener:
    return listener_of(drafts.current(talk.operator), name)[1]


def _place(listener: str, group: str) -> tuple[str, ...]:
    return ("listeners", listener, "sender_groups", group)
