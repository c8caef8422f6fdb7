"""Messages between processes, over real sockets."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from gatepost.errors import ControlError
from gatepost.service.control import Channel, call


def serve(verb: str, arguments: dict[str, Any]) -> Any:
    if verb == "echo":
        return arguments["value"]
    if verb == "slow":
        return later(arguments["value"])
    if verb == "bug":
        return broken()
    raise ControlError(f"unknown verb {verb!r}")


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def broken() -> None:
    raise ZeroDivisionError("x")


async def pair(tasks: asyncio.TaskGroup) -> tuple[Channel, Channel]:
    loop = asyncio.get_running_loop()
    ends = socket.socketpair()
    channels = []
    for end in ends:
        end.setblocking(False)
        channel = Channel(serve, tasks)
        await loop.create_connection(lambda channel=channel: channel, sock=end)
        channels.append(channel)
    return channels[0], channels[1]


async def test_both_ends_ask_and_answers_find_their_question() -> None:
    async with asyncio.TaskGroup() as tasks:
        one, other = await pair(tasks)
        answers = await asyncio.gather(
            one.ask("slow", value=1), one.ask("echo", value=b"\x00" * 300_000), other.ask("echo", value=[3, "x"])
        )
        assert answers == [1, b"\x00" * 300_000, [3, "x"]]
        one.close()
        await other.closed.wait()


async def test_a_refusal_and_a_bug_come_back_in_words() -> None:
    async with asyncio.TaskGroup() as tasks:
        one, other = await pair(tasks)
        with pytest.raises(ControlError, match="unknown verb 'nope'"):
            await one.ask("nope")
        with pytest.raises(ControlError, match="internal error: ZeroDivisionError"):
            await one.ask("bug")
        assert await one.ask("echo", value="still here") == "still here"
        one.close()
        await other.closed.wait()


async def test_who_waits_is_told_when_the_other_end_goes_away() -> None:
    async with asyncio.TaskGroup() as tasks:
        one, other = await pair(tasks)
        question = asyncio.gather(one.ask("slow", value=1), return_exceptions=True)
        await asyncio.sleep(0)
        other.close()
        assert "went away before it answered" in str((await question)[0])
        await one.closed.wait()
        with pytest.raises(ControlError, match="gone"):
            await one.ask("echo", value=1)


def test_no_gateway_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no gateway runs on"):
        call(tmp_path / "control.sock", "status")


async def test_call_speaks_to_a_channel(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with asyncio.TaskGroup() as tasks:
        server = await asyncio.get_running_loop().create_unix_server(lambda: Channel(serve, tasks), str(path))
        assert await asyncio.to_thread(call, path, "echo", value={"a": 1}) == {"a": 1}
        with pytest.raises(ControlError, match="unknown verb"):
            await asyncio.to_thread(call, path, "nope")
        server.close()


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x02\xc1\xc1", b"\x00\x00\x00\x01\x90", b"\xff\xff\xff\xff"]
)
async def test_who_speaks_something_else_is_dropped_and_others_are_served(tmp_path: Path, octets: bytes) -> None:
    path = str(tmp_path / "control.sock")
    async with asyncio.TaskGroup() as tasks:
        server = await asyncio.get_running_loop().create_unix_server(lambda: Channel(serve, tasks), path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(octets)
        assert await reader.read() == b""
        writer.close()
        assert await asyncio.to_thread(call, Path(path), "echo", value=1) == 1
        server.close()


async def test_a_wrong_request_is_refused_told_on_stderr_and_the_channel_lives(capfd: pytest.CaptureFixture[str]) -> None:
    async with asyncio.TaskGroup() as tasks:
        one, other = await pair(tasks)
        with pytest.raises(ControlError, match="internal error: KeyError"):
            await one.ask("echo", wrong=1)
        assert "gatepost: bug in 'echo'\nTraceback" in capfd.readouterr().err
        assert await one.ask("echo", value=2) == 2
        one.close()
        await other.closed.wait()
