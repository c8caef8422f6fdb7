"""Each target over its corpus and a few hundred inputs of a fixed seed; and the loop itself, which must find what is there.

`make fuzz` goes on from here for as long as it is given.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import loop
from tests.fuzz.loop import Target, TooSlow
from tests.fuzz.measure import held


@pytest.mark.parametrize("name", loop.names())
def test_invariant_holds(name: str) -> None:
    target = Target.load(name)
    assert target.inputs(), "a target without a corpus tries nothing"
    for where, finding in loop.run(target, inputs=INPUTS, guided=False).findings.items():
        pytest.fail(f"{name}: {where} for {finding.octets!r}\n{finding.trace}", pytrace=False)


INPUTS = 100
"""Made from the corpus for each target; all targets together take a few seconds."""


@pytest.mark.parametrize("name", loop.names())
def test_target_states_its_invariant(name: str) -> None:
    assert len(Target.load(name).invariant.split("\n\n")) >= 2


# --- the loop --------------------------------------------------------------------------------------------------------


def target(tmp_path: Path, check: object, *inputs: bytes, words: tuple[bytes, ...] = ()) -> Target:
    for number, octets in enumerate(inputs):
        (tmp_path / f"seed-{number}").write_bytes(octets)
    return Target("planted", check, words, "", tmp_path)  # type: ignore[arg-type]


def test_a_planted_fault_is_found_and_cut_to_what_it_needs(tmp_path: Path) -> None:
    def check(octets: bytes) -> None:
        assert b"\n.\r" not in octets

    planted = target(tmp_path, check, b"Subject: x\r\n\r\nbody\r\n", words=(b"\n.\r\n",))
    [finding] = loop.run(planted, inputs=500, guided=False).findings.values()
    assert finding.octets == b"\n.\r"
    kept = loop.keep(planted, finding.octets, "found")
    assert planted.inputs()[0] == kept.read_bytes()


def test_watching_leads_behind_doors_that_open_one_by_one(tmp_path: Path) -> None:
    from gatepost.smtp.path import Path as Address
    from gatepost.smtp.path import parse_path

    def check(octets: bytes) -> None:
        path = parse_path(octets.decode("latin-1"))
        assert not isinstance(path, Address) or not path.domain.startswith("[")

    planted = target(tmp_path, check, b"<a@b>", words=(b"[192.0.2.1]",))
    done = loop.run(planted, inputs=3000)
    assert len(done.edges.seen) > 10
    assert len(done.pool) > 1
    assert done.findings
    assert {octets for octets, _ in done.pool} >= set(loop.cover(done))


def test_an_endless_loop_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(octets: bytes) -> None:
        while octets:
            pass

    monkeypatch.setattr(loop, "PATIENCE", 0.1)
    finding = loop.broken(target(tmp_path, check), b"x")
    assert finding is not None
    assert finding.where == TooSlow.__name__


def test_the_same_seed_tries_the_same_inputs(tmp_path: Path) -> None:
    tried: list[bytes] = []
    same = target(tmp_path, tried.append, b"one\r\n", b"two 2\r\n", words=(b"x",))
    loop.run(same, inputs=50, guided=False)
    first = tried.copy()
    tried.clear()
    loop.run(same, inputs=50, guided=False)
    assert tried == first
    assert len(set(first)) > 30


def test_what_is_held_is_counted() -> None:
    class Keeper:
        __slots__ = ("kept",)

        def __init__(self) -> None:
            self.kept = [bytearray(500), {"x" * 100: (b"y" * 50,)}]

    assert 650 <= held(Keeper()) <= 720
