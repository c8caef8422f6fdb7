"""A throw-away Postfix instance on loopback: the real server behind the gateway, or the real client in front of it.

Postfix must be started by root; without root it is run through `sudo -n`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.process import free_port, listening, wait_for

MAIN = """\
compatibility_level = 3.7
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
myhostname = {hostname}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = {domains}
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_loglevel = 1
smtp_tls_loglevel = 1
"""
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running instance; made by `postfix`."""

    def __init__(self, root: Path, port: int) -> None:
        self.root, self.port = root, port

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `postfix -c …` as root."""
        return as_root("postfix", "-c", str(self.root / "etc"), *arguments)

    def set(self, **settings: str) -> None:
        """Change main.cf and have it read."""
        pairs = [f"{name}={value}" for name, value in settings.items()]
        as_root("postconf", "-c", str(self.root / "etc"), "-e", *pairs)
        self.command("reload")

    def log(self) -> str:
        """Return its log so far."""
        return as_root("cat", str(self.root / "maillog")).stdout

    def messages(self) -> list[bytes]:
        """Return the messages in its mailbox, oldest first."""
        listing = as_root("find", str(self.root / "mail" / "inbox" / "new"), "-type", "f").stdout.split()
        return [_read(name) for name in sorted(listing)]


@contextlib.contextmanager
def postfix(
    *,
    hostname: str = "inside.example.com",
    domains: str = "example.com",
    settings: Mapping[str, str] = {},
    services: Sequence[str] = (),
) -> Iterator[Postfix]:
    """Run an instance in a directory of its own, which Postfix's users can enter. `services`: further lines of master.cf."""
    root, port = open_directory("postfix"), free_port()
    (root / "etc").mkdir()
    values = {"root": root, "hostname": hostname, "domains": domains, "port": port, "uid": 65534, "gid": 65534}
    main = MAIN.format(**values) + "".join(f"{name} = {value}\n" for name, value in settings.items())
    (root / "etc" / "main.cf").write_text(main)
    (root / "etc" / "master.cf").write_text(MASTER.format(**values) + "".join(f"{line}\n" for line in services))
    for name in ("queue", "data", "mail"):
        (root / name).mkdir()
    as_root("chown", "postfix", str(root / "data"))
    as_root("chown", "65534:65534", str(root / "mail"))
    one = Postfix(root, port)
    started = one.command("start")
    assert started.returncode == 0, started.stdout + started.stderr + one.log()
    try:
        wait_for(lambda: listening(port), f"postfix listens\n{started.stderr}")
        yield one
    finally:
        one.command("stop")
        as_root("rm", "-rf", str(root))


def open_directory(name: str, mode: int = 0o755) -> Path:
    """Make a temporary directory that other users can enter, which those of pytest are not."""
    directory = Path(tempfile.mkdtemp(prefix=f"gatepost-{name}-"))
    directory.chmod(mode)
    return directory


def as_root(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as root."""
    return subprocess.run([*_prefix(), *command], capture_output=True, text=True, errors="replace", timeout=60)


def _read(name: str) -> bytes:
    return subprocess.run([*_prefix(), "cat", name], capture_output=True, check=True).stdout


def _prefix() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]
