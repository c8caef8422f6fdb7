"""A change that makes Gatepost dearer is noticed: a small benchmark beside Postfix, against the ratio that is on record.

Only the ratio of CPU in the same run means anything on a machine that others use too, and it is what recorded.json holds:
the lowest that such machines have shown, not the best. A run that shares the machine badly is judged once more.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import loads, servers
from tests.bench.report import Result

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
WORSE = 1.3
"""Gatepost's CPU for a message, against Postfix's, may rise to so many times what is on record."""


@pytest.mark.system
@pytest.mark.alone
def test_a_message_costs_no_more_of_postfix_than_is_on_record() -> None:
    load, floor = loads.MAIN, RECORDED["postfix_cpu_over_gatepost"] / WORSE
    assert load.name == RECORDED["load"]
    with servers.pair() as (_, hops, both):
        ratio = _ratio(both, load, hops)
        if ratio < floor:
            ratio = _ratio(both, load, hops)
    assert ratio >= floor, (
        f"Postfix's CPU for a message is {ratio:.2f} times Gatepost's; {floor:.2f} is the least that "
        f"{RECORDED['postfix_cpu_over_gatepost']} on record allows: a message has become too dear"
    )


def _ratio(both: list[servers.Server], load: loads.Load, hops: servers.Sinks) -> float:
    runs = loads.alternate(both, load, hops, messages=800, rounds=3, generators=loads.Generators())
    result = Result(load, runs)
    ratio = result.ratio("gatepost", "postfix")
    ours, theirs = (result.median(one.name, "cpu_ms") for one in both)
    print(f"{load.title}: Gatepost {ours:.3f} ms, Postfix {theirs:.3f} ms of CPU a message, {ratio:.2f} times")
    return ratio
