"""Reading and writing documents: strict, everything told at once, and what is written reads back."""

from __future__ import annotations

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from gatepost.config import toml
from gatepost.config.model import (
    Certificate,
    Config,
    DestinationControl,
    Gateway,
    Listener,
    MailFlowPolicy,
    Recipient,
    RecipientRate,
    SenderGroup,
    size_in_octets,
)
from gatepost.config.problems import ConfigErrors, literal
from tests.config.documents import patient, tables

SECRET = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def faults(text: str | bytes) -> list[tuple[str, str, str]]:
    with pytest.raises(ConfigErrors) as refusal:
        toml.loads(text)
    return [(problem.path, problem.value, f"{problem.wrong}; {problem.mend}") for problem in refusal.value.problems]


@given(tables())
@settings(patient, max_examples=60)
def test_documents_read_back_as_they_were_written(config: Config) -> None:
    assert toml.loads(toml.dumps(config, with_keys=True)) == config
    assert toml.loads(toml.dumps(config, with_keys=True, every_field=True)) == config


@given(tables())
@settings(patient, max_examples=20)
def test_writing_is_stable(config: Config) -> None:
    text = toml.dumps(config, with_keys=True)
    assert toml.dumps(toml.loads(text), with_keys=True) == text


def test_a_document_is_written_to_be_read() -> None:
    config = Config(
        gateway=Gateway(hostname="mx1.example.com", min_free_space="1G"),
        certificates={"mx": Certificate(certificate="-----BEGIN\nabc\n", private_key=SECRET)},
        listeners={
            "InboundMail": Listener(
                certificates=["mx"],
                policies={"PARTNER_TLS": MailFlowPolicy(tls="required")},
                sender_groups=[SenderGroup(name="PARTNERS", senders=["192.0.2.0/24"], policy="PARTNER_TLS")],
                recipients=[Recipient(match=".example.com")],
            )
        },
        destinations={
            "partner.example": DestinationControl(recipients_per_minutes=RecipientRate(recipients=1000)),
            "plain.example": DestinationControl(),
        },
        routes={"ALL": ["USEDNS"]},
    )
    assert toml.dumps(config) == (
        '[gateway]\nhostname = "mx1.example.com"\nmin_free_space = "1G"\n\n'
        '[certificates.mx]\ncertificate = """\n-----BEGIN\nabc\n"""\nprivate_key = "*****"\n\n'
        '[listeners.InboundMail]\ntype = "public"\naddress = "0.0.0.0"\nport = 25\ncertificates = ["mx"]\n\n'
        '[listeners.InboundMail.default_policy]\ntls = "no"\n\n'
        '[listeners.InboundMail.policies.PARTNER_TLS]\nbehavior = "accept"\ntls = "required"\n\n'
        '[[listeners.InboundMail.sender_groups]]\nname = "PARTNERS"\nsenders = ["192.0.2.0/24"]\npolicy = "PARTNER_TLS"\n\n'
        '[[listeners.InboundMail.recipients]]\nmatch = ".example.com"\naction = "accept"\n\n'
        '[destinations."partner.example"]\nrecipients_per_minutes = { recipients = 1000, minutes = 60 }\n\n'
        '[destinations."plain.example"]\n\n[routes]\nALL = ["USEDNS"]\n'
    )


def test_long_lists_stand_one_entry_a_line() -> None:
    text = toml.dumps(Config(routes={"a.example": [f"host{number}.inside.example.com" for number in range(5)]}))
    assert '    "host4.inside.example.com",\n]' in text


def test_keys_are_written_only_when_asked_for() -> None:
    config = Config(certificates={"mx": Certificate(certificate="x", private_key=SECRET)})
    assert "c2VjcmV0" not in toml.dumps(config)
    assert "c2VjcmV0" not in toml.dumps(config, every_field=True)
    assert "c2VjcmV0" in toml.dumps(config, with_keys=True)


