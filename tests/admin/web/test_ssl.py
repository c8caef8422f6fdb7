"""SSL Configuration in this process: what a profile comes to, what will not do, names of its own, what TLS costs."""

from __future__ import annotations

import re
import time
from pathlib import Path

import msgspec

from gatepost.admin.operations import costs, tls_settings
from gatepost.admin.operations.costs import Costs
from gatepost.admin.operations.operator import Operator
from gatepost.admin.web.measuring import Measuring
from gatepost.config.model import (
    BUILTIN_PROFILES,
    Certificate,
    Config,
    DefaultPolicy,
    DestinationControl,
    Listener,
    TlsProfile,
)
from gatepost.tls.cost import Bulk, Figures, Handshake
from gatepost.tls.making import Subject, self_signed
from tests.admin.web.conftest import SignIn
from tests.support.process import wait_for

PAIR = self_signed(Subject(names=("mx.example.com",)))
BEGIN = Config(
    certificates={"mx": Certificate(certificate=PAIR.certificate, private_key=PAIR.private_key)},
    listeners={
        "InboundMail": Listener(
            address="127.0.0.1", port=2525, certificates=["mx"], default_policy=DefaultPolicy(tls="preferred")
        )
    },
)
INBOUND = BUILTIN_PROFILES["inbound"]
FORM = {
    "method TLSv1.2": "on",
    "method TLSv1.3": "on",
    "ciphers": INBOUND.ciphers,
    "suites": "\r\n".join(INBOUND.suites),
    "groups": "\r\n".join(INBOUND.groups),
    "cipher_order": "server",
}
FAST = "ECDHE-ECDSA-AES128-GCM-SHA256"


def rows(html: str, heading: str) -> list[str]:
    """Return the row headers of the table below a heading."""
    part = html.partition(f"<h2>{heading}</h2>")[2].partition("</table>")[0]
    return re.findall(r'<th scope="row"[^>]*>([^<\n]*)', part)


def put_costs(state: Path) -> None:
    """Keep figures as a measurement on this machine leaves them."""
    figures = Figures(
        handshakes=(
            Handshake(suite=FAST, group="X25519", key="EC P-256", ms=0.123, spread=0.01, handshakes=9),
            Handshake(suite="TLS_AES_256_GCM_SHA384", group="X25519", key="EC P-256", ms=0.456, spread=0.01, handshakes=9),
        ),
        bulk=(Bulk(cipher="AES-128-GCM", mac="AEAD", receive=4321.0, send=1234.0),),
        seconds=1.0,
    )
    made = Costs(machine=costs.machine(), measured_at=time.time(), figures=figures)
    (state / costs.FILE).write_bytes(msgspec.json.encode(made))


def test_the_built_in_profiles_are_there_without_being_configured(visit: SignIn) -> None:
    page = visit(BEGIN).get("/ssl").text
    for name in ("gui", "inbound", "outbound"):
        assert f'<a href="/ssl/profile/{name}">' in page
    assert "listener InboundMail" in page
    assert "the web console" in page


