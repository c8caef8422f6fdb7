"""What a request says of addresses: its own path and host, and the page it came from. Takes whatever a client writes.

`request.url` and `urllib` raise for a Host, Origin or Referer that is no address; a stranger's nonsense is no bug of ours.
"""

from __future__ import annotations

from typing import Any

from litestar import Request


def path_of(request: Request[Any, Any, Any]) -> str:
    """Return the path that was asked for, without the query."""
    return str(request.scope["path"])


def host_of(request: Request[Any, Any, Any]) -> str:
    """Return the host and port that the client used, as it wrote them."""
    return str(request.headers.get("Host", ""))


def parted(address: str) -> tuple[str, str]:
    """Return the host and the path of an address such as Origin and Referer bring; empty where it has none."""
    host, slash, path = address.partition("://")[2].partition("/")
    return host, (slash + path).partition("?")[0].partition("#")[0]
