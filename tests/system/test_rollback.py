"""A commit and a rollback change what new sessions get; a session that is open keeps its rules."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import ClassVar

from tests.support.documents import relay
from tests.support.gateway import gateway
from tests.support.judge import Sink
from tests.support.process import free_port


class Client:
    """A few lines of SMTP by hand."""

    opened: ClassVar[list[socket.socket]] = []

    def __init__(self, port: int) -> None:
        sock = socket.create_connection(("127.0.0.1", port), 10)
        self.file = sock.makefile("rwb")
        self.opened.append(sock)
        assert self.reply().startswith("220")
        assert self.say("EHLO client.example").startswith("250")

    def say(self, line: str) -> str:
        self.file.write(line.encode() + b"\r\n")
        self.file.flush()
        return self.reply()

    def reply(self) -> str:
        lines = [self.file.readline().decode()]
        while lines[-1][3:4] == "-":
            lines.append(self.file.readline().decode())
        return "".join(lines)

    def send(self) -> str:
        """Send one message; return the first refusal, or the answer to the dot."""
        for line in ("MAIL FROM:<a@x.example>", "RCPT TO:<b@example.com>", "DATA"):
            answer = self.say(line)
            if answer[0] not in "23":
                return answer
        return self.say("Subject: x\r\n\r\nbody\r\n.")


def test_rollback_is_for_new_sessions(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
        one.configure(relay(port, sink.port, more='certificates = ["mx"]', policy='tls = "preferred"'), "preferred")
        one.start(2)
        first = one.json("config", "log")[0]["number"]
        before = Client(port)
        assert before.send().startswith("250")

        one.cli("config", "set", "listeners.InboundMail.default_policy.tls", "required")
        assert Client(port).send().startswith("250"), "a draft is not live"
        one.cli("config", "commit", "-m", "require TLS")
        under_required = Client(port)
        assert under_required.send().startswith("530 #5.7.0 Must issue a STARTTLS command first")
        assert before.send().startswith("250"), "an open session keeps its rules"

        one.cli("config", "rollback", str(first), "-m", "back")
        assert Client(port).send().startswith("250")
        assert under_required.send().startswith("530")
        assert before.send().startswith("250")
        one.wait_log("Configuration revision 3 committed by")
    for sock in Client.opened:
        sock.close()
