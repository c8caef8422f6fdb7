"""Who may open a console over SSH: the users of Gatepost, by password or public key; everybody else costs us little.

Each login and each refusal is one line of the audit log. A password that was given by somebody else has to be changed first.
Neither forwarding nor files, terminals of others or agents: a session is a console or nothing.
"""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from collections.abc import Callable

import asyncssh

from gatepost.admin.console.ssh_session import Session
from gatepost.admin.console.talk import Ended
from gatepost.admin.operations.operator import Operator
from gatepost.admin.users import Role, User, Users
from gatepost.admin.web.audit import Audit
from gatepost.admin.web.sessions import Throttle
from gatepost.errors import GatepostError

MAX_WAITING = 20
"""Connections at once on which nobody has signed in."""
MAX_SESSIONS = 50
MAX_PASSWORDS = 5
"""Passwords that may be tried over one connection, and new ones offered."""
VERIFYING = 2
"""Passwords verified at once: each takes 64 MB."""


class Door:
    """What all connections share."""

    def __init__(self, operator: Operator) -> None:
        self.operator = operator
        self.users = Users(operator.users_db)
        self.audit = Audit(operator.state)
        self.throttle = Throttle()
        self.verifying = asyncio.Semaphore(VERIFYING)
        self.waiting: list[Login] = []
        """Connections on which nobody has signed in, the oldest first."""
        self.sessions = 0
        self.changed = asyncio.Event()
        """Set whenever a session has ended."""

    async def verify(self, name: str, password: str) -> bool:
        """Verify a password in a thread."""
        async with self.verifying:
            return await asyncio.to_thread(self.users.verify, name, password)

    def admit(self, login: Login) -> None:
        """Let a connection wait for a login; when too many do, the address with the most of them gives up its oldest."""
        if len(self.waiting) >= MAX_WAITING:
            most = Counter(one.address for one in self.waiting).most_common(1)[0][0]
            next(one for one in self.waiting if one.address == most).give_way()
        self.waiting.append(login)


class Login(asyncssh.SSHServer):
    """One connection, from its first octet on."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.address = "?"
        self._name = ""
        self._user: User | None = None
        self._how = ""
        self._tried = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Take a connection."""
        self._connection = conn
        self.address = str(conn.get_extra_info("peername")[0])
        self._door.admit(self)

    def give_way(self) -> None:
        """Make room for another connection."""
        self._door.waiting.remove(self)
        self._tell("SSH connection ended: too many wait for a login")
        self._connection.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note a connection over which nobody got in."""
        if self in self._door.waiting:
            self._door.waiting.remove(self)
            if not self._tried:
                self._tell("SSH login failed: no key was accepted" if self._name else "SSH connection without a login")

    def begin_auth(self, username: str) -> bool:
        """Nobody gets in without proof; names are not told apart before it."""
        self._name = username
        return True

    def password_auth_supported(self) -> bool:
        """Take passwords, but few."""
        return self._tried < MAX_PASSWORDS

    async def validate_password(self, username: str, password: str) -> bool:
        """Verify a password; somebody who has to change it is asked for another one."""
        if not await self._verify(username, password):
            return False
        user = self._door.users.find(username)
        if user is not None and user.must_change:
            raise asyncssh.PasswordChangeRequired("This password was given to you: choose one of your own.")
        self._how = "a password"
        return user is not None

    async def change_password(self, username: str, old_password: str, new_password: str) -> bool:
        """Replace a password that has to be changed."""
        if not await self._verify(username, old_password):
            return False
        try:
            if new_password == old_password:
                raise GatepostError("that is the password that was given to you")
            await asyncio.to_thread(self._door.users.set_password, username, new_password)
        except GatepostError as fault:
            raise asyncssh.PasswordChangeRequired(f"Not taken: {fault}.") from None
        self._tell("password changed")
        self._how = "a new password"
        return True

    async def _verify(self, username: str, password: str) -> bool:
        """Verify a password, unless too many were wrong; to ask for another one is one more way to try."""
        self._tried += 1
        throttle, keys = self._door.throttle, (f"account {username}", f"address {self.address}")
        wait = throttle.wait(*keys)
        if wait:
            self._tell(f"SSH login refused: too many failed logins, again in {wait:.0f} seconds")
            return False
        throttle.attempt(*keys)
        if not await self._door.verify(username, password):
            self._tell("SSH login failed: wrong password or unknown user")
            return False
        throttle.succeeded(*keys)
        return True

    def public_key_auth_supported(self) -> bool:
        """Take keys."""
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Say whether a key is one of the user's; the proof that the client has it follows."""
        data = base64.b64encode(key.public_data).decode()
        for one in self._door.users.keys(username):
            if one.data == data:
                self._how = f"key {one.fingerprint}"
                return True
        return False

    def auth_completed(self) -> None:
        """Let somebody in."""
        if self in self._door.waiting:
            self._door.waiting.remove(self)
        self._user = self._door.users.find(self._name)
        self._tell(f"signed in over SSH with {self._how}")

    def session_requested(self) -> Session | bool:
        """Open a console."""
        if self._user is None or self._door.sessions >= MAX_SESSIONS:
            return False
        self._door.sessions += 1
        operator = Operator(self._door.operator.state, self._user.name)
        return Session(operator, self.address, self._role_of(self._user.name), self._session_closed)

    def _session_closed(self) -> None:
        self._door.sessions -= 1
        self._door.changed.set()
        self._tell("left the console over SSH")

    def _role_of(self, name: str) -> Callable[[], Role]:
        def role() -> Role:
            user = self._door.users.find(name)
            if user is None:
                raise Ended
            return user.role

        return role

    def _tell(self, what: str) -> None:
        self._door.audit.tell(self._name or "somebody", self.address, what)
