"""The life of a configuration on the command line, without a running gateway."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from .conftest import PARTNER, Terminal


def _write(tmp_path: Path, text: str) -> str:
    file = tmp_path / "document.toml"
    file.write_text(text)
    return str(file)


def test_a_document_goes_from_file_to_revision_and_back(gatepost: Terminal, tmp_path: Path) -> None:
    file = _write(tmp_path, '[gateway]\nhostname = "mx1.example.com"\n')
    assert "document.toml can be taken" in gatepost("config", "check", file).out
    assert not gatepost.state.exists()

    staged = gatepost("config", "import", file).out
    assert "gateway.hostname: localhost.localdomain -> mx1.example.com" in staged
    assert staged.endswith("Nothing is live before `gatepost config commit -m TEXT`.\n")
    assert stat.S_IMODE(gatepost.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((gatepost.state / "config.db").stat().st_mode) == 0o600

    done = gatepost("config", "commit", "-m", "First name").out.splitlines()
    assert re.fullmatch(r"Changes committed: \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} UTC", done[0])
    assert done[1] == "revision 1"

    gatepost("config", "set", "gateway.hostname", "mx2.example.com")
    assert gatepost("config", "get", "gateway.hostname").out == "mx2.example.com\n"
    assert gatepost("config", "get", "gateway.hostname", "--committed").out == "mx1.example.com\n"
    gatepost("config", "commit", "-m", "Second name")
    assert [one["comment"] for one in gatepost.json("config", "log")] == ["Second name", "First name"]
    assert "mx1.example.com" in gatepost("config", "show", "1").out

    assert gatepost.json("config", "rollback", "1", "-m", "Back")["revision"] == 3
    assert gatepost("config", "get", "gateway.hostname").out == "mx1.example.com\n"
    assert "nothing was committed" in gatepost("config", "rollback", "1", status=1).err


def test_nothing_pending_is_said_in_the_model_s_words(configured: Terminal) -> None:
    assert configured("config", "commit", "-m", "x", status=1).err == "gatepost: There is no data to commit.\n"
    assert configured("config", "diff").out.startswith("The draft is the same as the committed configuration.\n")


def test_all_problems_are_told_at_once_with_path_value_and_mend(gatepost: Terminal, tmp_path: Path) -> None:
    file = _write(
        tmp_path,
        PARTNER.replace('tls = "required"\n', 'tls = "requird"\n').replace('["mx"]', '["mx", "none"]') + "[nonsense]\n",
    )
    done = gatepost("config", "check", file, status=1)
    for part in (
        'error:   listeners.InboundMail.policies.PARTNER_TLS.tls = "requird"',
        "did you mean required?",
        "error:   nonsense",
        'error:   listeners.InboundMail.certificates[1] = "none"',
        "mend: ",
        "cannot be taken: ",
    ):
        assert part in done.out
    problems = gatepost("config", "check", file, "--json", status=1).json
    assert not problems["ok"]
    assert {"path", "value", "wrong", "mend", "severity"} <= set(problems["problems"][0])
    refused = gatepost("config", "import", file, status=1)
    assert "error:   nonsense" in refused.err
    assert not gatepost.state.exists() or not (gatepost.state / "config.db").exists()


def test_a_wrong_value_leaves_the_draft_as_it_was(configured: Terminal) -> None:
    done = configured("config", "set", 'destinations."partner.example".tls', "requird", status=1)
    assert "did you mean required" in done.err
    assert configured.json("config", "diff")["changes"] == []
    assert "did you mean" in configured("config", "set", "gateway.hostnam", "x", status=1).err


def test_a_new_entry_beside_one_of_nearly_the_same_name_is_pointed_out(configured: Terminal) -> None:
    told = configured("config", "set", "listeners.InboundMial.port", "26").out.splitlines()
    assert told[0] == (
        "listeners.InboundMial is new; if InboundMail was meant, "
        "`gatepost config unset listeners.InboundMial` takes it out again."
    )
    configured("config", "unset", "listeners.InboundMial")
    configured("config", "set", "listeners.InboundMail.policies.PARTNER.tls", "required")
    configured("config", "set", "listeners.InboundMail.sender_groups.PARTNERS.policy", "PARTNER")
    for path, value in (
        ("listeners.InboundMail.sender_groups.PARTNER.policy", "PARTNER"),
        ("listeners.InboundMail.policies.PARTNRE.tls", "required"),
    ):
        place = path.rpartition(".")[0]
        assert configured("config", "set", path, value).out.startswith(f"{place} is new; if PARTNER"), path
    for path, value in (
        ("listeners.InboundMail.port", "26"),
        ("listeners.InboundMail.sender_groups.PARTNERS.senders", '["192.0.2.1"]'),
        ("listeners.Submission.port", "587"),
        ('destinations."partner.example".tls', "required"),
        ('destinations."partner1.example".tls', "required"),
    ):
        assert "is new; if" not in configured("config", "set", path, value).out, path


def test_an_import_does_not_lose_another_s_changes(configured: Terminal, tmp_path: Path) -> None:
    configured("config", "set", "gateway.hostname", "mx2.example.com")
    file = _write(tmp_path, PARTNER.replace("2525\n", "2527\n"))
    assert "--force" in configured("config", "import", file, status=1).err
    assert configured("config", "get", "gateway.hostname").out == "mx2.example.com\n"
    configured("config", "import", file, "--force")
    assert configured("config", "get", "listeners.InboundMail.port").out == "2527\n"


def test_an_import_may_follow_a_certificate_that_was_just_made(gatepost: Terminal, tmp_path: Path) -> None:
    gatepost("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
    staged = gatepost("config", "import", _write(tmp_path, PARTNER)).out
    assert "Certificate mx, which listeners.InboundMail.certificates names, is not in the document" in staged
    gatepost("config", "commit")


def test_clear_gives_the_draft_up_and_says_what_is_lost(configured: Terminal) -> None:
    configured("config", "set", "gateway.hostname", "mx2.example.com")
    assert "mx1.example.com -> mx2.example.com" in configured("config", "clear").out
    assert configured("config", "clear").out == "There were no changes.\n"


def test_unset_takes_an_entry_out(configured: Terminal) -> None:
    configured("config", "unset", 'destinations."partner.example"')
    assert configured.json("config", "get", "destinations") == {}


def test_private_keys_are_shown_only_when_asked_for(configured: Terminal) -> None:
    for command in (["export"], ["show", "1"], ["get", "certificates"], ["export", "--json"], ["show", "1", "--json"]):
        assert "PRIVATE KEY" not in configured("config", *command).out
    exported = configured("config", "export", "--with-keys").out
    assert "-----BEGIN PRIVATE KEY-----" in exported
    assert "*****" in configured("config", "export").out


def test_an_export_imports_as_it_is(configured: Terminal, tmp_path: Path) -> None:
    file = _write(tmp_path, configured("config", "export").out)
    assert "The draft is the same" in configured("config", "import", file).out


def test_a_draft_with_errors_is_not_committed(configured: Terminal) -> None:
    staged = configured("config", "unset", "certificates.mx").out
    assert "The draft cannot be committed as it stands." in staged
    refused = configured("config", "commit", "-m", "x", status=1)
    assert "error:   listeners.InboundMail.certificates[0]" in refused.err
    assert len(configured.json("config", "log")) == 1


def test_a_document_may_come_from_standard_input(gatepost: Terminal, monkeypatch: object) -> None:
    done = gatepost("config", "check", "/dev/null")
    assert "can be taken" in done.out


def test_the_diff_as_text_is_a_unified_diff(configured: Terminal) -> None:
    configured("config", "set", "gateway.hostname", "mx2.example.com")
    assert '+hostname = "mx2.example.com"' in configured("config", "diff", "--text").out


def test_an_import_repeats_only_so_many_changes(configured: Terminal, tmp_path: Path) -> None:
    routes = "".join(f'"d{number}.example" = ["10.0.0.5"]\n' for number in range(150))
    told = configured("config", "import", _write(tmp_path, PARTNER + routes)).out
    assert "  and 50 more; `gatepost config diff` shows all." in told
    assert 'routes."d149.example"' in configured("config", "diff").out
