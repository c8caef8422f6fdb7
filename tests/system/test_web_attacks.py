"""Attacks on the web console as it is served: each is refused, or harmless, and the console goes on answering.

What needs no network is in tests/admin/web/test_guards.py and test_sessions.py.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Iterator

import httpx
import pytest

from gatepost.admin.operations import configuration, drafts
from gatepost.admin.web.desk import COOKIE
from gatepost.admin.web.door import PLACES
from gatepost.admin.web.headers import HEADERS
from gatepost.admin.web.sessions import ATTEMPTS
from tests.support.client import Client, insecure
from tests.support.documents import certificate, relay
from tests.support.judge import Sink
from tests.support.pages import EVALUATED, FORGED, Form, Parsed, crawl, route_of
from tests.support.web import NAMES, PASSWORD, Served, served

GOOD = "127.0.0.9"
"""Where those come from who know their password; others fail from elsewhere."""
ROOM = """
[address_lists.must_encrypt]
addresses = ["@bank.example"]
[listeners.InboundMail.policies.PARTNER_TLS]
max_messages_per_connection = 7
[[listeners.InboundMail.sender_groups]]
name = "PARTNERS"
senders = ["127.0.0.2"]
policy = "PARTNER_TLS"
comment = {comment}
[destinations."partner.example"]
tls = "required"
[bounce_profiles.Slow]
initial_wait = 600
"""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, mail_port: int) -> Iterator[Served]:
    with Sink() as sink:
        comment = "'''" + FORGED + "'''"
        document = relay(mail_port, sink.port, more='certificates = ["mx"]', policy='tls = "preferred"')
        document += ROOM.format(comment=comment) + certificate("mx", "mx1.example.com")
        with served(tmp_path_factory.mktemp("attacks"), document) as one:
            yield one
            assert "bug at" not in one.gateway.output.read_text()


@contextlib.contextmanager
def signed_in(console: Served, name: str = NAMES["administrator"]) -> Iterator[tuple[httpx.Client, str]]:
    """Somebody's client, and the token of their session."""
    with console.http(GOOD) as http:
        answer = http.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        found = re.search('name="csrf" value="([^"]+)"', http.get("/policies").text)
        assert found is not None
        yield http, found[1]


def tls_socket(console: Served, **options: object) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", console.port), 10)
    try:
        return insecure(**options).wrap_socket(plain)
    except BaseException:
        plain.close()
        raise


def exchange(console: Served, octets: bytes) -> bytes:
    """Send octets, return all that comes until the console hangs up."""
    with tls_socket(console) as one:
        one.sendall(octets)
        came = b""
        with contextlib.suppress(ConnectionError):
            while piece := one.recv(65536):
                came += piece
        return came


