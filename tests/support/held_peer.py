"""A next hop that holds back its answer to the end of mail data until it is told, in a thread of its own."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter


class HeldPeer:
    """Answers the dot with `reply` once `release` is set, or hangs up for an empty one; afterwards takes everything."""

    def __init__(self, reply: str) -> None:
        self.reply = reply
        self.release = threading.Event()
        self.holds = False
        """A message waits for its answer."""
        self.taken: Counter[str] = Counter()
        """Subjects of the messages that were answered 250."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> HeldPeer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rwb") as stream:

                def say(reply: str) -> None:
                    stream.write(reply.encode() + b"\r\n")
                    stream.flush()

                say("220 held ESMTP")
                while line := stream.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        say("354 go")
                        if not self._end(b"".join(iter(stream.readline, b".\r\n")), say):
                            return
                    else:
                        say("221 bye" if verb == b"QUIT" else "250 ok")
        except OSError:
            pass  # the gateway has gone

    def _end(self, body: bytes, say: object) -> bool:
        assert callable(say)
        held, self.holds = not self.release.is_set(), True
        self.release.wait(60)
        reply = self.reply if held else "250 taken"
        if not reply:
            return False
        if reply.startswith("250") and (found := re.search(rb"^Subject: (.*)\r\n", body, re.M)):
            self.taken[found[1].decode()] += 1
        say(reply)
        return True
