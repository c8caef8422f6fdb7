"""`bounceconfig`: bounce profiles, which say how long and how often delivery is tried. Only asks and calls."""

from __future__ import annotations

from functools import partial

from gatepost.admin.console import asking
from gatepost.admin.console.commands import Command
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import bounces, drafts, fields
from gatepost.config.model import BounceProfile

OPERATIONS: Operations = (
    ("NEW", "Create a new profile."),
    ("EDIT", "Modify a profile."),
    ("DELETE", "Remove a profile."),
    ("SETUP", "Choose the profile of destinations that name none of their own."),
)
NUMBERS = {
    "max_retries": "Enter the maximum number of retries.",
    "max_age": "Enter the maximum number of seconds a message may stay in the queue before being hard bounced.",
    "initial_wait": "Enter the initial number of seconds to wait before retrying a message; each further wait doubles.",
    "max_wait": "Enter the maximum number of seconds to wait before retrying a message.",
}


async def bounceconfig(talk: Talk, rest: str) -> None:
    """Shows the bounce profiles and edits them: how often and how long mail is tried before it goes back to its sender.

    A listener names the profile of mail that comes in there; a destination that names one of its own goes before it.
    """
    verbs = {"new": _new, "edit": _edit, "delete": _delete, "setup": _setup}
    await asking.operate(
        talk, OPERATIONS, {name: partial(verb, talk) for name, verb in verbs.items()}, partial(_heading, talk)
    )


def _heading(talk: Talk) -> list[str]:
    known = bounces.profiles(drafts.current(talk.operator))
    return ["Current bounce profiles:", *asking.numbered([f"{name}: {_told(profile)}" for name, profile in known.items()])]


def _told(profile: BounceProfile) -> str:
    return (
        f"{profile.max_retries} retries, {profile.max_age} s in the queue, "
        f"waits from {profile.initial_wait} s to {profile.max_wait} s"
    )


async def _new(talk: Talk) -> None:
    known = bounces.profiles(drafts.current(talk.operator))
    name = await talk.text(
        "Please create a name for the profile:", check=lambda text: fields.new_name(text, known, "bounce profile")
    )
    profile = await _ask(talk, BounceProfile())
    asking.told(talk, bounces.create(talk.operator, name, profile), ("bounce_profiles", name))


async def _edit(talk: Talk) -> None:
    name = await _pick(talk, "Please enter the name or number of the profile to edit:")
    if name:
        profile = await _ask(talk, bounces.present(talk.operator, name))
        asking.told(talk, bounces.replace(talk.operator, name, profile), ("bounce_profiles", name))


async def _delete(talk: Talk) -> None:
    name = await _pick(talk, "Please enter the name or number of the profile to delete:")
    if name and await talk.yes(f'Are you sure you want to delete bounce profile "{name}"?', False):
        bounces.delete(talk.operator, name)


async def _setup(talk: Talk) -> None:
    config = drafts.current(talk.operator)
    question = "Which bounce profile do destinations have that name none of their own?"
    name = await asking.one_of(talk, question, bounces.profiles(config), config.default_destination.bounce_profile)
    bounces.set_for_destinations(talk.operator, name)


async def _ask(talk: Talk, present: BounceProfile) -> BounceProfile:
    answers = {}
    for field, question in NUMBERS.items():
        answers[field] = await talk.text(
            question, str(getattr(present, field)), check=partial(fields.whole, BounceProfile, field)
        )
    return BounceProfile(**answers)


async def _pick(talk: Talk, question: str) -> str:
    return await asking.pick(talk, question, list(bounces.profiles(drafts.current(talk.operator))), shown=())


COMMANDS = (
    Command(
        "bounceconfig",
        "Edit bounce profiles: how long and how often delivery is tried.",
        bounceconfig,
        menus={"": OPERATIONS},
    ),
)