def is_hung_up(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def answers(console: Served) -> bool:
    with console.http() as http:
        return http.get("/login").status_code == 200


# --- sessions, cookies, logins ---------------------------------------------------------------------------------------


def test_the_cookie_is_for_https_and_this_host_and_no_script(console: Served) -> None:
    with console.http() as http:
        http.cookies.set(COOKIE, "chosen-by-somebody-else", domain="127.0.0.1")
        answer = http.post("/login", data={"name": NAMES["operator"], "password": PASSWORD})
        [cookie] = answer.headers.get_list("Set-Cookie")
        value, *flags = (part.strip() for part in cookie.split(";"))
        assert value.startswith(f"{COOKIE}=")
        assert len(value) > 40
        assert "chosen-by-somebody-else" not in value
        assert {flag.lower() for flag in flags} == {"httponly", "secure", "samesite=strict", "path=/"}


def test_a_cookie_is_worth_nothing_after_signing_out(console: Served) -> None:
    with signed_in(console) as (http, csrf):
        cookie = http.cookies[COOKIE]
        assert http.post("/logout", data={"csrf": csrf}).status_code == 303
    with console.http() as http:
        answer = http.get("/policies", headers={"Cookie": f"{COOKIE}={cookie}"})
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login")


def test_the_token_of_somebody_else_is_refused(console: Served) -> None:
    before = configuration.tag(console.operator)
    with signed_in(console) as (mine, _), signed_in(console, NAMES["operator"]) as (_, theirs):
        answer = mine.post("/policies/InboundMail/new", data={"csrf": theirs, "name": "FORGED", "behavior": "accept"})
        assert answer.status_code == 403
    assert configuration.tag(console.operator) == before


def test_guessing_is_slowed_down_by_account_and_by_address(console: Served) -> None:
    with console.http("127.0.0.77") as guesser:
        form = {"name": NAMES["read-only"], "password": "a wrong guess"}
        codes = [guesser.post("/login", data=form).status_code for _ in range(ATTEMPTS + 1)]
        assert codes == [401] * ATTEMPTS + [429]
        other = guesser.post("/login", data={"name": NAMES["operator"], "password": PASSWORD})
        assert other.status_code == 429  # this address
        assert "too many failed logins: try again in 15 minutes" in other.text
    with console.http(GOOD) as http:
        victim = http.post("/login", data={"name": NAMES["read-only"], "password": PASSWORD})
        assert victim.status_code == 429  # this account, from wherever
    with signed_in(console):  # and nobody else
        pass
    assert f"{NAMES['read-only']} from 127.0.0.77: login refused: too many failures" in console.audit()
    assert "a wrong guess" not in console.audit()


def test_a_name_forges_no_line_of_the_audit_log(console: Served) -> None:
    forged = "x\nTue Nov 24 00:00:00 2026 Info: alice from 127.0.0.1: signed in\u202e\x1b[2J"
    with console.http("127.0.0.78") as http:
        assert http.post("/login", data={"name": forged, "password": "p"}).status_code == 401
    assert "00:00:00 2026 Info: alice" in console.audit()
    assert not any(line.startswith("Tue Nov 24 00:00:00 2026") for line in console.audit().splitlines())
    assert "\x1b" not in console.audit()
    assert "\u202e" not in console.audit()


# --- text that is shown ----------------------------------------------------------------------------------------------


def test_no_text_becomes_part_of_a_page(console: Served, mail_port: int) -> None:
    """Put into every field of every form, said in SMTP, and looked for on every page."""
    with Client(mail_port) as client:
        client.say(f"EHLO {FORGED}".replace("\r", "").replace("\n", ""))
        client.say(f"MAIL FROM:<{FORGED.replace(' ', '')}@x.example>")
    with Client(mail_port) as client:
        client.say("EHLO [127.0.0.1]")
        client.say('MAIL FROM:<"<img/data-forged/src=x>"@x.example>')
        client.say("RCPT TO:<box@example.com>")
        client.say("DATA")
        assert client.say(f"Subject: {FORGED}\r\nFrom: {FORGED}\r\nMessage-ID: <{FORGED}>\r\n\r\n{FORGED}\r\n.")[:3] == "250"
    with console.http() as http:
        look(http.post("/login", data={"name": FORGED, "password": FORGED}))
        look(http.get(f"/{FORGED}"))
    with signed_in(console) as (http, csrf):
        forms: dict[str, tuple[str, Form]] = {}
        for route, path, page in crawl(http.get):
            look(page)
            if page.headers["Content-Type"].startswith("text/html"):
                for form in Parsed(page.text).forms:
                    if form.texts:
                        forms.setdefault(f"{route} {form.method} {route_of(form.action) or form.action}", (path, form))
        assert len(forms) > 3
        for path, form in forms.values():
            if form.action == "/password":
                continue
            there = form.action or path
            sent = {name: FORGED if name in form.texts else value for name, value in form.fields.items()}
            answer = http.get(there, params=sent) if form.method == "get" else http.post(there, data={**sent, "csrf": csrf})
            look(answer)
        # what was stored meanwhile, under names and in comments, is shown somewhere
        drafts.current(console.operator)
        shown = 0
        for _, _, page in crawl(http.get):
            look(page)
            shown += "data-forged src=x" in page.text
        assert shown > 1
        tag = re.search('name="tag" value="([^"]+)"', http.get("/commit").text)
        if tag is not None:
            look(http.post("/commit", data={"csrf": csrf, "tag": tag[1], "comment": FORGED}))
            look(http.get("/commit"))
    configuration.clear(console.operator)


def look(answer: httpx.Response) -> None:
    """Hold an answer to being free of what was put into it as markup."""
    where = f"{answer.request.method} {answer.request.url} answers {answer.status_code}"
    assert answer.status_code < 500, f"{where}\n{answer.text}"
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        page = Parsed(answer.text)
        assert page.faults == [], where
        assert EVALUATED not in answer.text, f"{where}: a template was made of it"
    else:
        assert answer.is_redirect or answer.headers["X-Content-Type-Options"] == "nosniff", where


# --- files and paths -------------------------------------------------------------------------------------------------

PATHS = (
    "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/..%5capp.py", "/static//etc/passwd",
    "/static/%2fetc%2fpasswd", "/static/....//app.py", "/static/..;/app.py", "/static/%252e%252e/app.py", "/static/",
    "/static/style.css/../../app.py", "/static/\\..\\app.py", "/templates/base.html", "/../config.db",
    "/static/%c0%ae%c0%ae/app.py",
    "/hat/..%2f..%2fetc%2fpasswd/export", "/hat/../../etc/passwd/import", "/policies/..%2f..%2f..%2fusers.db/new",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out(console: Served, path: str) -> None:
    with signed_in(console) as (http, _):
        cookie = http.cookies[COOKIE]
    came = exchange(
        console,
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{console.port}\r\nCookie: {COOKIE}={cookie}\r\n"
        "Connection: close\r\n\r\n".encode(),
    )
    assert re.match(rb"HTTP/1\.1 40[034] ", came), came[:200]
    for secret in (b"Litestar", b"root:", b"SQLite format", b"{% block"):
        assert secret not in came


# --- TLS and HTTP ----------------------------------------------------------------------------------------------------


def test_tls_1_1_is_refused(console: Served) -> None:
    old = ssl.TLSVersion.TLSv1_1
    for version, taken in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True), (old, False)):
        context = insecure()
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1") if version is old else contextlib.nullcontext():
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", console.port), 10) as plain:
            if taken:
                with context.wrap_socket(plain) as one:
                    assert one.version() == version.name.replace("_", ".")
            else:
                with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
                    context.wrap_socket(plain)


