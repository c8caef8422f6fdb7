"""The TLS Connections report and the Overview in this process: figures, drill-down, hostile names, what needs attention."""

from __future__ import annotations

import html
import re
import time

from gatepost.config.model import Config, Listener
from gatepost.records.store import FILE_NAME, RecordStore
from gatepost.records.tls_record import TlsRecord
from gatepost.tls.outcome import PeerCertificate, TlsOutcome
from tests.admin.fake_service import fake_service
from tests.admin.web.conftest import SignIn
from tests.support.pages import FORGED, Parsed
from tests.support.records import TLS, a_connection
from tests.support.web import Visitor

BEAR = "x" * 200


def text(page: str) -> str:
    """Return what a page says, without its tags."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page).split()))


def row(page: str, name: str) -> list[str]:
    """Return the cells of the row that a name leads."""
    for found in re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL):
        cells = [text(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", found, re.DOTALL)]
        if cells and cells[0].startswith(name):
            return cells
    raise AssertionError(f"no row {name}")


def links(page: str) -> list[str]:
    return Parsed(page).links


def connection(number: int, **more: object) -> TlsRecord:
    return a_connection(number, **{"time": time.time() - 60 + number / 1000, "rule": "PARTNERS: 198.51.100.0/24", **more})


def delivery(number: int, domain: str, **more: object) -> TlsRecord:
    facts = {"direction": "out", "domain": domain, "listener": "", "rule": "default", "peer_name": f"mx.{domain}"}
    return connection(number, **{**facts, "requirement": "required-verify", **more})


def on_record(console: Visitor, *records: TlsRecord) -> None:
    store = RecordStore(console.state / FILE_NAME)
    assert store.append([*records]) == 0
    store.close()


def test_without_a_record_every_page_says_so(visit: SignIn) -> None:
    console = visit(role="read-only")
    for path in ("/", "/connections", "/connections/out?span=quarter", "/connections/in/sessions"):
        page = console.get(path)
        assert page.status_code == 200
        assert "is on record" in text(page.text), path


def test_the_report_counts_and_leads_to_the_sessions(visit: SignIn) -> None:
    console = visit(role="read-only")
    failed = connection(3, outcome=None, failure="no shared cipher")
    on_record(console, connection(1, messages=2), connection(2, requirement="preferred"), failed, delivery(9, "b.example"))
    page = console.get("/connections/in").text
    told = ["3", "1", "1", "1", "0", "3", "100.0 %", "1", "2", "2"]
    assert row(page, "partner.example")[1:11] == told
    assert row(page, "PARTNERS on InboundMail")[1:11] == told
    assert row(page, "partner.example")[11].endswith("UTC no shared cipher")
    assert row(page, "X25519MLKEM768")[1:] == ["2", "100.0 %"]
    assert "b.example" not in page
    (failures,) = {link for link in links(page) if "failed=1" in link and "party=" in link}
    sessions = console.get(failures).text
    assert row(sessions, "3")[5] == "no shared cipher"
    assert not re.search(r"/session/[12]\"", sessions)
    (one,) = (link for link in links(sessions) if "/session/" in link)
    assert "no shared cipher" in text(console.get(one).text)
    (group,) = {link for link in links(page) if "group=" in link and "failed" not in link}
    assert [len(console.get(group).text.split(f'/session/{number}"')) for number in (1, 2, 3, 9)] == [2, 2, 2, 1]
    assert row(console.get("/connections/out").text, "b.example")[1:4] == ["1", "1", "0"]


def test_a_session_tells_the_offer_the_choice_the_reason_and_the_certificate(visit: SignIn) -> None:
    console = visit(role="read-only")
    peer = PeerCertificate(subject="CN=mx.b.example", dns_names=("mx.b.example",), issuer="CN=Authority", key="EC P-256")
    tls = TlsOutcome(protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", group="X25519MLKEM768", peer=peer, chain_ok=True)
    on_record(console, delivery(7, "b.example", outcome=tls, verdict="as required", reason="destination b.example"))
    said = text(console.get("/connections/out/session/7").text)
    for fact in ("We offered", "TLSv1.3 TLS_AES_256_GCM_SHA384 X25519MLKEM768", "as required", "destination b.example"):
        assert fact in said
    assert "Names mx.b.example" in said
    assert "Chain verified" in said


def test_what_there_is_not_is_not_found(visit: SignIn) -> None:
    console = visit()
    for path in (
        "/connections/up",
        "/connections/up/sessions",
        "/connections/in/session/5",
        f"/connections/in/session/{2**70}",
    ):
        assert console.get(path).status_code == 404, path
    for path in ("/connections/in?span=x&order=y&page=-3", "/?span=nonsense", "/connections/in/sessions?span=x&page=99999"):
        assert console.get(path).status_code == 200, path


def test_many_domains_are_paged_and_found(visit: SignIn) -> None:
    console = visit()
    on_record(console, *(delivery(number, f"d{number:02}.example") for number in range(60)))
    first = console.get("/connections/out?order=name").text
    (following,) = {link for link in links(first) if "page=2" in link}
    second = console.get(following).text
    assert row(first, "d00.example")[1] == row(second, "d59.example")[1] == "1"
    assert "d59.example" not in first
    assert row(console.get("/connections/out?find=D5").text, "d50.example")[1] == "1"
    assert "No domain holds that" in console.get("/connections/out?find=nobody").text


def test_hostile_names_stay_text_and_lead_somewhere(visit: SignIn) -> None:
    console = visit()
    bad = FORGED + BEAR
    peer = PeerCertificate(subject=bad, common_name=bad, issuer=bad, dns_names=(bad,))
    tls = TlsOutcome(protocol="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", peer=peer)
    hostile = {"rule": f"{bad}: {bad}", "failure": bad, "reason": bad, "verdict": bad, "peer_name": bad, "outcome": tls}
    on_record(console, connection(1, **hostile), delivery(2, bad, **{**hostile, "rule": bad}))
    for direction, number in (("in", 1), ("out", 2)):
        report = console.get(f"/connections/{direction}")
        found = [link for link in links(report.text) if "/sessions?" in link]
        assert found
        pages = [report, console.get("/"), console.get(f"/connections/{direction}/session/{number}")]
        pages += [console.get(link) for link in found]
        assert [Parsed(page.text).faults for page in pages] == [[]] * len(pages)
        assert all(f'/session/{number}"' in page.text for page in pages[3:])


# --- the overview ----------------------------------------------------------------------------------------------------

STATUS = {"version": "1", "revision": 3, "pid": 1, "started": 0.0, "queue": {"messages": 4, "recipients": 5}}
WORKER = {"index": 0, "pid": 2, "sessions": 7, "deliveries": 8}


def test_what_needs_attention_is_said_and_leads_there(visit: SignIn) -> None:
    console = visit(Config(listeners={"InboundMail": Listener(address="127.0.0.1", port=2525)}), "read-only")
    on_record(
        console, connection(1, failure="no shared cipher"), delivery(2, "b.example", failure="certificate has expired")
    )
    listener = {"name": "InboundMail", "address": "127.0.0.1", "port": 2525, "suspended": True}
    down = {"index": 1, "pid": 0, "up": False, "reason": "it died"}
    status = STATUS | {"workers": [WORKER, down], "listeners": [listener], "deliveries_suspended": True}
    waiting = [{"destination": "b.example", "recipients": 3}, {"destination": "c.example", "recipients": 2, "held": 2}]
    with fake_service(console.state, status=status, queue_list={"destinations": waiting, "messages": []}):
        page = console.get("/").text
    said = text(page)
    for sentence in (
        "Worker 1 does not serve: it died",
        "Listener InboundMail is suspended",
        "Delivery is suspended",
        "2 recipients wait for an operator",
        "3 recipients wait for b.example, with whom TLS failed: certificate has expired",
        "TLS from partner.example failed once since yesterday, last: no shared cipher",
        "4 messages",
    ):
        assert sentence in said
    assert {"/delivery", "/log", "/connections/in/sessions?span=day&party=partner.example&failed=1"} <= set(links(page))


def test_the_overview_without_a_running_service_says_that_and_what_is_on_record(visit: SignIn) -> None:
    console = visit()
    on_record(console, connection(1, messages=3), connection(2, outcome=None, requirement="no"))
    page = console.get("/?span=week").text
    assert "no gateway is running" in text(page).lower() or "gatepost serve" in text(page)
    assert "50.0 % encrypted" in text(page)
    assert row(page, time.strftime("%Y-%m-%d", time.gmtime(time.time() - 60)))[1:] == ["1", "1"]


def test_nothing_needs_attention(visit: SignIn) -> None:
    console = visit()
    on_record(console, connection(1, outcome=TLS))
    status = STATUS | {"workers": [WORKER], "listeners": []}
    with fake_service(console.state, status=status, queue_list={"destinations": [], "messages": []}):
        assert "Nothing needs attention" in text(console.get("/").text)
