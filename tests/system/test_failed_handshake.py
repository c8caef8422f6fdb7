"""A handshake that fails leaves a record that names what the peer offered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import relay
from tests.support.gateway import Gateway, gateway
from tests.support.process import free_port, run, wait_for


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, int]]:
    port = free_port()
    directory: Path = tmp_path_factory.mktemp("handshake")
    with gateway(directory, start=False) as one:
        one.cli("cert", "self-signed", "mx", "--hostname", "mx1.example.com")
        one.configure(relay(port, 9, more='certificates = ["mx"]', policy='tls = "preferred"'))
        one.start()
        yield one, port


def s_client(port: int, *options: str) -> str:
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-starttls", "smtp", *options, input="")
    return done.stdout + done.stderr


def latest_failure(one: Gateway, count: int) -> dict[str, Any]:
    rows = wait_for(lambda: [row for row in one.json("track", "tls", "--failed")][count - 1 :], "the failure's record")
    return max(rows, key=lambda row: row["connection"])  # type: ignore[no-any-return]


def test_an_old_version_is_named_on_both_sides(served: tuple[Gateway, int]) -> None:
    one, port = served
    assert "alert protocol version" in s_client(port, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    line = one.wait_log("TLS failed: peer offers only TLSv1.1")
    assert "profile inbound allows TLSv1.2, TLSv1.3" in line
    record = latest_failure(one, 1)
    assert record["offer"]["versions"] == ["TLSv1.1"]
    assert "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" in record["offer"]["suites"]
    assert record["allowance"]["versions"] == ["TLSv1.3", "TLSv1.2"], "in the order that we would choose in"


def test_a_suite_we_do_not_have_is_named_on_both_sides(served: tuple[Gateway, int]) -> None:
    one, port = served
    assert "handshake failure" in s_client(port, "-tls1_2", "-cipher", "AES128-SHA")
    line = one.wait_log("TLS failed: no suite in common")
    assert "TLS_RSA_WITH_AES_128_CBC_SHA" in line
    record = latest_failure(one, 2)
    assert "TLS_RSA_WITH_AES_128_CBC_SHA" in record["offer"]["suites"]


def test_a_good_handshake_has_its_record_too(served: tuple[Gateway, int]) -> None:
    one, port = served
    assert "Verify return code" in s_client(port, "-tls1_3", "-groups", "X25519")
    wait_for(lambda: [row for row in one.json("track", "tls") if row.get("outcome")], "the record")
    row = next(row for row in one.json("track", "tls") if row.get("outcome"))
    assert row["outcome"]["group"] == "X25519"
    assert row["requirement"] == "preferred"
