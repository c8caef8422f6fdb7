"""The bad control of the judge: a relay that answers 250 from memory and hands mail on when it finds the time.

    python -m tests.faults.judge_bad_relay PORT NEXT_HOP_PORT

Killed once, it has lost what it had promised; a judge that does not say so is none.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

PACE = 0.01
"""Seconds between two deliveries."""


async def main(port: int, inside: int) -> None:
    """Serve for ever."""
    promised: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 bad.example ESMTP\r\n")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                if line.upper().startswith(b"DATA"):
                    writer.write(b"354 go\r\n")
                    promised.put_nowait(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 ok\r\n")
        writer.close()

    async def deliver() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", inside)
        await reader.readline()
        while True:
            content = await promised.get()
            for words in (b"MAIL FROM:<a@a.example>\r\n", b"RCPT TO:<b@example.com>\r\n", b"DATA\r\n", content):
                writer.write(words)
                await reader.readline()
            await asyncio.sleep(PACE)

    await asyncio.start_server(serve, "127.0.0.1", port)
    await deliver()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:3])))
