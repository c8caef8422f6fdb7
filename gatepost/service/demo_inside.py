"""The demo inside server: takes any mail and keeps each message as an `.eml` file. For `make run` only."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
import time
from pathlib import Path

import uvloop

from gatepost.config.model import Config, Listener
from gatepost.errors import WireError
from gatepost.net.acceptor import Acceptor
from gatepost.net.wire import Wire
from gatepost.service.process import die_with_parent
from gatepost.service.sockets import Sockets
from gatepost.smtp import events, reply
from gatepost.smtp.receiver import Limits, Receiver

_serial = itertools.count(1)
IDLE = 300.0
UNLIMITED = Limits(-1, -1, -1, -1, -1)


async def _session(wire: Wire, inbox: Path) -> None:
    engine = Receiver("inside.example.com", UNLIMITED, starttls=False)
    engine.greet(reply.banner("inside.example.com"))
    content = bytearray()
    try:
        while True:
            event = engine.next_event()
            match event:
                case None:
                    wire.write(engine.data_to_send())
                    if not engine.paused:
                        engine.receive_data(await wire.read(IDLE))
                case events.Closed():
                    break
                case events.Content(octets=octets):
                    content += octets
                case events.EndOfData():
                    engine.reply(event.fault or reply.message_accepted(_keep(inbox, bytes(content))))
                    content.clear()
                case events.Hello():
                    engine.reply(reply.hello("inside.example.com"))
                case events.Mail(reverse_path=path):
                    engine.reply(reply.sender_ok(str(path)))
                case events.Rcpt(forward_path=path):
                    engine.reply(reply.recipient_ok(str(path)))
                case events.Data():
                    content.clear()
                    engine.reply(reply.GO_AHEAD)
                case _:
                    pass
        wire.write(engine.data_to_send())
    except WireError:
        pass
    finally:
        wire.close()


def _keep(inbox: Path, content: bytes) -> int:
    number = next(_serial)
    name = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}-{number}"
    unfinished = inbox / f".{name}.part"
    unfinished.write_bytes(content)
    unfinished.rename(inbox / f"{name}.eml")
    return number


async def _main(inbox: Path, port: int) -> None:
    config = Config(listeners={"inside": Listener(address="127.0.0.1", port=port)})
    bound = Sockets()
    sock = bound.adopt(bound.prepare(config), config)["inside"]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as tasks:
        Acceptor(sock, 100, lambda wire: _session(wire, inbox), tasks)
        await stop.wait()
        os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(int(sys.argv[3]))
    uvloop.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
