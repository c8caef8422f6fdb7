"""GET /metrics for Prometheus, on the address that the configuration names; off when it names none."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def start(address: str, text: Callable[[], bytes]) -> ThreadingHTTPServer | None:
    """Serve `text()` under /metrics in a thread of its own. An address that cannot be bound is told, and mail goes on."""
    if not address:
        return None

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path != "/metrics":
                self.send_error(404)
                return
            body = text()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    host, _, port = address.rpartition(":")
    try:
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
    except (OSError, ValueError) as fault:
        print(f"gatepost: metrics cannot be served on {address}: {fault}", file=sys.stderr)
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
