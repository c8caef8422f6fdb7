"""`bounceconfig`: how long and how often delivery is tried."""

from __future__ import annotations

from gatepost.admin.console.bounceconfig import bounceconfig
from gatepost.admin.operations import configuration, drafts
from gatepost.admin.operations.operator import Operator
from gatepost.config.model import BounceProfile, Config, DestinationControl, Listener
from tests.admin.console.dialogues import run


def profiles(operator: Operator) -> dict[str, BounceProfile]:
    return drafts.current(operator).bounce_profiles


async def test_a_profile_is_made_edited_and_deleted(operator: Operator) -> None:
    screen = await run(bounceconfig, operator, "new", "Default", "SLOW", "-1", "5", "", "60s", "120", "", "")
    assert "1. Default: 100 retries, 259200 s in the queue, waits from 60 s to 3600 s\n" in screen
    assert "there is a bounce profile 'Default' already" in screen
    assert "-1 is not from 0 to 2147483647: write a number between them\n" in screen
    assert "'60s' is not a number: write a whole number\n" in screen
    assert profiles(operator) == {"SLOW": BounceProfile(max_retries=5, initial_wait=120)}
    await run(bounceconfig, operator, "edit", "slow", "", "600", "", "", "delete", "2", "", "")
    assert profiles(operator) == {"SLOW": BounceProfile(max_retries=5, max_age=600, initial_wait=120)}
    await run(bounceconfig, operator, "delete", "2", "y", "")
    assert profiles(operator) == {}


async def test_waits_that_contradict_each_other_are_refused(operator: Operator) -> None:
    screen = await run(bounceconfig, operator, "new", "ODD", "", "", "600", "60", "")
    assert "bounce_profiles.ODD.max_wait = 60: is less than initial_wait; write at least 600" in screen
    assert profiles(operator) == {}


async def test_a_profile_in_use_stays(operator: Operator) -> None:
    await run(bounceconfig, operator, "new", "SLOW", "5", "", "", "", "")
    config = Config(
        listeners={"In": Listener(bounce_profile="SLOW")},
        destinations={"partner.example": DestinationControl(bounce_profile="SLOW")},
        bounce_profiles=profiles(operator),
    )
    configuration.replace(operator, config, force=True)
    await run(bounceconfig, operator, "setup", "SLOW", "")
    assert drafts.current(operator).default_destination.bounce_profile == "SLOW"
    screen = await run(bounceconfig, operator, "delete", "SLOW", "y", "")
    assert (
        "bounce profile SLOW is used by listener In, destination partner.example, the default destination: "
        "give them another profile first"
    ) in screen
    assert "SLOW" in profiles(operator)


async def test_default_is_always_there(operator: Operator) -> None:
    screen = await run(bounceconfig, operator, "delete", "Default", "y", "")
    assert "has the defaults already and cannot be taken out" in screen
    await run(bounceconfig, operator, "edit", "Default", "3", "", "", "", "")
    assert profiles(operator) == {"Default": BounceProfile(max_retries=3)}
    screen = await run(bounceconfig, operator, "delete", "1", "y", "")
    assert profiles(operator) == {}
    assert screen.count("1. Default: 100 retries") == 1