def test_the_preview_has_the_suites_in_the_order_that_counts(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/ssl/preview", FORM, profile="inbound", ciphers=f"{FAST}:ECDHE-RSA-AES256-GCM-SHA384")
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert rows(answer.text, "Suites, in the order that counts") == [
        *INBOUND.suites,
        FAST,
        "ECDHE-RSA-AES256-GCM-SHA384",
    ]
    assert answer.text.count("out of reach: no certificate here has a key for it") == 1  # the key is an EC key
    assert "Our order decides" in answer.text
    turned = console.post("/ssl/preview", FORM, profile="inbound", cipher_order="client")
    assert "The client's order decides" in turned.text
    assert console.draft == BEGIN


def test_the_preview_says_what_matches_nothing_and_why(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/ssl/preview", FORM, profile="inbound", ciphers="RC4-SHA:ECDHE+AESGCM:NO-SUCH-THING")
    assert "2 of 3 words in the cipher string match nothing" in answer.text
    assert "RFC 7465" in answer.text
    assert "NO-SUCH-THING" in answer.text
    none = console.post("/ssl/preview", FORM, profile="inbound", ciphers="RC4-SHA")
    assert '<li class="error">tls_profiles.inbound.ciphers' in none.text


def test_the_preview_says_what_clients_would_get(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/ssl/preview", FORM, profile="inbound")
    clients = rows(answer.text, "What clients on record would get")
    assert {"openssl", "postfix", "openssl-tls1.0"} <= set(clients)
    assert "peer offers only TLSv1.0" in answer.text
    unused = console.post("/ssl/preview", FORM, profile="outbound")
    assert "We are the client here" in unused.text
    assert "What clients on record would get" not in unused.text


def test_the_preview_says_what_was_measured_and_nothing_else(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert "has not been measured on this machine yet" in console.get("/ssl/profile/inbound").text
    put_costs(console.state)
    page = console.get("/ssl/profile/inbound").text
    row = next(part for part in page.split("<tr>") if f">{FAST}<" in part)
    assert "0.12" in row
    assert "4321" in row
    assert "1234" in row
    assert "0.46" in page.partition("<h2>Key exchange groups</h2>")[2]
    assert "not measured" in page.partition("<h2>Key exchange groups</h2>")[2]  # the hybrid group


def test_the_button_shows_the_preview_without_script_and_stores_nothing(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/ssl/profile/inbound", FORM, ciphers="ECDHE+CHACHA20:<b>", preview="on")
    assert answer.status_code == 200
    assert "<html" in answer.text
    assert 'value="ECDHE+CHACHA20:&lt;b&gt;"' in answer.text
    assert "1 of 2 words in the cipher string matches nothing" in answer.text
    assert console.draft == BEGIN


def test_a_profile_is_submitted_and_what_is_doubtful_is_told(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post(
        "/ssl/profile/inbound", FORM, ciphers=f"{FAST}:RC4-SHA", groups="X25519\r\nP-256", cipher_order="client"
    )
    assert answer.headers["Location"] == "/ssl"
    assert console.draft.tls_profiles["inbound"] == TlsProfile(
        methods=["TLSv1.2", "TLSv1.3"], ciphers=f"{FAST}:RC4-SHA", groups=["X25519", "P-256"], cipher_order="client"
    )
    assert "RC4-SHA matches nothing" in console.get("/ssl").text
    console.post("/ssl/profile/inbound/delete")
    assert "inbound" not in console.draft.tls_profiles


def test_faults_stand_by_their_fields_all_at_once(visit: SignIn) -> None:
    console = visit(BEGIN)
    form = {**FORM, "method TLSv1.0": "on", "ciphers": "RC4-SHA", "suites": "TLS_NO_SUCH", "groups": "X25519\r\n<b>"}
    answer = console.post("/ssl/profile/inbound", form)
    assert answer.status_code == 422
    for field in ("methods", "ciphers", "suites", "groups"):
        assert f'id="fault-{field}"' in answer.text, field
    assert ">X25519\n&lt;b&gt;</textarea>" in answer.text.replace("\r", "")
    assert console.draft == BEGIN


def test_a_string_that_leaves_a_certificate_without_a_suite_is_refused(visit: SignIn) -> None:
    console = visit(BEGIN)
    answer = console.post("/ssl/profile/inbound", FORM, ciphers="ECDHE-RSA-AES256-GCM-SHA384")
    assert answer.status_code == 422
    assert 'id="fault-ciphers"' in answer.text
    assert "mx" in answer.text.partition('id="fault-ciphers"')[2].partition("</p>")[0]


def test_a_profile_with_a_name_of_its_own_lives_as_long_as_it_is_used(visit: SignIn) -> None:
    used = msgspec.structs.replace(
        BEGIN,
        tls_profiles={"Old": TlsProfile(), "Spare": TlsProfile()},
        listeners={"InboundMail": Listener(default_policy=DefaultPolicy(tls_profile="Old"))},
        destinations={"partner.example": DestinationControl(tls_profile="Old")},
    )
    console = visit(used)
    taken = console.post("/ssl/new", FORM, name="spare")
    assert 'id="fault-name"' in taken.text
    assert console.post("/ssl/new", FORM, name="New").status_code == 303
    assert console.draft.tls_profiles["New"] == INBOUND
    refused = console.post("/ssl/profile/Old/delete")
    assert "is used by listener InboundMail, mail to partner.example" in refused.text
    console.post("/ssl/profile/Spare/delete")
    assert set(console.draft.tls_profiles) == {"Old", "New"}


def test_a_page_that_is_stale_overwrites_nothing(visit: SignIn) -> None:
    console = visit(BEGIN)
    stale = console.tag()
    tls_settings.put(console.operator, "inbound", TlsProfile(cipher_order="client"))
    answer = console.post("/ssl/profile/inbound", FORM, tag=stale)
    assert answer.status_code == 409
    assert console.draft.tls_profiles["inbound"].cipher_order == "client"


def test_whoever_may_only_look_sees_what_a_profile_comes_to(visit: SignIn) -> None:
    console = visit(BEGIN, "read-only")
    page = console.get("/ssl/profile/inbound").text
    assert rows(page, "Suites, in the order that counts")[:3] == INBOUND.suites
    assert "hx-post" not in page
    assert "Submit" not in page
    assert console.get("/ssl/profile/nobody").status_code == 404


def test_a_measurement_goes_on_beside_and_is_kept(visit: SignIn) -> None:
    console = visit(BEGIN)
    assert "Nothing is measured on this machine yet" in console.get("/ssl/measure").text
    measuring: Measuring = console.http.app.state.measuring  # type: ignore[attr-defined]
    assert measuring.start(Operator(console.state), seconds=0.01)
    answer = console.post("/ssl/measure")  # one runs: it is shown, and no second one begins
    assert answer.headers["Location"] == "/ssl/measure"
    part = console.get("/ssl/measure", headers={"HX-Request": "true"}).text
    assert "<html" not in part
    if measuring.progress.runs:
        assert "<progress" in part
    wait_for(lambda: not measuring.progress.runs, "the measurement ends", 60)
    assert "kinds of handshake" in console.get("/ssl/measure").text
    assert "Cost: CPU of a server" in console.get("/ssl/profile/inbound").text


def test_a_measurement_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "config.db").write_text("no database")
    measuring = Measuring()
    assert measuring.start(Operator(tmp_path))
    wait_for(lambda: not measuring.progress.runs, "the measurement ends")
    assert "config.db" in measuring.progress.fault
    assert measuring.start(Operator(tmp_path))  # and may be tried again
    wait_for(lambda: not measuring.progress.runs, "the measurement ends")
