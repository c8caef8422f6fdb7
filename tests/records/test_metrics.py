"""Counters: counted, carried, merged, printed, and read back by Prometheus's own parser."""

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from gatepost.records import exposition, metrics
from gatepost.records.metrics import COMMIT_BUCKETS, FAMILIES, Metrics, Snapshot


def counted() -> Metrics:
    one = Metrics()
    one.connections["in", "accept"] += 2
    one.connections["out", "failed"] += 1
    one.tls["in", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", "success"] += 1
    one.messages_accepted += 3
    one.recipients["delivered"] += 4
    one.replies["in", 250] += 5
    one.bytes["in"] += 4096
    one.sessions["in"] += 1
    one.queue_messages = 7
    one.commit(0.003)
    one.commit(0.001)
    one.commit(99.0)
    return one


def samples(snapshot: Snapshot) -> dict[tuple[str, tuple[str, ...]], float]:
    text = exposition.text(snapshot).decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def carried(snapshot: Snapshot) -> Snapshot:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot))  # type: ignore[no-any-return]


def test_a_snapshot_survives_msgpack_and_prometheus_reads_it() -> None:
    found = samples(carried(counted().snapshot()))
    assert found["gatepost_connections_total", ("in", "accept")] == 2
    assert found["gatepost_tls_total", ("TLS_AES_256_GCM_SHA384", "in", "X25519MLKEM768", "success", "TLSv1.3")] == 1
    assert found["gatepost_messages_accepted_total", ()] == 3
    assert found["gatepost_replies_total", ("250", "in")] == 5
    assert found["gatepost_queue_messages", ()] == 7
    assert found["gatepost_sessions", ("in",)] == 1


def test_a_histogram_counts_upwards() -> None:
    found = samples(counted().snapshot())
    buckets = {labels[0]: value for (name, labels), value in found.items() if name == "gatepost_commit_seconds_bucket"}
    assert len(buckets) == len(COMMIT_BUCKETS) + 1
    assert (buckets["0.0005"], buckets["0.001"], buckets["0.005"], buckets["10.0"], buckets["+Inf"]) == (0, 1, 2, 2, 3)
    assert found["gatepost_commit_seconds_count", ()] == 3
    assert found["gatepost_commit_seconds_sum", ()] == 99.004


def test_a_merge_is_the_sum() -> None:
    other = Metrics()
    other.connections["in", "accept"] += 1
    other.connections["in", "reject"] += 1
    other.queue_messages = 1
    other.commit(0.003)
    found = samples(metrics.merge([carried(counted().snapshot()), other.snapshot()]))
    assert found["gatepost_connections_total", ("in", "accept")] == 3
    assert found["gatepost_connections_total", ("in", "reject")] == 1
    assert found["gatepost_queue_messages", ()] == 8
    assert found["gatepost_commit_seconds_count", ()] == 4


def test_what_a_dead_process_counted_stays_and_what_it_held_does_not() -> None:
    left = metrics.retired(counted().snapshot())
    assert left["messages_accepted"] == [([], 3)]
    assert "queue_messages" not in left
    assert "sessions" not in left
    found = samples(metrics.merge([left, Metrics().snapshot()]))
    assert found["gatepost_messages_accepted_total", ()] == 3
    assert found["gatepost_queue_messages", ()] == 0


def test_a_family_of_another_version_is_passed_over() -> None:
    assert samples({"unheard_of": [([], 1)]}) == samples({})
    assert metrics.retired({"unheard_of": [([], 1)]}) == {}
    assert metrics.merge([]) == {}


def test_a_snapshot_is_a_copy() -> None:
    one = counted()
    taken = one.snapshot()
    before = msgspec.msgpack.encode(taken)
    one.commit(0.003)
    one.connections["in", "accept"] += 1
    assert msgspec.msgpack.encode(taken) == before


def test_every_family_has_its_counter() -> None:
    assert set(Metrics().snapshot()) == set(FAMILIES)
