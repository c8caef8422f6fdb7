"""Importing a document: everything that is wrong in one list, and what is taken over from the draft."""

from __future__ import annotations

import pytest

from gatepost.config.exchange import examine
from gatepost.config.model import Certificate, Config, DefaultPolicy, Gateway, Listener, Recipient
from gatepost.config.problems import MASK, ConfigErrors, errors
from gatepost.config.toml import dumps
from tests.config.documents import NOW, certificate

DRAFT = Config(
    gateway=Gateway(hostname="mx1.example.com"),
    certificates={"mx": certificate()},
    listeners={
        "A": Listener(
            certificates=["mx"], default_policy=DefaultPolicy(tls="preferred"), recipients=[Recipient(match="a.example")]
        )
    },
)


def test_a_masked_export_comes_back_whole_where_the_certificate_is_the_same() -> None:
    examined = examine(dumps(DRAFT), DRAFT, NOW.timestamp())
    assert examined.accepted() == DRAFT
    assert examined.problems == []
    assert examined.notes == ["The private key of certificate mx is masked; it is taken over from the draft."]


def test_line_ends_do_not_make_another_certificate() -> None:
    text = dumps(DRAFT).replace("\n", "\r\n")
    assert examine(text, DRAFT, NOW.timestamp()).accepted() == DRAFT


@pytest.mark.parametrize("draft", [None, Config(), Config(certificates={"mx": certificate("other.example")})])
def test_a_masked_key_without_its_certificate_is_a_problem(draft: Config | None) -> None:
    examined = examine(dumps(DRAFT), draft, NOW.timestamp())
    (problem,) = examined.problems
    assert (problem.path, problem.value) == ("certificates.mx.private_key", f'"{MASK}"')
    with pytest.raises(ConfigErrors, match="is masked"):
        examined.accepted()


def test_a_certificate_that_is_only_named_is_taken_over_and_no_other() -> None:
    draft = Config(
        certificates={"mx": certificate(), "unused": certificate("unused.example"), "out": certificate("out.example")}
    )
    text = dumps(DRAFT).replace(dumps(Config(certificates=DRAFT.certificates)).partition("\n\n")[2], "")
    assert "[certificates" not in text
    examined = examine(text + '[default_destination]\ncertificate = "out"\n', draft, NOW.timestamp())
    assert sorted(examined.accepted().certificates) == ["mx", "out"]
    assert [note.split(",")[0] for note in examined.notes] == ["Certificate mx", "Certificate out"]


def test_an_unmasked_key_is_not_touched() -> None:
    other = Certificate(certificate=DRAFT.certificates["mx"].certificate, private_key="another")
    examined = examine(dumps(Config(certificates={"mx": other}), with_keys=True), DRAFT, NOW.timestamp())
    assert examined.config.certificates["mx"] == other
    assert examined.notes == []


def test_wrong_types_and_wrong_meanings_are_told_together() -> None:
    examined = examine("""
        [gateway]
        hostname = "mx1.example.com"
        hostnam = "x"
        [listeners.A]
        port = "2525"
        certificates = ["mx"]
        [listeners.B]
        port = 25
        address = "localhost"
        certificates = 3
        [listeners.B.default_policy]
        tls = "required"
        [certificates]
        mx = "x"
        my = { certificate = "", private_key = "" }
        [routes]
        "a.example" = ["x:y"]
    """)
    assert {problem.path for problem in errors(examined.problems)} == {
        "gateway.hostnam",
        "listeners.A.port",
        "listeners.B.address",
        "listeners.B.certificates",
        "certificates.mx",
        "certificates.my.certificate",
        "certificates.my.private_key",
        'routes."a.example"',
    }


def test_what_rests_on_a_fault_is_not_judged() -> None:
    clash = examine("[listeners.A]\nport = true\n[listeners.B]\nport = 25\n")
    assert [problem.path for problem in errors(clash.problems)] == ["listeners.A.port"]
    entry = examine("[[listeners.A.sender_groups]]\nname = 'P'\npolicy = 'ACCEPT'\nsenders = [5]\n")
    assert not any("matches no host" in problem.wrong for problem in entry.problems)
    dangling = examine("certificates = 3\n[listeners.A]\ncertificates = ['mx']\n")
    assert [problem.path for problem in errors(dangling.problems)] == ["certificates"]


def test_what_is_no_toml_is_one_problem() -> None:
    examined = examine("x")
    assert len(examined.problems) == 1
    with pytest.raises(ConfigErrors, match="is not TOML"):
        examined.accepted()
