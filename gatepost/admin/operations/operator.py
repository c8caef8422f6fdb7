"""Who acts, on which gateway: the ground that every verb stands on.

Knows the files of a state directory and the way to the running service. Never creates anything unless a verb that writes
asks for it.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

from gatepost.errors import StateError
from gatepost.service.control import call

DEFAULT_STATE = Path("/var/lib/gatepost")


class Operator:
    """A state directory and the name under which changes to it are made."""

    def __init__(self, state: Path, author: str = "", tag: str = "") -> None:
        """`tag`: of the draft that the changes are meant for, where it was shown to somebody before; empty: as it is now."""
        self.state = state.absolute()
        self.author = author or login_name()
        self.tag = tag

    @property
    def config_db(self) -> Path:
        """File of the configuration's draft and revisions."""
        return self.state / "config.db"

    @property
    def users_db(self) -> Path:
        """File of the administrators."""
        return self.state / "users.db"

    @property
    def control_socket(self) -> Path:
        """Where the running service listens."""
        return self.state / "control.sock"

    def require(self) -> None:
        """Refuse when there is no state directory, or none that this user may read; for verbs that only read."""
        self._check_access()
        if not self.state.is_dir():
            raise StateError(
                f"there is no state directory {self.state}: name another with --state, "
                "or make one with `gatepost config import FILE` or `gatepost serve`"
            )

    def _check_access(self) -> None:
        try:
            may = not self.state.is_dir() or os.access(self.state, os.R_OK | os.X_OK, effective_ids=True)
        except PermissionError:  # of a directory above it
            may = False
        if not may:
            raise StateError(f"{self.state} may not be read by this user; use the gateway's user or root")

    def prepare(self) -> None:
        """Make the state directory, for its owner alone, when it is not there yet; for verbs that write."""
        self._check_access()
        try:
            self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"{self.state} cannot be made a state directory: {error.strerror}") from None

    def ask(self, verb: str, timeout: float = 60.0, **arguments: Any) -> Any:
        """Ask the running service; ControlError in words when there is none or it refuses."""
        self.require()
        return call(self.control_socket, verb, timeout, **arguments)

    @property
    def is_served(self) -> bool:
        """Whether a gateway runs on this state directory."""
        return self.control_socket.exists() and _answers(self.control_socket)


def _answers(path: Path) -> bool:
    import socket

    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        try:
            sock.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True  # it may be there and not ours: asking it says why
    return True


def login_name() -> str:
    """Return the name of the person at the keyboard, also behind sudo."""
    sudo = os.environ.get("SUDO_USER", "")
    if sudo and os.getuid() == 0:
        return sudo
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