def test_every_fault_is_told_at_once_with_its_path() -> None:
    told = faults("""
        [gateway]
        hostname = 3
        hostnam = "x"
        min_free_space = 1.5
        [certificates.mx]
        certificate = "x"
        [tls_profiles.x]
        methods = ["TLSv1.2", "TLSv1.4"]
        [listeners.A]
        port = "25"
        certificates = "mx"
        max_concurrency = true
        [[listeners.A.sender_groups]]
        name = "P"
        policy = "ACCEPT"
        senders = ["192.0.2.1", 5]
        comment = 1979-05-27
        [[listeners.A.sender_groups]]
        policy = "ACCEPT"
        [listeners.B]
        recipients = ["x"]
        sender_groups = "x"
        policies = 3
        [destinations."a.example"]
        tls = "require"
        dane = 1
        recipients_per_minutes = { recipients = "a" }
        [bounce_profiles]
        Default = 3
    """)
    assert [(path, value) for path, value, _ in told] == [
        ("gateway.hostname", "3"),
        ("gateway.hostnam", '"x"'),
        ("gateway.min_free_space", "1.5"),
        ("certificates.mx.private_key", ""),
        ("tls_profiles.x.methods[1]", '"TLSv1.4"'),
        ("listeners.A.port", '"25"'),
        ("listeners.A.certificates", '"mx"'),
        ("listeners.A.max_concurrency", "true"),
        ("listeners.A.sender_groups.P.senders[1]", "5"),
        ("listeners.A.sender_groups.P.comment", "1979-05-27"),
        ("listeners.A.sender_groups[1].name", ""),
        ("listeners.B.recipients[0]", '"x"'),
        ("listeners.B.sender_groups", '"x"'),
        ("listeners.B.policies", "3"),
        ('destinations."a.example".tls', '"require"'),
        ('destinations."a.example".dane', "1"),
        ('destinations."a.example".recipients_per_minutes.recipients', '"a"'),
        ("bounce_profiles.Default", "3"),
    ]
    sentences = dict((path, sentence) for path, _, sentence in told)
    assert sentences["gateway.hostnam"] == "is not a field of the document; did you mean hostname?"
    assert sentences["listeners.A.port"] == "is a text, and a whole number is wanted here; write a number without quotes"
    assert sentences["listeners.A.certificates"].endswith('put it in brackets: ["mx"]')
    assert sentences['destinations."a.example".tls'].endswith("(did you mean required?)")
    assert "octets, or a number with k, M or G" in sentences["gateway.min_free_space"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = ", "is not TOML"),
        ('[gateway]\nhostname "x"', "line 2, column 10"),
        ("[a]\n[a]", "line 2"),
        (b"x = 1\ny = '\xff'", "is not UTF-8 text (line 2)"),
        ("x = " + "[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_toml_is_one_sentence_with_its_line(text: str | bytes, sentence: str) -> None:
    ((path, _, said),) = faults(text)
    assert path == ""
    assert sentence in said


def test_a_broken_document_never_shows_a_key() -> None:
    text = f'[certificates.mx]\ncertificate = "x"\nprivate_key = ["""{SECRET}"""]\nother = """{SECRET}"""\n'
    with pytest.raises(ConfigErrors) as refusal:
        toml.loads(text)
    assert "c2VjcmV0" not in str(refusal.value)
    with pytest.raises(ConfigErrors) as refusal:
        toml.loads(text + SECRET)
    assert "c2VjcmV0" not in str(refusal.value)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert toml.loads(b"\xef\xbb\xbf[gateway]\n") == Config()


@pytest.mark.parametrize(
    ("size", "octets"), [(5, 5), ("5", 5), ("10M", 10 << 20), ("1k", 1024), (" 2G ", 2 << 30), (-1, -1)]
)
def test_sizes(size: int | str, octets: int) -> None:
    assert size_in_octets(size) == octets


@pytest.mark.parametrize("size", ["", "M", "10Q", "1.5M", "-1", "²", "0x10", "10 M B"])
def test_what_is_no_size_is_refused(size: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size_in_octets(size)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@settings(patient)
def test_a_text_without_anything_odd_is_written_as_the_library_would(text: str) -> None:
    """Such texts do not go through it, for a table may hold a million."""
    assert f"v = {literal(text)}\n" == tomli_w.dumps({"v": text})
