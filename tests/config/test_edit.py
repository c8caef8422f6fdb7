"""`config set PATH VALUE`: every place can be reached, and a wrong path is answered with the right one."""

from __future__ import annotations

import pytest

from gatepost.config.edit import delete_path, get_path, set_path
from gatepost.config.model import Config, Listener, SenderGroup
from gatepost.config.problems import ConfigErrors

START = Config(
    listeners={
        "A": Listener(
            certificates=["mx"], sender_groups=[SenderGroup(name="P", senders=["192.0.2.1", "192.0.2.2"], policy="ACCEPT")]
        )
    }
)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("gateway.hostname", "mx.example.com", "mx.example.com"),
        ("gateway.hostname", '"mx.example.com"', "mx.example.com"),
        ("gateway.hostname", "10", "10"),
        ("gateway.hostname", "", ""),
        ("gateway.hostname", "x\nport = 3", "x\nport = 3"),
        ("gateway.min_free_space", "10M", "10M"),
        ("gateway.min_free_space", "10", 10),
        ("gateway.dns_servers", '["127.0.0.1"]', ["127.0.0.1"]),
        ("listeners.A.default_policy.tls", "required", "required"),
        ("listeners.A.policies.NEW.tls", "required", "required"),
        ("listeners.NEW.port", "2525", 2525),
        ('destinations."partner.example".tls', "required-verify", "required-verify"),
        ('destinations."partner.example".recipients_per_minutes', "{ recipients = 9 }", {"recipients": 9, "minutes": 60}),
        ('destinations."partner.example".recipients_per_minutes.recipients', "9", 9),
        ("routes.ALL", '["USEDNS"]', ["USEDNS"]),
        ("listeners.A.sender_groups.P.policy", "REJECT", "REJECT"),
        ("listeners.A.sender_groups[0].policy", "REJECT", "REJECT"),
        ("listeners.A.sender_groups.P.senders[1]", "192.0.2.9", "192.0.2.9"),
        ("listeners.A.recipients.NEW.match", '"NEW"', "NEW"),
        ("listeners.A.sender_groups.Q.policy", "REJECT", "REJECT"),
    ],
)
def test_set_and_get(path: str, text: str, value: object) -> None:
    assert get_path(set_path(START, path, text), path) == value


def test_setting_leaves_the_rest_and_the_given_document_alone() -> None:
    before = get_path(START, "listeners")
    edited = set_path(START, "listeners.A.port", "2525")
    assert get_path(START, "listeners") == before
    assert set_path(edited, "listeners.A.port", "25") == START


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("listeners.A.prot", "1", "did you mean port?"),
        ("gatway.hostname", "x", "did you mean gateway?"),
        ("destinations.partner.example.tls", "no", 'destinations."partner.example"'),
        ("listeners.A.port", "x", "a whole number is wanted"),
        ("listeners.A.port", "1.5", "a whole number is wanted"),
        ("ssh.enabled", "yes", "write true or false"),
        ("listeners.A.default_policy.tls", "require", "did you mean required?"),
        ("listeners.A.certificates", "mx", 'put it in brackets: ["mx"]'),
        ("listeners.A.port.x", "1", "listeners.A.port is a single value"),
        ("listeners.A.sender_groups[7].policy", "x", "the list has 1 entries; count from 0"),
        ("listeners.A.sender_groups.Q.senders", "[]", "policy: is missing"),
        ("listeners.A.certificates.x", "x", "is not in the document"),
        ("listeners[0].port", "1", "is not in the document"),
        ("gateway[0]", "1", "is not a field"),
        ("gateway.", "1", "is not a path"),
        ("gateway", "1", "a table is wanted here"),
    ],
)
def test_what_cannot_be_set_says_what_can(path: str, text: str, sentence: str) -> None:
    with pytest.raises(ConfigErrors) as refusal:
        set_path(START, path, text)
    assert sentence in str(refusal.value)


def test_get() -> None:
    keyed = set_path(START, "certificates.mx", '{ certificate = "x", private_key = "secret" }')
    assert get_path(keyed, "certificates.mx.private_key") == "*****"
    assert get_path(keyed, "certificates") == {"mx": {"certificate": "x", "private_key": "*****"}}
    assert get_path(START, "listeners.A.sender_groups.P.senders[0]") == "192.0.2.1"
    assert get_path(set_path(START, "listeners.A.policies.P.behavior", "relay"), "listeners.A.policies.P.tls") is None
    with pytest.raises(ConfigErrors, match="there is A"):
        get_path(START, "listeners.InboundMail.port")
    with pytest.raises(ConfigErrors, match="there is P"):
        get_path(START, "listeners.A.sender_groups.X")


def test_delete() -> None:
    assert delete_path(START, "listeners.A") == Config()
    assert get_path(delete_path(START, "listeners.A.sender_groups.P"), "listeners.A.sender_groups") == []
    assert get_path(delete_path(START, "listeners.A.sender_groups.P.senders[0]"), "listeners.A.sender_groups.P.senders") == [
        "192.0.2.2"
    ]
    assert delete_path(set_path(START, "listeners.A.port", "2525"), "listeners.A.port") == START
    assert delete_path(START, "listeners.A.port") == START
    with pytest.raises(ConfigErrors, match="is missing"):
        delete_path(START, "listeners.A.sender_groups.P.policy")
    with pytest.raises(ConfigErrors, match="is not in the document"):
        delete_path(START, "listeners.B")
