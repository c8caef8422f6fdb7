"""GET /metrics, read as Prometheus reads it."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gatepost.errors import GatepostError
from gatepost.records import exposition
from gatepost.records.metrics import FAMILIES, Metrics
from gatepost.service.exporter import Exporter
from tests.support.process import free_port, listening


def text() -> bytes:
    counts = Metrics()
    counts.messages_accepted = 3
    counts.sessions["in"] = 2
    counts.tls["in", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "X25519MLKEM768", "success"] = 4
    counts.commit(0.003)
    return exposition.text(counts.snapshot())


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    one = Exporter(text)
    yield one
    one.close()


def get(address: str, path: str = "/metrics") -> tuple[str, str]:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_a_scrape_holds_every_family(exporter: Exporter) -> None:
    address = f"127.0.0.1:{free_port()}"
    exporter.serve(address)
    kind, body = get(address)
    assert kind == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(body)}
    assert {f"gatepost_{name}" for name in FAMILIES} <= set(families)
    (accepted,) = families["gatepost_messages_accepted"].samples
    assert accepted.value == 3
    (tls,) = families["gatepost_tls"].samples
    assert (tls.labels["protocol"], tls.labels["group"], tls.value) == ("TLSv1.3", "X25519MLKEM768", 4)
    seconds = {sample.name for sample in families["gatepost_commit_seconds"].samples}
    assert {"gatepost_commit_seconds_bucket", "gatepost_commit_seconds_sum"} <= seconds


def test_nothing_else_is_there(exporter: Exporter) -> None:
    address = f"127.0.0.1:{free_port()}"
    exporter.serve(address)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        get(address, "/")
    assert refusal.value.code == 404
    refusal.value.close()


def test_ipv6(exporter: Exporter) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    address = f"[::1]:{free_port()}"
    exporter.serve(address)
    assert "gatepost_messages_accepted_total 3.0" in get(address)[1]


def test_it_moves_and_ends(exporter: Exporter) -> None:
    first, second = free_port(), free_port()
    exporter.serve(f"127.0.0.1:{first}")
    exporter.serve(f"127.0.0.1:{second}")
    assert (listening(first), listening(second)) == (False, True)
    exporter.serve("")
    assert not listening(second)


@pytest.mark.parametrize("address", ["127.0.0.1:{used}", "127.0.0.1:many", "127.0.0.1:70000", "256.0.0.1:9100"])
def test_an_address_that_cannot_be_had_is_a_sentence(exporter: Exporter, address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(GatepostError):
            exporter.serve(address.format(used=taken.getsockname()[1]))
        exporter.serve("")


def test_a_reader_that_says_nothing_holds_nobody_up(exporter: Exporter) -> None:
    port = free_port()
    exporter.serve(f"127.0.0.1:{port}")
    with socket.create_connection(("127.0.0.1", port)):
        assert "gatepost_" in get(f"127.0.0.1:{port}")[1]
        exporter.close()
