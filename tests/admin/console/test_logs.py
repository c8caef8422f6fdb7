"""Reading the logs: rotated files with the current one, the lines of one message, and what is written meanwhile."""

from __future__ import annotations

import asyncio
import os
import re

import pytest

from gatepost.admin.console import logs as dialogues
from gatepost.admin.operations import logs
from gatepost.admin.operations.operator import Operator
from gatepost.errors import GatepostError
from tests.admin.console.conftest import talk
from tests.admin.console.dialogues import run

OLD = """\
Mon Nov 23 10:00:00 2026 Info: New SMTP ICID 5 interface In (192.0.2.1) address 192.0.2.9 reverse dns host a verified yes
Mon Nov 23 10:00:00 2026 Info: Start MID 6 ICID 5
Mon Nov 23 10:00:00 2026 Info: MID 6 ICID 5 From: <ann@client.example>
Mon Nov 23 10:00:00 2026 Info: MID 6 ICID 5 RID 0 To: <joe@example.com>
Mon Nov 23 10:00:00 2026 Info: MID 6 Message-ID '<1@client.example>'
Mon Nov 23 10:00:00 2026 Info: MID 6 Subject 'Hello'
"""
NEW = """\
Tue Nov 24 10:00:00 2026 Info: ICID 5 close
Tue Nov 24 10:00:00 2026 Info: New SMTP ICID 55 interface In (192.0.2.1) address 192.0.2.9 reverse dns host a verified yes
Tue Nov 24 10:00:00 2026 Info: MID 66 ICID 55 From: <ANN@client.example>
Tue Nov 24 10:00:00 2026 Info: New SMTP DCID 8 interface 192.0.2.1 address 192.0.2.7 port 25
Tue Nov 24 10:00:00 2026 Info: Delivery start DCID 8 MID 6 to RID [0]
Tue Nov 24 10:00:00 2026 Info: Delivery start DCID 8 MID 66 to RID [0]
Tue Nov 24 10:00:00 2026 Info: Connection Error: DCID: 8 IP: 192.0.2.7 details: EOF interface: x reason: network error
Tue Nov 24 10:00:00 2026 Info: Bounced: DCID 0 MID 67 to RID 0 - 5.1.2 - Bad destination host
"""


@pytest.fixture
def logged(operator: Operator) -> Operator:
    directory = operator.state / "log"
    directory.mkdir(parents=True)
    (directory / "mail_logs").write_text(NEW)
    (directory / "mail_logs.1").write_text(OLD)
    (directory / "mail_logs.10").write_text("Sun Nov 22 10:00:00 2026 Info: the oldest\n")
    return operator


async def test_rotated_files_are_searched_oldest_first(logged: Operator) -> None:
    screen = await run(dialogues.grep, logged, rest="-e 'oldest|Hello|ICID 55' mail_logs")
    assert [line[:3] for line in screen.splitlines()] == ["Sun", "Mon", "Tue", "Tue"]
    assert await run(dialogues.grep, logged, rest="hello mail_logs") == ""
    assert await run(dialogues.grep, logged, rest="-i hello mail_logs") == OLD.splitlines()[-1] + "\n"
    others = await run(dialogues.grep, logged, rest="-v Info mail_logs")
    assert others == ""


async def test_grep_asks_for_everything(logged: Operator) -> None:
    screen = await run(dialogues.grep, logged, "1", "(", "HELLO", "", "", "", "")
    assert "Currently configured logs:\n1. mail_logs\nEnter the number of the log you wish to grep.\n[1]> " in screen
    assert "'(' is no regular expression" in screen
    assert screen.endswith("\nMon Nov 23 10:00:00 2026 Info: MID 6 Subject 'Hello'\n")


@pytest.mark.parametrize("rest", ["-e x", "mail_logs", "-q x mail_logs", "'x mail_logs", "x nolog", "-e ( mail_logs"])
async def test_what_cannot_be_searched_is_a_sentence(logged: Operator, rest: str) -> None:
    with pytest.raises(GatepostError, match=r"help grep|quotes|no log nolog|no regular expression"):
        await run(dialogues.grep, logged, rest=rest)


async def test_a_page_at_a_time(logged: Operator) -> None:
    (logged.state / "log" / "mail_logs").write_text("".join(f"line {number}\n" for number in range(60)))
    screen = await run(dialogues.grep, logged, "", "n", rest="-p line mail_logs")
    assert "line 47\n" in screen
    assert "line 48" not in screen
    assert "line 59" in await run(dialogues.grep, logged, "", "", rest="-p line mail_logs")


