"""GET /metrics for Prometheus, on the address that the configuration names; off when it names none.

Runs in threads of its own, so that a slow reader of metrics costs no mail.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gatepost.errors import GatepostError
from gatepost.records.exposition import CONTENT_TYPE

POLL = 0.1
"""Seconds until `close` is heard."""


class Exporter:
    """Serves `text()` under /metrics."""

    def __init__(self, text: Callable[[], bytes]) -> None:
        self._text = text
        self._server: ThreadingHTTPServer | None = None
        self.address = ""

    def serve(self, address: str) -> None:
        """Serve on `address` from now on, and no longer where it was; GatepostError when it cannot be bound."""
        self.close()
        self.address = address
        if not address:
            return
        host, _, port = address.rpartition(":")
        try:
            self._server = _server(host.strip("[]"), int(port), self._text)
        except (OSError, ValueError, OverflowError) as fault:
            raise GatepostError(str(fault)) from None
        threading.Thread(target=self._server.serve_forever, args=(POLL,), name="metrics", daemon=True).start()

    def close(self) -> None:
        """Serve no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


def _server(host: str, port: int, text: Callable[[], bytes]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            body = text()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        block_on_close = False  # a reader that stands still must not hold up our end

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing: it went away."""

    return Server((host, port), Handler)
