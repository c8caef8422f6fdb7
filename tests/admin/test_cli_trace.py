"""`trace` with a message: its size is held against the policy, and what would be stored is shown."""

from __future__ import annotations

from pathlib import Path

from tests.admin.conftest import Terminal

QUESTION = ("trace", "192.0.2.1", "--name", "x.example", "--from", "a@other.example", "--to", "joe@example.com")


def test_the_resulting_message_is_shown(configured: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_text("Subject: x\n\nbody\x1b[2J\n")
    told = configured(*QUESTION, "--helo", "client.example", "--message", str(file)).out
    assert "\nFinal message\nReceived: from client.example (x.example [192.0.2.1])\n" in told
    assert "Subject: x\n\nbody" in told
    assert "\x1b" not in told
    way = configured.json(*QUESTION, "--message", str(file))
    assert way["message"].startswith("Received: from unknown ")
    assert "Final message" not in configured(*QUESTION).out


def test_a_message_beyond_the_policys_size_is_refused(configured: Terminal, tmp_path: Path) -> None:
    configured("config", "set", "listeners.InboundMail.default_policy.max_message_size", "1K")
    file = tmp_path / "message"
    file.write_text("x" * 2000)
    way = configured.json(*QUESTION, "--message", str(file))
    assert way["sections"][-1]["title"] == "Message Processing"
    assert "552 #5.3.4" in way["sections"][-1]["sentences"][0]
    assert way["message"] == ""
