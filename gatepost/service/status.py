"""The gateway at a glance, as `gatepost status` is told it. Only gathers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from gatepost import __version__
from gatepost.config.checks import certificates
from gatepost.records import metrics
from gatepost.service.children import Child
from gatepost.service.configuration import Configuration
from gatepost.service.verbs import Verbs


def status(children: Sequence[Child], configuration: Configuration, verbs: Verbs, started: float) -> dict[str, Any]:
    """Describe the service as it is now."""
    workers = [
        {**child.status, "index": child.index, "pid": child.pid, "up": child.up, "reason": child.reason}
        for child in children
    ]
    listeners = [
        {
            "name": name,
            "address": item.address,
            "port": item.port,
            "tls": item.default_policy.tls,
            "suspended": name in verbs.suspended,
        }
        for name, item in configuration.config.listeners.items()
    ]
    return {
        "version": __version__,
        "revision": configuration.revision,
        "pid": os.getpid(),
        "started": started,
        "workers": workers,
        "listeners": listeners,
        "queue": {kind: sum(worker.get(kind, 0) for worker in workers) for kind in ("messages", "recipients")},
        "counters": flat(counters(children)),
        "deliveries_suspended": verbs.deliveries_suspended,
        "alarms": certificates.alarms(configuration.config, datetime.now(UTC)),
    }


def counters(children: Sequence[Child]) -> metrics.Snapshot:
    """Return the counters of all workers, those that have died included."""
    return metrics.merge(counts for child in children for counts in (child.retired_metrics, child.metrics))


def flat(counts: metrics.Snapshot) -> dict[str, float]:
    """Return counters as `name{label,label}` and a number; what has buckets is left to the metrics."""
    named: dict[str, float] = {}
    for name, series in counts.items():
        for labels, value in series:
            if not isinstance(value, list):
                named[f"{name}{{{','.join(labels)}}}" if labels else name] = value
    return named
