"""The tables of a configuration, compiled for one question, with faults told as an administrator can mend them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gatepost.config.model import Config, Listener
from gatepost.config.paths import did_you_mean
from gatepost.errors import GatepostError
from gatepost.smtp.path import NULL, Path, parse_path
from gatepost.smtp.reply import Reply


@contextmanager
def readable() -> Iterator[None]:
    """Turn what a table says of an unreadable entry into a fault of the configuration."""
    try:
        yield
    except ValueError as error:
        raise GatepostError(
            f"the configuration cannot be used: {error}; the check of the draft before a commit names the place"
        ) from None


def listener_of(config: Config, name: str) -> tuple[str, Listener]:
    """Return the listener of that name, or the first public one when no name is given."""
    if not config.listeners:
        raise GatepostError("there is no listener in this configuration; add one, or import a configuration")
    if name:
        if name not in config.listeners:
            raise GatepostError(f"there is no listener {name!r}: {did_you_mean(name, config.listeners)}")
        return name, config.listeners[name]
    public = [item for item in config.listeners.items() if item[1].type == "public"]
    return (public or list(config.listeners.items()))[0]


def read_path(text: str, what: str) -> Path:
    """Read an envelope address with or without its angle brackets; `<>` and an empty text are the null path."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    if not bare:
        return NULL
    path = parse_path(f"<{bare}>", smtputf8=True)
    if isinstance(path, Reply):
        raise GatepostError(f"{text!r} is not an address of a {what}: {path}")
    return path
