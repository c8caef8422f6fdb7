"""Configuration in this process: revisions compared, rollback, export with and without keys, import with all its faults."""

from __future__ import annotations

import httpx

from gatepost.admin.operations import configuration, documents
from gatepost.admin.web.sessions import ATTEMPTS
from gatepost.config.exchange import examine
from gatepost.config.model import Certificate, Config, Gateway
from gatepost.config.toml import dumps
from gatepost.tls.making import Subject, self_signed
from tests.admin.web.conftest import SignIn
from tests.support.web import NAMES, PASSWORD, Visitor

PAIR = self_signed(Subject(names=("mx.example.com",)))
BEGIN = Config(
    gateway=Gateway(postmaster="first@example.com"),
    certificates={"mx": Certificate(certificate=PAIR.certificate, private_key=PAIR.private_key)},
)
SECRET = PAIR.private_key.splitlines()[1]


def set_postmaster(console: Visitor, value: str, *, commit: str = "") -> None:
    """Change one field, as somebody else; with a comment it is committed."""
    documents.set_field(console.operator, "gateway.postmaster", value)
    if commit:
        configuration.commit(console.operator, commit)


def in_force(console: Visitor) -> tuple[int, str, str]:
    """Return number, postmaster and comment of the latest revision."""
    latest = configuration.log(console.operator, 1)[0]
    held = configuration.revision(console.operator, latest.number).config.gateway.postmaster
    return latest.number, held, latest.comment


def send(console: Visitor, file: bytes, **fields: str) -> httpx.Response:
    """Send the form to import, with a file."""
    data = {"csrf": console.csrf, "tag": console.tag(), **fields}
    files = {"file": ("one.toml", file)}
    return console.http.post("/configuration/import", data=data, files=files, follow_redirects=False)


def fault(text: str, field: str) -> str:
    return text.partition(f'id="fault-{field}"')[2].partition("</p>")[0]


# --- revisions -------------------------------------------------------------------------------------------------------


def test_revisions_are_listed_with_who_when_and_why(visit: SignIn) -> None:
    console = visit(BEGIN)
    set_postmaster(console, "second@example.com", commit="<b>contract</b>")
    page = console.get("/configuration").text
    assert "somebody-else" in page
    assert "&lt;b&gt;contract&lt;/b&gt;" in page
    assert page.index("somebody-else") < page.index("Begin")
    assert "/configuration/rollback/1" in page
    assert "/configuration/rollback/2" not in page  # it is in force
    assert "Nothing is committed yet" in visit().get("/configuration").text


def test_any_two_can_be_compared_and_the_draft_too(visit: SignIn) -> None:
    console = visit(BEGIN)
    set_postmaster(console, "second@example.com", commit="2")
    set_postmaster(console, "draft@example.com")
    page = console.get("/configuration/compare?old=1&new=draft").text
    assert "From revision 1 to the draft" in page
    assert "gateway.postmaster: first@example.com -&gt; draft@example.com" in page
    assert "-postmaster = &#34;first@example.com&#34;" in page
    assert "second@example.com -&gt; first@example.com" in console.get("/configuration/compare?old=2&new=1").text
    whole = console.get("/configuration/compare?old=0&new=1").text
    assert "certificates.mx" in whole
    assert SECRET not in whole
    assert "both hold the same" in console.get("/configuration/compare?old=1&new=1").text