async def test_no_log_yet(operator: Operator) -> None:
    operator.state.mkdir()
    for dialogue in (dialogues.grep, dialogues.tail):
        with pytest.raises(GatepostError, match="There is no log"):
            await run(dialogue, operator)
    with pytest.raises(GatepostError, match="there is no log in"):
        await run(dialogues.tail, operator, rest="mail_logs")


async def test_the_lines_of_a_message_are_those_of_its_connections_too(logged: Operator) -> None:
    lines = await logs.of_message(logged, "mail_logs", 6)
    assert lines == [
        *OLD.splitlines(),
        *(line for line in NEW.splitlines() if re.search(r"ICID 5 |DCID:? 8.*|MID 6 ", line) and "MID 66" not in line),
    ]
    assert await logs.of_message(logged, "mail_logs", 67) == [NEW.splitlines()[-1]], "DCID 0 is no connection"
    assert await logs.of_message(logged, "mail_logs", 7) == []


@pytest.mark.parametrize(
    ("words", "mids"),
    [
        ("-f ann@", [6]),
        ("-i -f ann@", [6, 66]),
        ("-t joe@", [6]),
        ("-s Hello", [6]),
        ("-w '<1@'", [6]),
        ("-t nobody", []),
    ],
)
async def test_messages_are_found(logged: Operator, words: str, mids: list[int]) -> None:
    screen = await run(dialogues.findevent, logged, rest=f"{words} mail_logs")
    assert [int(mid) for mid in re.findall(r"^MID (\d+)  ", screen, re.M)] == mids
    assert ("No matching" in screen) == (not mids)


async def test_findevent_asks(logged: Operator) -> None:
    screen = await run(dialogues.findevent, logged, "1", "ann", "", "1", "1", "1")
    assert "1. Search by envelope FROM\n2. Search by Message ID\n3. Search by Subject\n4. Search by envelope TO\n" in screen
    assert "2. MID 66  Tue Nov 24" in screen
    assert "Delivery start DCID 8 MID 6 to RID [0]" in screen
    only = await run(dialogues.findevent, logged, "1", "ann", "", "1", "2", "")
    assert "MID 6  " not in only, "the current log file has only the later one"
    assert "No matching" in await run(dialogues.findevent, logged, "4", "nobody", "", "", "1")
    with pytest.raises(GatepostError, match="help findevent"):
        await run(dialogues.findevent, logged, rest="-f a -t b")
    assert "MID 6 Subject 'Hello'" in await run(dialogues.findevent, logged, rest="-m 6")
    assert "MID 7 is not in mail_logs." in await run(dialogues.findevent, logged, rest="-m 7")


async def test_tail_begins_with_the_last_lines(logged: Operator) -> None:
    screen = await run(dialogues.tail, logged, rest="mail_logs")
    assert screen == "\nPress Ctrl-C to stop.\n" + NEW


async def test_tail_follows_and_ends_when_somebody_types(logged: Operator) -> None:
    one, script = talk(logged)
    path = logged.state / "log" / "mail_logs"
    written = ["half a ", "line\n"]

    async def idle(seconds: float) -> bool:
        if not written:
            return True
        with path.open("a") as file:
            file.write(written.pop(0))
        return False

    script.idle = idle  # type: ignore[method-assign]
    await dialogues.tail(one, "mail_logs")
    assert script.screen.endswith("\nhalf a line\n")
    assert script.screen.count("half a") == 1


def test_a_follower_goes_over_to_the_new_file(logged: Operator) -> None:
    path = logged.state / "log" / "mail_logs"
    follower = logs.Follower(logged, "mail_logs")
    assert len(follower.last(3)) == 3
    with path.open("a") as old:
        old.write("to the old one\n")
    os.rename(path, path.with_name("mail_logs.1"))
    assert list(follower.more()) == ["to the old one"]
    path.write_text("to the new one\n")
    assert list(follower.more()) == ["to the new one"]
    assert list(follower.more()) == []
    follower.close()


async def test_grep_goes_on_with_what_is_written(logged: Operator) -> None:
    one, script = talk(logged)
    written = ["nothing\n", "a needle\n"]

    async def idle(seconds: float) -> bool:
        if not written:
            return True
        with (logged.state / "log" / "mail_logs").open("a") as file:
            file.write(written.pop(0))
        return False

    script.idle = idle  # type: ignore[method-assign]
    await dialogues.grep(one, "-t needle mail_logs")
    assert script.screen == "a needle\n"


async def test_a_search_lets_others_go_on(logged: Operator) -> None:
    (logged.state / "log" / "mail_logs").write_text("line\n" * 100_000)
    ticks = 0

    async def count() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        counting = tasks.create_task(count())
        portions = [len(portion) async for portion in logs.grep(logged, "mail_logs", re.compile("line"))]
        counting.cancel()
    assert sum(portions) == 100_000
    assert len(portions) > 3
    assert ticks > len(portions)
