"""Message Tracking and the Mail Log in this process: what is found, a message's story, filters, hostile text."""

from __future__ import annotations

import html
import re
import time
from pathlib import Path

import pytest

from gatepost.admin.operations import log_tail
from gatepost.admin.operations.operator import Operator
from gatepost.records.store import FILE_NAME, RecordStore
from gatepost.records.tables import Record
from tests.admin.web.conftest import SignIn
from tests.support.pages import FORGED, Parsed
from tests.support.records import a_connection, a_message, an_outcome
from tests.support.web import Visitor


def text(page: str) -> str:
    """Return what a page says, without its tags."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page).split()))


def on_record(console: Visitor, *records: Record) -> None:
    store = RecordStore(console.state / FILE_NAME)
    assert store.append([*records]) == 0
    store.close()


def found(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'href="/tracking/(\d+)"', page)]


def message(mid: int, **more: object) -> Record:
    return a_message(mid, **{"time": time.time() - 60 + mid / 1000, **more})


@pytest.mark.parametrize(
    ("question", "mids"),
    [
        ("", [2, 1]),
        ("sender=ann", [1]),
        ("sender=<>", [2]),
        ("recipient=carol@example.com", [2]),
        ("subject=hello", [1]),
        ("message_id=zz", [2]),
        ("host=192.0.2.9", [2]),
        ("host=192.0.2.9&sender=ann", []),
        ("days=0", [3, 2, 1]),
        ("days=nonsense", [2, 1]),
    ],
)
def test_messages_are_found(visit: SignIn, question: str, mids: list[int]) -> None:
    console = visit(role="read-only")
    other = {"reverse_path": "", "recipients": ("carol@example.com",), "message_id": "<zz@x>", "peer": "192.0.2.9"}
    on_record(console, message(1), message(2, subject="Bounce", **other), message(3, time=time.time() - 3 * 86400))
    page = console.get(f"/tracking?{question}")
    assert page.status_code == 200
    assert sorted(found(page.text), reverse=True) == mids
    assert ("No message on record matches" in page.text) == (not mids)


def test_a_mid_leads_to_its_message_and_nonsense_is_told_beside_the_field(visit: SignIn) -> None:
    console = visit()
    assert console.get("/tracking?mid=MID+7").headers["Location"] == "/tracking/7"
    page = console.get("/tracking?mid=seven&sender=ann")
    assert page.status_code == 422
    assert ("a MID is a number" in page.text, 'value="seven"' in page.text, 'value="ann"' in page.text) == (True,) * 3
    assert console.get("/tracking/7").status_code == 404
    assert console.get(f"/tracking/{2**70}").status_code == 404


def test_results_are_paged(visit: SignIn) -> None:
    console = visit()
    on_record(console, *(message(mid) for mid in range(1, 61)))
    page = console.get("/tracking?sender=ann").text
    assert found(page) == list(range(60, 10, -1))
    (following,) = (link for link in Parsed(page).links if "page=2" in link)
    assert found(console.get(following).text) == list(range(10, 0, -1))


def test_a_message_has_one_story(visit: SignIn) -> None:
    console = visit(role="read-only")
    out = a_connection(100, direction="out", domain="example.com", peer_name="mx.example.com", rule="default")
    outcomes = (an_outcome(1, outcome="deferred", dcid=0, reply="451 later"), an_outcome(1, dcid=100))
    on_record(console, message(1), a_connection(10), out, *outcomes)
    page = console.get("/tracking/1").text
    said = text(page)
    for piece in ("ann@partner.example", "deferred", "451 later", "delivered", "250 2.0.0 Ok", "Received by ICID 10"):
        assert piece in said
    assert "Delivered by DCID 100" in said
    assert {"/connections/in/session/10", "/connections/out/session/100"} <= set(Parsed(page).links)


def test_outcomes_without_a_message_are_told(visit: SignIn) -> None:
    console = visit()
    on_record(console, an_outcome(5))
    assert "Its own record is missing" in console.get("/tracking/5").text


def test_hostile_text_stays_text(visit: SignIn) -> None:
    console = visit()
    bad = {"reverse_path": FORGED, "recipients": (FORGED,) * 5, "subject": FORGED, "message_id": FORGED, "peer_name": FORGED}
    on_record(console, message(1, group=FORGED, **bad), an_outcome(1, address=FORGED, reply=FORGED))
    for page in (console.get("/tracking"), console.get("/tracking/1"), console.get("/tracking", params={"subject": FORGED})):
        assert page.status_code == 200
        assert FORGED[:20] in text(page.text) or FORGED[:20] in html.unescape(page.text)
        assert Parsed(page.text).faults == []


# --- the mail log ----------------------------------------------------------------------------------------------------

LINES = (
    "Tue Nov 24 09:00:00 2026 Info: New SMTP ICID 7 interface InboundMail",
    "Tue Nov 24 09:00:01 2026 Warning: Certificate mx expires soon",
    "Tue Nov 24 09:00:02 2026 Info: MID 42 ICID 7 From: <Warning: not@a.level>",
    f"Tue Nov 24 09:00:03 2026 Info: MID 42 Subject '{FORGED}'",
)


def write_log(state: Path, *lines: str, rest: str = "") -> None:
    (state / "log").mkdir(exist_ok=True)
    (state / "log" / "mail_logs").write_text("".join(f"{line}\n" for line in lines) + rest)


def test_the_newest_lines_come_first_and_stay_text(visit: SignIn) -> None:
    console = visit(role="read-only")
    assert "The log is empty" in console.get("/log").text
    write_log(console.state, *LINES, rest="Tue Nov 24 09:00:04 2026 Info: half a li")
    page = console.get("/log").text
    assert Parsed(page).faults == []
    places = [html.unescape(page).index(line) for line in reversed(LINES)]
    assert places == sorted(places)
    assert "half a li" not in page


def test_lines_are_filtered_by_text_and_level(visit: SignIn) -> None:
    console = visit()
    write_log(console.state, *LINES)

    def shown(question: str) -> list[int]:
        page = html.unescape(console.get(f"/log/lines?{question}").text)
        return [number for number, line in enumerate(LINES) if line in page]

    assert shown("find=mid+42") == [2, 3]
    assert shown("level=Warning") == [1]
    assert shown("level=nonsense") == [0, 1, 2, 3]
    assert shown("find=nobody") == []
    assert "No line holds that" in console.get("/log?find=nobody").text


def test_a_page_asks_again_only_so_often(visit: SignIn) -> None:
    console = visit()
    asked = re.search(r'hx-get="([^"]*)"', console.get("/log?find=a%26b").text)
    assert asked is not None
    again = html.unescape(asked[1])
    assert again.startswith("/log/lines?find=a%26b&level=Debug&left=")
    rounds = 0
    while asked:
        rounds += 1
        asked = re.search(r'hx-get="([^"]*)"', console.get(html.unescape(asked[1]).replace("left=299", "left=2")).text)
    assert rounds == 3
    assert "hx-get" not in console.get("/log?still=true").text
    assert int(re.search(r"left=(\d+)", console.get("/log/lines?left=999999").text)[1]) < 300  # type: ignore[index]


def test_the_tail_of_a_long_log_is_bounded_and_begins_with_a_whole_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tail, "MAX_OCTETS", 1000)
    write_log(tmp_path, *(f"Tue Nov 24 09:00:00 2026 Info: line {number:04}" for number in range(500)))
    found = log_tail.tail(Operator(tmp_path), limit=5)
    assert found.lines[0].endswith("line 0499")
    assert (len(found.lines), found.whole) == (5, False)
    everything = log_tail.tail(Operator(tmp_path), limit=1000)
    assert everything.looked_at == len(everything.lines) < 30
    assert all(line.startswith("Tue Nov 24") for line in everything.lines)


async def test_a_message_in_the_log(visit: SignIn) -> None:
    console = visit()
    assert console.get("/tracking/42/log").status_code == 404
    write_log(console.state, *LINES)
    page = console.get("/tracking/42/log").text
    assert [line in html.unescape(page) for line in LINES] == [True, False, True, True]
    assert Parsed(page).faults == []