def test_a_revision_that_is_none_is_told_beside_its_field(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.get("/configuration/compare?old=<b>&new=-1")
    assert answer.status_code == 422
    assert fault(answer.text, "old")
    assert fault(answer.text, "new")
    assert "there is no revision 99" in console.get("/configuration/compare?old=1&new=99").text


# --- rollback --------------------------------------------------------------------------------------------------------


def test_a_rollback_shows_what_it_changes_and_commits_with_a_comment(visit: SignIn) -> None:
    console = visit(BEGIN)
    set_postmaster(console, "second@example.com", commit="2")
    page = console.get("/configuration/rollback/1").text
    assert "gateway.postmaster: second@example.com -&gt; first@example.com" in page
    assert "These changes may be lost" not in page
    answer = console.post("/configuration/rollback/1", comment="it was better before")
    assert answer.headers["Location"] == "/configuration"
    assert in_force(console) == (3, "first@example.com", "it was better before")
    assert configuration.log(console.operator, 1)[0].author == NAMES["administrator"]
    assert "revision 3 is in force and holds what revision 1 held" in console.get("/configuration").text
    assert console.get("/configuration/rollback/9").status_code == 404


def test_a_rollback_loses_no_draft_unseen(visit: SignIn) -> None:
    console = visit(BEGIN)
    set_postmaster(console, "second@example.com", commit="2")
    set_postmaster(console, "draft@example.com")
    assert "second@example.com -&gt; draft@example.com" in console.get("/configuration/rollback/1").text
    refused = console.post("/configuration/rollback/1", comment="kept <b>")
    assert refused.status_code == 422
    assert "say that they may be lost" in fault(refused.text, "force")
    assert ">kept &lt;b&gt;</textarea>" in refused.text
    seen = console.tag()
    set_postmaster(console, "newer@example.com")
    assert console.post("/configuration/rollback/1", force="on", tag=seen).status_code == 409
    assert in_force(console)[:2] == (2, "second@example.com")
    assert console.draft.gateway.postmaster == "newer@example.com"
    console.post("/configuration/rollback/1", force="on")
    assert in_force(console) == (3, "first@example.com", "Rollback to revision 1")


def test_a_page_of_before_somebody_elses_commit_rolls_nothing_back(visit: SignIn) -> None:
    console = visit(BEGIN)
    set_postmaster(console, "second@example.com", commit="2")
    seen = console.tag()
    set_postmaster(console, "third@example.com", commit="3")
    assert console.post("/configuration/rollback/1", tag=seen).status_code == 409
    assert in_force(console)[0] == 3


# --- export ----------------------------------------------------------------------------------------------------------


def test_an_export_has_its_keys_masked(visit: SignIn) -> None:
    console = visit(BEGIN, "read-only")
    set_postmaster(console, "draft@example.com")
    for of, held in (("committed", "first@"), ("draft", "draft@"), ("1", "first@")):
        answer = console.get(f"/configuration/export?of={of}")
        assert answer.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''gatepost-{of}.toml"
        assert f'postmaster = "{held}example.com"' in answer.text
        assert "BEGIN CERTIFICATE" in answer.text
        assert SECRET not in answer.text
    assert "With private keys" not in console.get("/configuration").text
    assert console.post("/configuration/export", of="committed", password=PASSWORD).status_code == 403
    for of in ("../config.db", "99"):
        answer = console.get("/configuration/export", params={"of": of})
        assert answer.status_code == 422
        assert fault(answer.text, "of")


def test_keys_leave_for_the_password_alone(visit: SignIn) -> None:
    console = visit(BEGIN)
    wrong = console.post("/configuration/export", of="committed", password="a wrong guess")
    assert wrong.status_code == 422
    assert "this is not your password" in fault(wrong.text, "password")
    assert SECRET not in wrong.text
    assert "a wrong guess" not in wrong.text
    answer = console.post("/configuration/export", of="committed", password=PASSWORD)
    assert examine(answer.text).config == BEGIN
    assert "exported the configuration (committed) with its private keys" in (
        (console.state / "log" / "audit_logs").read_text()
    )


def test_nobody_guesses_through_a_session(visit: SignIn) -> None:
    console = visit(BEGIN)
    for _ in range(ATTEMPTS):
        console.post("/configuration/export", of="committed", password="a wrong guess")
    answer = console.post("/configuration/export", of="committed", password=PASSWORD)
    assert "too many wrong passwords" in fault(answer.text, "password")
    assert SECRET not in answer.text
    own = console.post("/password", old=PASSWORD, new="of my own choosing", again="of my own choosing")
    assert "too many wrong passwords" in fault(own.text, "old")


# --- import ----------------------------------------------------------------------------------------------------------


def test_a_document_comes_in_pasted_or_as_a_file_and_masked_keys_stay(visit: SignIn) -> None:
    for as_file in (False, True):
        console = visit(BEGIN)
        document = console.get("/configuration/export").text.replace("first@", "imported@")
        sent = send(console, document.encode()) if as_file else console.post("/configuration/import", text=document)
        assert sent.headers["Location"] == "/commit"
        assert console.draft.gateway.postmaster == "imported@example.com"
        assert console.draft.certificates == BEGIN.certificates
        assert "The private key of certificate mx is masked; it is taken over from the draft." in console.get("/commit").text
        assert in_force(console)[0] == 1


def test_all_that_is_wrong_is_listed_with_its_path_and_the_text_stays(visit: SignIn) -> None:
    console = visit(BEGIN)
    text = '[gateway]\npostmaster = "<b>"\nnonsense = 1\n[listeners.In]\nport = 99999\n[routes]\n"a b" = []\n'
    answer = console.post("/configuration/import", text=text)
    assert answer.status_code == 422
    for path in ("gateway.postmaster", "gateway.nonsense", "listeners.In.port", "routes.&#34;a b&#34;"):
        assert f'<th scope="row" class="long">{path}' in answer.text, path
    assert "postmaster = &#34;&lt;b&gt;&#34;" in answer.text.partition("<textarea")[2]
    broken = console.post("/configuration/import", text="[gateway")
    assert "the document" in broken.text
    assert console.draft == BEGIN


def test_what_is_no_document_is_told(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert "there is no text" in fault(console.post("/configuration/import", text=" ").text, "text")
    assert "not UTF-8 text (line 2)" in fault(send(console, b"# one\n\xff\xfe").text, "text")
    assert console.draft == BEGIN


def test_an_import_loses_no_draft_unseen(visit: SignIn) -> None:
    console = visit(BEGIN)
    set_postmaster(console, "draft@example.com")
    document = dumps(BEGIN).replace("first@", "imported@")
    refused = console.post("/configuration/import", text=document)
    assert "say that they may be lost" in fault(refused.text, "force")
    assert "imported@example.com" in refused.text
    seen = console.tag()
    set_postmaster(console, "newer@example.com")
    assert console.post("/configuration/import", text=document, force="on", tag=seen).status_code == 409
    assert console.draft.gateway.postmaster == "newer@example.com"
    console.post("/configuration/import", text=document, force="on")
    assert console.draft.gateway.postmaster == "imported@example.com"


def test_whoever_is_no_administrator_changes_nothing(visit: SignIn) -> None:
    console = visit(BEGIN, "operator")
    set_postmaster(console, "second@example.com", commit="2")
    assert "Roll back…" not in console.get("/configuration").text
    assert '<button class="danger">' not in console.get("/configuration/rollback/1").text
    assert console.post("/configuration/rollback/1").status_code == 403
    assert console.post("/configuration/import", text=dumps(BEGIN)).status_code == 403
    assert in_force(console)[0] == 2
