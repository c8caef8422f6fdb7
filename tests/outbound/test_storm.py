"""Invariant: whatever the next hop and the operators do, each recipient gets exactly one final outcome, and nothing is left.

A next hop that answers at random, operators that bounce, delete, suspend and hurry at random, messages for several domains.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from gatepost.config.model import BounceProfile, DefaultDestination
from tests.support.outbound import Outbound, routed
from tests.support.peer import CLOSE, Peer

MESSAGES = 150
FINAL = {"delivered", "bounced", "deleted"}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_each_recipient_has_exactly_one_final_outcome(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)

    def answer(*others: object) -> object:
        return lambda _: chance.choice((*others, None, None, None, None, None, None, None, None))

    answers = {
        "CONNECT": answer("421 4.3.2 busy", CLOSE),
        "MAIL": answer("451 4.3.0 later", "550 5.1.8 never", CLOSE),
        "RCPT": answer("450 4.2.1 later", "550 5.1.1 unknown", CLOSE),
        "END": answer("451 4.3.0 later", "554 5.6.0 never", "421 4.3.2 bye"),
    }
    async with Peer(answers=answers) as one, Peer(answers=answers, extensions=("PIPELINING",)) as two:
        config = routed(
            one.port,
            bounce_profiles={"Default": BounceProfile(initial_wait=1, max_wait=1, max_retries=20)},
            default_destination=DefaultDestination(max_messages_per_connection=7),
        )
        config.routes["example.net"] = [f"127.0.0.1:{two.port}", f"127.0.0.1:{one.port}/pri=1"]
        async with Outbound(tmp_path, config) as out:
            wanted: Counter[tuple[int, int]] = Counter()
            for _ in range(MESSAGES):
                count = chance.randint(1, 4)
                domains = [chance.choice(("example.com", "example.net", "other.example")) for _ in range(count)]
                mid = await out.send(*(f"r{n}@{domain}" for n, domain in enumerate(domains)))
                wanted.update((mid, rid) for rid in range(count))
                await _operate(out, chance, mid)
            out.scheduler.resume()
            async with asyncio.timeout(20):
                while out.spool.messages:
                    await out.scheduler.deliver_now()
                    await out.scheduler._settlement.catch_up()
            settled = Counter((each.mid, each.rid) for each in out.journal.outcomes if each.outcome in FINAL)
            assert Counter({key: settled[key] for key in wanted}) == wanted
            assert max(settled.values()) == 1
            await out.until(lambda: not out.scheduler._intake.parcels)
            assert out.scheduler._intake.octets == 0
            assert not out.journal.faults
        assert not +out.leases.taken


async def _operate(out: Outbound, chance: random.Random, mid: int) -> None:
    match chance.randint(0, 12):
        case 0:
            await out.scheduler.bounce(mid)
        case 1:
            await out.scheduler.delete(mid - chance.randint(0, 5))
        case 2:
            await out.scheduler.deliver_now()
        case 3:
            out.scheduler.suspend()
        case 4:
            out.scheduler.resume()
        case 5:
            await asyncio.sleep(0.01)