def test_http_without_tls_gets_no_answer(console: Served) -> None:
    with socket.create_connection(("127.0.0.1", console.port), 10) as plain:
        plain.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        came = b""
        with contextlib.suppress(ConnectionError):
            while piece := plain.recv(4096):
                came += piece
    assert b"HTTP" not in came
    assert b"html" not in came


START = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n"
NEXT = b"GET /static/style.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
DOUBTFUL = {
    "length and chunked": START + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunked and length": START + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + NEXT,
    "two lengths": START + b"Content-Length: 6\r\nContent-Length: 5\r\n\r\nabcdef" + NEXT,
    "list of lengths": START + b"Content-Length: 6, 5\r\n\r\nabcdef" + NEXT,
    "signed length": START + b"Content-Length: +6\r\n\r\nabcdef" + NEXT,
    "negative length": START + b"Content-Length: -6\r\n\r\n" + NEXT,
    "unknown coding": START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT,
    "two codings": START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + NEXT,
    "space before the colon": START + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "control in a value": START + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunked in HTTP/1.0": START.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "bare CR": b"GET /login HTTP/1.1\r\nX: a\rHost: 127.0.0.1\r\n\r\n",
    "NUL": b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
    "NUL in the path": b"GET /static/%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no host": b"GET /login HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    "chunk of hexadecimal 0x": START + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n" + NEXT,
    "LF behind a chunk's size": START + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n" + NEXT,
    "chunk longer than it says": START + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" + NEXT,
    "long header": b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no HTTP": b"\x16\x03\x01 nonsense\r\n\r\n",
}


@pytest.mark.parametrize("shape", DOUBTFUL)
def test_what_two_servers_could_read_in_two_ways_is_refused(console: Served, shape: str) -> None:
    came = exchange(console, DOUBTFUL[shape])
    assert came.startswith(b"HTTP/1.1 400 "), came[:300]
    assert came.count(b"HTTP/1.1 ") == 1  # nothing behind it is taken for a request
    for name, value in HEADERS.items():
        assert f"\r\n{name}: {value}\r\n".encode() in came


def test_what_is_too_large_is_refused(console: Served) -> None:
    with console.http() as http:
        assert http.post("/login", data={"name": "a", "password": "b" * 20_000}).status_code == 413
    with signed_in(console) as (http, csrf):
        head = {"Content-Type": "application/x-www-form-urlencoded", "X-CSRF-Token": csrf}

        def endless() -> Iterator[bytes]:
            yield b"comment="
            with contextlib.suppress(GeneratorExit):
                for _ in range(17 << 4):
                    yield b"a" * (1 << 16)

        for content in (b"comment=" + b"a" * (17 << 20), endless()):
            try:
                answer = http.post("/commit", content=content, headers=head)
            except (httpx.WriteError, httpx.ReadError):
                continue  # it hung up while we were still sending
            assert answer.status_code == 413
            assert "Content-Security-Policy" in answer.headers
    assert answers(console)


def test_those_who_are_slow_hold_nobody_up(console: Served) -> None:
    """More connections than there are places: silent, in the middle of a handshake, of a header and of a body."""
    with contextlib.ExitStack() as stack:
        silent = []
        for number in range(PLACES + 50):
            plain = socket.create_connection(("127.0.0.1", console.port), 10)
            stack.callback(plain.close)
            silent.append(plain)
            if number % 2:
                plain.send(b"\x16\x03\x01\x02\x00\x01\x00")
        began = time.monotonic()
        assert answers(console)
        assert is_hung_up(silent[0])  # whoever has waited longest gives the place
        assert not is_hung_up(silent[-1])
        pieces = (b"", b"GET /log", b"GET /login HTTP/1.1\r\nX: a\r\n", START + b"Content-Length: 100\r\n\r\nname=a")
        for number in range(PLACES + 50):
            one = tls_socket(console)
            stack.callback(one.close)
            with contextlib.suppress(OSError):
                one.sendall(pieces[number % len(pieces)])
        with signed_in(console) as (http, _):
            assert http.get("/policies").status_code == 200
        assert time.monotonic() - began < 60
