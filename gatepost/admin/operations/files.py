"""The files that consoles read and write by name: documents and tables, in one directory of the state directory.

A name is no path: whoever reaches the console from elsewhere can reach no file but these. Only their owner reads them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from gatepost.admin.operations.documents import MAX_FILE, read_file
from gatepost.admin.operations.operator import Operator
from gatepost.durable import replace_file
from gatepost.errors import GatepostError

DIRECTORY = "configuration"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}")


def directory(operator: Operator) -> Path:
    """Return where the files are."""
    return operator.state / DIRECTORY


def listing(operator: Operator) -> list[str]:
    """Return the names of the files there are."""
    try:
        return sorted(one.name for one in directory(operator).iterdir() if one.is_file())
    except FileNotFoundError:
        return []


def read_octets(operator: Operator, name: str, limit: int = MAX_FILE) -> bytes:
    """Return what a file holds; GatepostError where there is none."""
    return read_file(str(_path(operator, name)), limit)


def read(operator: Operator, name: str) -> str:
    """Return the text of a file; GatepostError where there is none."""
    try:
        return read_octets(operator, name).decode()
    except UnicodeDecodeError:
        raise GatepostError(f"{name} is not UTF-8 text") from None


def write(operator: Operator, name: str, content: str | bytes) -> Path:
    """Write a file, whole or not at all, in the place of one of that name; returns where it is."""
    path = _path(operator, name)
    operator.prepare()
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _own(path.parent)
        replace_file(path, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise GatepostError(f"{path} cannot be written: {error.strerror}") from None
    return path


def checked(name: str) -> str:
    """Return a name that a file here may have; GatepostError for any other."""
    if not _NAME.fullmatch(name):
        raise GatepostError(
            f"{name!r} is not the name of a file: letters, digits and . _ @ + - are allowed, and no directory"
        )
    return name


def _path(operator: Operator, name: str) -> Path:
    return directory(operator) / checked(name)


def _own(path: Path) -> None:
    if os.geteuid() == 0:  # root acts for the service's user, who must be able to read it
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
