"""Counters as the text that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gatepost.records.metrics import COMMIT_BUCKETS, FAMILIES, Snapshot

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def text(snapshot: Snapshot) -> bytes:
    """The text exposition of a snapshot, one process's or a merged one."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Taken(snapshot))
    return generate_latest(registry)


class _Taken(Collector):
    """A snapshot in the form that prometheus_client collects."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for name, family in FAMILIES.items():
            title = f"gatepost_{name}"
            series = self._snapshot.get(name, [])
            if family.kind == "histogram":
                yield _histogram(title, family.help, series)
                continue
            kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = kind(title, family.help, labels=family.labels)
            for labels, value in series:
                assert not isinstance(value, list)
                metric.add_metric(labels, value)
            yield metric


def _histogram(title: str, about: str, series: list[tuple[list[str], int | float | list[float]]]) -> Metric:
    metric = HistogramMetricFamily(title, about)
    bounds = [*(repr(bound) for bound in COMMIT_BUCKETS), "+Inf"]
    for labels, value in series:
        assert isinstance(value, list)
        *counts, total = value
        metric.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), sum_value=total)
    return metric
