"""schemathesis asks every operation what its description allows, and what it does not: no 5xx, and nothing undescribed.

A stand-in answers for the gateway, so that no operation ends at 503; records and a configuration are there. Left out: the
stream of events, which does not end, and the measurement of costs, which takes a core for fifteen seconds; they have tests
of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import APIOperation, Case, GenerationMode, checks

from gatepost.admin.api import routes
from gatepost.records.store import RecordStore
from tests.admin.api.conftest import DOCUMENT
from tests.admin.fake_service import fake_service
from tests.support.api import PREFIX, Api, api
from tests.support.records import a_connection, a_message, an_outcome

LEFT_OUT = {("GET", "/events"), ("POST", "/tls/costs")}
EXAMPLES = 3
"""Of each kind for each operation."""
TAGS = sorted({module.TAGS[0] for module in routes.MODULES} - {"Events"})
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
)
KNOWN: dict[str, Any] = {
    "name": "mx",
    "listener": "InboundMail",
    "path": "listeners.InboundMail.policies.PARTNER_TLS",
    "mid": 7,
    "number": 1,
    "icid": 1,
    "dcid": 100,
    "host": "198.51.100.7",
    "address": "198.51.100.7",
    "domain": "partner.example",
    "destination": "example.com",
    "recipients": ["bob@example.com"],
    "spec": "ECDHE+AESGCM",
    "certificates": ["mx"],
    "members": ["192.0.2.0/24"],
    "group": "PARTNER",
    "offer": "postfix",
    "passphrase": "",
    "kind": "EC",
}
"""What there is: put into every other case that is allowed, for what is made up mostly names nothing."""
WAITING = {
    "mid": 7,
    "received": 1000.0,
    "reverse_path": "ann@partner.example",
    "size": 900,
    "recipients": [{"rid": 0, "address": "bob@example.com", "status": "deferred", "attempts": 2, "detail": "450 later"}],
}
ANSWERS: dict[str, Any] = {
    "status": {
        "version": "1",
        "revision": 1,
        "pid": 1,
        "started": 1.0,
        "workers": [{"index": 0, "pid": 2, "last": {"mid": 7}}],
        "listeners": [{"name": "InboundMail", "address": "127.0.0.1", "port": 2525}],
        "queue": {"messages": 1, "recipients": 1},
        "totals": {"messages_received": [1, 2, 3]},
    },
    "hosts": {"example.com": {"delivered": 3, "hard_bounced": {"5xx": 1}, "last_error": {"time": 1.0, "text": "550"}}},
    "connections": [["192.0.2.1", "mx.partner.example", "InboundMail", 2]],
    "queue_list": {"destinations": [{"destination": "example.com", "recipients": 1}], "messages": [WAITING]},
    "queue_count": {"recipients": 1},
    "queue_show": lambda told: WAITING if told["mid"] == 7 else None,
    "queue_content": lambda told: {"size": 3, "octets": b"a\r\n"} if told["mid"] == 7 else None,
    **{verb: {"recipients": 1} for verb in ("deliver_now", "bounce", "delete", "redirect")},
    **dict.fromkeys(("suspend_listener", "resume_listener", "suspend_delivery", "resume_delivery", "reset_counters")),
    "commit": {"revision": 2, "time": 1.0},
    "commit_progress": {"doing": "", "done": 0, "of": 0},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    document = DOCUMENT.replace("[gateway]\n", '[gateway]\ndns_servers = ["127.0.0.1:1"]\n')  # nobody answers there
    with api(tmp_path_factory.mktemp("described"), document) as one, fake_service(one.state, **ANSWERS):
        store = RecordStore(one.state / "records.db")
        store.append([a_connection(1), a_connection(100, direction="out"), a_message(1), an_outcome(1)])
        store.close()
        (one.state / "spool").mkdir()
        yield one


@pytest.fixture(scope="module")
def described(served: Api) -> list[APIOperation[Any, Any, Any, Any]]:
    """The operations as they are described."""
    schema = schemathesis.openapi.from_dict(served("GET", "/openapi.json").json())
    return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("tag", TAGS)
def test_every_operation_keeps_to_its_description(
    served: Api, described: list[APIOperation[Any, Any, Any, Any]], tag: str, mode: GenerationMode
) -> None:
    asked = 0
    for operation in described:
        if tag not in operation.tags or (operation.method.upper(), operation.path) in LEFT_OUT:
            continue
        strategy = operation.as_strategy(generation_mode=mode)
        asked += _hold(served, strategy, allowed=mode is GenerationMode.POSITIVE)
    assert asked


def _know(case: Case) -> None:
    """Let a case name what there is, for the draft as it is."""
    case.headers["If-Match"] = "*"
    body = case.body if isinstance(case.body, dict) else {}
    for values in (case.path_parameters, case.query, body):
        values.update({name: KNOWN[name] for name in values if name in KNOWN})


def _hold(served: Api, strategy: Any, *, allowed: bool) -> int:
    """Ask some cases of one operation; return how many were asked."""
    checks.load_all_checks()
    wanted, asked = checks.CHECKS.get_by_names(CHECKS), 0

    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(strategy)
    def hold(case: Case) -> None:
        nonlocal asked
        asked += 1
        if allowed and asked % 2:
            _know(case)
        case.validate_response(_answer(served, case), checks=wanted)

    hold()
    return asked


def _answer(served: Api, case: Case) -> Any:
    sent = case.as_transport_kwargs(base_url=f"https://testserver.local{PREFIX}")
    headers = {name: value for name, value in sent["headers"].items() if name.lower() != "authorization"}
    headers |= {"Authorization": f"Bearer {served.secrets['administrator']}", "Prefer": "wait=1"}
    return served.http.request(
        sent["method"],
        sent["url"],
        params=sent.get("params"),
        headers=headers,
        content=sent.get("data") if "json" not in sent else None,
        json=sent.get("json"),
    )
