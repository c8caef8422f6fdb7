"""Time, configuration and administration under load: the rows of the fault matrix that no other test has.

A clock that jumps, commits by the dozen, bad commits, rollbacks that meet commits, an operator's verbs that meet a delivery,
and a state directory that was written by another version.
"""

from __future__ import annotations

import glob
import json
import os
import re
import sqlite3
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from gatepost.admin.operations import configuration
from gatepost.admin.operations.operator import Operator
from gatepost.config.exchange import examine
from gatepost.config.model import Config
from gatepost.config.store import ConfigStore
from gatepost.errors import ControlError, GatepostError
from tests.support.client import Client
from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.held_peer import HeldPeer
from tests.support.judge import Sent, Sink, load, lost
from tests.support.process import free_port, wait_for

pytestmark = pytest.mark.system
NOWHERE = 9
FAKETIME = next(iter(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")), "")
needs_faketime = pytest.mark.skipif(not FAKETIME, reason="libfaketime is not installed (make system-deps)")
DAY = 86_400
FEW = 5
YEAR_2038 = 2**31


def config_of(document: str) -> Config:
    return examine(document.encode(), Config()).accepted()


def messages(one: Gateway) -> int:
    return int(one.ask("status")["queue"]["messages"])


@contextmanager
def loading(port: int, *, connections: int = 8) -> Iterator[Callable[[], Sent]]:
    """Load a gateway for the length of a block; the function that is handed out ends it and says what was sent."""
    parts: list[Sent] = []
    done = threading.Event()

    def run() -> None:
        while not done.is_set():
            parts.append(load(port, 100, connections=connections, first=100 * len(parts)))

    thread = threading.Thread(target=run)

    def end() -> Sent:
        done.set()
        thread.join(60)
        whole = Sent()
        for part in parts:
            whole.acked |= part.acked
            whole.refused |= part.refused
            whole.unknown |= part.unknown
            whole.redials += part.redials
        return whole

    thread.start()
    try:
        yield end
    finally:
        end()


def unharmed(sent: Sent, sink: Sink) -> None:
    """Every message of a load was accepted at its first attempt, and arrives once."""
    assert (sent.refused, sent.unknown, sent.redials) == ({}, set(), 0)
    assert len(sent.acked) >= 100
    wait_for(lambda: not lost(sent, sink), "all is delivered")
    assert set(sink.delivered.values()) == {1}


# --- the clock ------------------------------------------------------------------------------------------------------------


class Clock:
    """The wall clock of a gateway, moved while it runs; the monotonic one stays as it is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.env = {
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.shift(0)

    def shift(self, seconds: float) -> None:
        """Have the clock differ from the true one by this much."""
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{seconds:+.0f}\n")
        aside.replace(self._file)


@pytest.mark.long
@needs_faketime
def test_a_clock_that_jumps_neither_bounces_nor_stalls_nor_ends_a_session(tmp_path: Path) -> None:
    port = free_port()
    profile = "[bounce_profiles.Default]\nmax_age = 864000\ninitial_wait = 3600\nmax_wait = 3600\n"
    clock = Clock(tmp_path / "clock")
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port) + profile, start=False) as one:
        sink.mood = "busy"
        one.start(1, env=clock.env)
        with Client(port, timeout=30) as open_session:
            open_session.ehlo()
            sent = load(port, FEW)
            assert len(sent.acked) == FEW
            wait_for(lambda: waiting(one) == FEW, "all are put off for an hour")

            clock.shift(3 * DAY)
            one.wait_log("Clock jumped forward by 259")
            wait_for(lambda: attempts(one, 1) >= 2, "what came due is tried")
            assert messages(one) == FEW, "and is not given up for its age, which is only the clock's"
            assert open_session.say("NOOP").startswith("250"), "time limits are not affected"
            tries = {mid: attempts(one, mid) for mid in range(1, FEW + 1)}
            assert max(tries.values()) == 2, "no stampede"

            clock.shift(-2 * DAY)
            one.wait_log("Clock jumped back by 43")
            wait_for(lambda: due_within(one, 120 - 2 * DAY), "no retry is left days away")
            assert messages(one) == FEW

            clock.shift(0)
            wait_for(lambda: one.log().count("Clock jumped") == 3, "back in our time")
            deliver_all(one, sink, sent)
            assert open_session.say("NOOP").startswith("250")
        assert one.stop() == 0


@pytest.mark.long
@needs_faketime
def test_mail_crosses_the_end_of_32_bit_time(tmp_path: Path) -> None:
    port = free_port()
    clock = Clock(tmp_path / "clock")
    clock.shift(YEAR_2038 - 1800 - time.time())
    profile = "[bounce_profiles.Default]\ninitial_wait = 3600\nmax_wait = 3600\n"
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port) + profile, start=False) as one:
        sink.mood = "busy"
        one.start(1, env=clock.env)
        sent = load(port, FEW)
        wait_for(lambda: waiting(one) == FEW, "all are put off beyond that moment")
        assert all(float(str(entries(one, mid)[0]["due"])) > YEAR_2038 for mid in range(1, FEW + 1))
        sink.mood = "well"
        clock.shift(YEAR_2038 + 3600 - time.time())
        wait_for(lambda: not lost(sent, sink), "they come due on the other side")
        late = load(port, FEW, first=1000)
        deliver_all(one, sink, late)
        wait_for(lambda: len(one.json("track", "--limit", "100")) == 2 * FEW, "all is recorded")
        assert re.search(r" \d\d:\d\d:\d\d 2038 Warning: ", one.wait_log("Clock jumped forward by 5"))
        os.kill(one.workers()[0], 9)
        one.wait_log("Worker 0 ended")
        deliver_all(one, sink, load(port, 5, first=2000))
        assert one.stop() == 0


def deliver_all(one: Gateway, sink: Sink, sent: Sent) -> None:
    """With a next hop that is well again everything arrives, once, and no number was used twice."""
    sink.mood = "well"
    wait_for(lambda: all(worker["up"] for worker in one.ask("status")["workers"]), "it serves")
    one.ask("deliver_now", destination="", mid=0)
    assert sent.acked
    wait_for(lambda: not lost(sent, sink), "all arrives")
    wait_for(lambda: messages(one) == 0, "and nothing is left")
    assert set(sink.delivered.values()) == {1}
    mids = Counter(re.findall(r"Start MID (\d+) ", one.log()))
    assert set(mids.values()) == {1}
    assert "ounced" not in one.log()


def entries(one: Gateway, mid: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = one.json("queue", "show", str(mid))["recipients"]
    return found


def attempts(one: Gateway, mid: int) -> int:
    return int(str(entries(one, mid)[0]["attempts"]))


def waiting(one: Gateway) -> int:
    return sum(int(row["recipients"]) for row in one.json("queue", "list")["destinations"])


def due_within(one: Gateway, seconds: float) -> bool:
    """Whether all that waits is due at most so many seconds from now, by the true clock."""
    return all(float(str(entries(one, mid)[0]["due"])) < time.time() + seconds for mid in range(1, FEW + 1))


# --- commits --------------------------------------------------------------------------------------------------------------


def revision_document(port: int, inside: int, number: int) -> Config:
    """A configuration of which every part that a session sees names the revision."""
    config = config_of(relay(port, inside, policy=f"max_message_size = {1_000_000 + number}"))
    listener = config.listeners["InboundMail"]
    rows = [msgspec.structs.replace(listener.recipients[0], match=f"r{number}.example"), *listener.recipients]
    return msgspec.structs.replace(
        config,
        gateway=msgspec.structs.replace(config.gateway, hostname=f"mx{number}.example.com"),
        listeners={"InboundMail": msgspec.structs.replace(listener, recipients=tuple(rows))},
    )


def revision_seen(port: int, latest: Callable[[], int]) -> int:
    """Look at all that a session shows, with pauses in between; return the one revision that it shows."""
    with Client(port) as client:
        found = re.search(r"^220 mx(\d+)\.", client.banner)
        assert found
        number = int(found[1])
        time.sleep(0.05)
        greeting = client.ehlo()
        assert f"mx{number}.example.com" in greeting
        assert f"SIZE {1_000_000 + number}" in greeting
        before = latest()
        wait_for(lambda: latest() > before, "another revision came in the middle of the session")
        assert client.say(f"MAIL FROM:<a@client.example> SIZE={1_000_000 + number}").startswith("250")
        assert client.say(f"RCPT TO:<a@r{number}.example>").startswith("250"), "its own recipients"
        for other in {number - 1, number + 1, latest()} - {number}:
            assert client.say(f"RCPT TO:<a@r{other}.example>").startswith("550"), "and nobody else's"
        return number


def test_a_session_under_ten_commits_a_second_is_wholly_old_or_wholly_new(tmp_path: Path) -> None:
    port = free_port()
    with (
        Sink() as sink,
        gateway(tmp_path) as one,
    ):
        one.commit(revision_document(port, sink.port, 1))
        number = 1
        seen: set[int] = set()
        looking = threading.Event()

        def look() -> None:
            while not looking.is_set():
                seen.add(revision_seen(port, lambda: number))

        with loading(port) as end, ThreadPoolExecutor(3) as pool:
            lookers = [pool.submit(look) for _ in range(3)]
            while number < 40:
                began = time.monotonic()
                one.commit(revision_document(port, sink.port, number + 1))
                number += 1
                time.sleep(max(0.0, 0.1 - (time.monotonic() - began)))
            looking.set()
            while not all(looker.done() for looker in lookers):  # each waits for one more commit
                one.commit(revision_document(port, sink.port, number + 1))
                number += 1
            for looker in lookers:
                looker.result()
            sent = end()
        assert len(seen) >= 5, seen
        unharmed(sent, sink)


BAD = {
    "an unknown field": ('[gateway]\nhostname = "x.example"\nhostnam = "y.example"\n', "gateway.hostnam"),
    "a certificate that is none": (
        '[certificates.mx]\ncertificate = "none"\nprivate_key = "none"\n',
        "certificates.mx.certificate",
    ),
    "a name that is not there": ('[listeners.InboundMail]\ncertificates = ["nope"]\n', "listeners.InboundMail.certificates"),
    "a value out of range": ("[listeners.InboundMail]\nport = 70000\n", "listeners.InboundMail.port"),
}


@pytest.mark.long
def test_bad_documents_are_refused_whole_with_their_paths_while_mail_flows(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port)) as one, loading(port) as end:
        for what, (text, path) in BAD.items():
            file = tmp_path / "bad.toml"
            file.write_text(text)
            refused = one.cli("config", "import", str(file), check=False)
            assert refused.returncode == 1, what
            assert path in refused.stdout + refused.stderr, (what, refused)
        one.cli("config", "set", "listeners.InboundMail.certificates", '["nope"]')
        refused = one.cli("config", "commit", "-m", "x", check=False)
        assert refused.returncode == 1
        assert "listeners.InboundMail.certificates" in refused.stdout + refused.stderr
        status = one.ask("status")
        assert status["revision"] == 1
        assert all(worker["revision"] == 1 for worker in status["workers"])
        unharmed(end(), sink)


@pytest.mark.long
def test_a_key_that_does_not_fit_its_certificate_is_refused_by_the_commit(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port)) as one, loading(port) as end:
        for name in ("mx", "other"):
            one.cli("cert", "self-signed", name, "--hostname", f"{name}.example.com")
        one.cli("config", "set", "listeners.InboundMail.certificates", '["mx"]')
        one.cli("config", "set", "listeners.InboundMail.default_policy.tls", "preferred")
        store = ConfigStore.open(one.state)
        draft = store.draft()
        mx, other = (draft.config.certificates[name] for name in ("mx", "other"))
        crossed = msgspec.structs.replace(mx, private_key=other.private_key)
        certificates = {**draft.config.certificates, "mx": crossed}
        tag = store.save_draft(msgspec.structs.replace(draft.config, certificates=certificates), draft.tag).tag
        store.close()
        refused = one.cli("config", "commit", "-m", "x", check=False)
        assert refused.returncode == 1
        assert "certificates.mx.private_key" in refused.stdout + refused.stderr
        with pytest.raises(ControlError):  # past the command line's own check
            one.ask("commit", tag=tag, author="x", comment="x")
        assert one.ask("status")["revision"] == 1
        unharmed(end(), sink)


def test_of_a_rollback_and_a_commit_at_once_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    port = free_port()
    with Sink() as sink, gateway(tmp_path, relay(port, sink.port)) as one:
        for number in (2, 3):
            one.commit(revision_document(port, sink.port, number))

        def commit() -> str:
            operator = Operator(one.state, author="ann")
            try:
                configuration.replace(operator, revision_document(port, sink.port, 100))
                return f"committed {configuration.commit(operator, 'forward').revision}"
            except GatepostError as refusal:
                return str(refusal)

        def rollback() -> str:
            try:
                return f"committed {configuration.rollback(Operator(one.state, author='bob'), 2).revision}"
            except GatepostError as refusal:
                return str(refusal)

        told: Counter[str] = Counter()
        with loading(port) as end, ThreadPoolExecutor(2) as pool:
            for _ in range(8):
                before = one.ask("status")["revision"]
                answers = [each.result() for each in (pool.submit(commit), pool.submit(rollback))]
                now = one.ask("status")["revision"]
                won = [answer for answer in answers if answer.startswith("committed ")]
                assert now - before == len(won), answers
                assert f"committed {now}" in won or not won, answers
                for answer in answers:
                    told["won" if answer in won else "told"] += 1
                    if answer not in won:
                        assert re.search(r"not committed|somebody else|in force already|no data to commit|nothing", answer)
                store = ConfigStore.open(one.state)
                last = store.committed()
                draft = store.draft()
                if draft.changed:
                    store.clear_draft(draft.tag)
                store.close()
                assert last is not None
                with Client(port) as client:
                    assert client.banner.split()[1] == last.config.gateway.hostname, "what is stored is what is in force"
            unharmed(end(), sink)
        assert told["won"]


# --- the operator against a delivery --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "reply", "arrives", "outcome"),
    [
        ("delete", "250 taken", True, "delivered"),
        pytest.param("bounce", "250 taken", True, "delivered", marks=pytest.mark.long),
        pytest.param("deliver-now", "250 taken", True, "delivered", marks=pytest.mark.long),
        pytest.param("delete", "451 later", False, "deleted", marks=pytest.mark.long),
        ("bounce", "451 later", False, "bounced"),
        pytest.param("delete", "", False, "deleted", marks=pytest.mark.long),
    ],
)
def test_a_verb_that_meets_a_delivery_has_one_outcome(
    tmp_path: Path, verb: str, reply: str, arrives: bool, outcome: str
) -> None:
    """The next hop holds its answer to the dot back while the operator speaks; then it gives it, or hangs up ("")."""
    port = free_port()
    with HeldPeer(reply) as peer, gateway(tmp_path, relay(port, peer.port)) as one:
        with Client(port) as client:
            client.ehlo()
            found = re.search(r"Message (\d+) accepted", client.send_text())
        assert found
        mid = found[1]
        wait_for(lambda: peer.holds, "the delivery waits for its answer")
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(one.cli, "queue", verb, mid, check=False)
            if verb != "deliver-now":
                assert done.result().returncode == 0
            peer.release.set()
            done.result()
        wait_for(lambda: not [m for m in one.json("queue", "list")["messages"] if str(m["mid"]) == mid], "it is done with")
        told = wait_for(lambda: outcomes(one, mid), "it is recorded")
        assert told == [outcome]
        told_to_sender = {"Delivery Status Notification (Failure)": 1} if outcome == "bounced" else {}
        expected = Counter({"body": 1} if arrives else told_to_sender)
        wait_for(lambda: peer.taken == expected, "what arrives is the message or the notification, or neither")
        final = [line for line in one.log().splitlines() if f"Message finished MID {mid} " in line]
        assert len(final) == 1, final


def outcomes(one: Gateway, mid: str) -> list[str]:
    """Return the recorded outcomes of a message that are final."""
    answer = one.cli("track", mid, "--json", check=False)
    if answer.returncode:
        return []  # not on record yet
    found = json.loads(answer.stdout)
    rows = found["outcomes"] if isinstance(found, dict) else found[0]["outcomes"]
    return [row["outcome"] for row in rows if row["outcome"] in ("delivered", "bounced", "deleted")]


# --- other versions -------------------------------------------------------------------------------------------------------

OLD_STATES = sorted(Path(__file__).parent.glob("state-*.tar.xz"))


@pytest.mark.parametrize("archive", OLD_STATES, ids=lambda path: path.name)
def test_a_state_directory_of_an_older_version_goes_on(tmp_path: Path, archive: Path) -> None:
    """It holds 13 messages that wait, of 23 that were accepted, in two shards, one with a body file; and a draft."""
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    port, inside = free_port(), free_port()
    with gateway(tmp_path, start=False) as one:
        draft = one.json("config", "get", "gateway.postmaster")
        assert draft == "ops@example.com", "an edit that nobody has committed is still there"
        one.cli("config", "set", "listeners.InboundMail.port", str(port))
        one.cli("config", "set", "routes.ALL", f'["127.0.0.1:{inside}"]')
        one.cli("config", "commit", "-m", "after the upgrade")
        assert [row["comment"] for row in one.json("config", "log")] == ["after the upgrade", "before the upgrade"]
        one.start(2)
        wait_for(lambda: messages(one) == 13, "all that waited is there")
        assert len(one.json("track", "--limit", "100")) == 23, "what was recorded before is found"
        with Client(port) as client:
            client.ehlo()
            client.start_tls()  # under the certificate of before
        with Sink(port=inside) as sink:
            sent = load(port, 10, first=1000)
            one.cli("queue", "deliver-now")
            wait_for(lambda: set(sink.delivered) == {*range(20, 32), 100} | sent.acked, "old and new mail arrives")
            wait_for(lambda: messages(one) == 0, "and is ticked off")
            assert set(sink.delivered.values()) == {1}
            assert len(sink.bodies[100]) > 350_000
        mids = Counter(re.findall(r"Start MID (\d+) ", one.log()))
        assert (len(mids), set(mids.values())) == (33, {1}), "no number comes again"
        assert one.stop() == 0


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        pytest.param("config.db", "UPDATE config_schema SET version = 99", marks=pytest.mark.long),
        pytest.param("records.db", "UPDATE schema SET version = 99", marks=pytest.mark.long),
        ("spool/shard-1.db", "PRAGMA user_version = 99"),
    ],
)
def test_a_state_directory_of_a_newer_version_is_refused_in_one_sentence(tmp_path: Path, name: str, statement: str) -> None:
    port = free_port()
    with gateway(tmp_path, relay(port, NOWHERE), workers=2) as one:
        assert len(load(port, 10).acked) == 10
        assert one.stop() == 0
        with closing(sqlite3.connect(one.state / name, isolation_level=None)) as connection:
            known = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(statement)
        before = {file: file.read_bytes() for file in one.state.rglob("*.db")}
        refused = one.cli("serve", check=False)
        assert refused.returncode == 1
        assert refused.stderr == (
            f"gatepost: {one.state} was written by a newer Gatepost ({name} has version 99 and this one knows 1): "
            "start that one, or put back the state directory that was saved before it; nothing was changed\n"
        )
        assert {file: file.read_bytes() for file in one.state.rglob("*.db")} == before, known
