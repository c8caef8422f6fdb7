"""The scheduler looks around more often than in production, so that tests wait for facts and not for its clock."""

from __future__ import annotations

import pytest

from gatepost.outbound import delivery, dialogue, scheduler


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "TICK", 0.05)
    monkeypatch.setattr(delivery, "IDLE", 0.5)
    monkeypatch.setattr(dialogue, "QUIT_TIMEOUT", 0.3)
