"""The API on a small configuration; one for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import Api, api
from tests.support.documents import certificate

DOCUMENT = """
[gateway]
hostname = "mx1.example.com"
[listeners.InboundMail]
address = "127.0.0.1"
port = 2525
certificates = ["mx"]
default_policy = { tls = "preferred" }
[[listeners.InboundMail.recipients]]
match = "example.com"
action = "accept"
[listeners.InboundMail.policies.PARTNER_TLS]
tls = "required"
[[listeners.InboundMail.sender_groups]]
name = "PARTNERS"
senders = ["198.51.100.0/24"]
policy = "PARTNER_TLS"
[destinations."partner.example"]
tls = "required"
""" + certificate("mx", "mx1.example.com")


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Api]:
    """Ask the API: `ask(method, path, role)`."""
    with api(tmp_path, DOCUMENT) as one:
        yield one
