"""What TLS costs on this machine: measured once by a process of its own, kept in the state directory, used where it fits.

The figures hold for one processor and one TLS library: on others they are measured anew, never guessed.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from OpenSSL import SSL

from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import load
from gatepost.config.model import Config
from gatepost.errors import GatepostError, StateError
from gatepost.tls.catalogue import Suite
from gatepost.tls.certificates import KeyPair, key_text, load_chain
from gatepost.tls.cost import CURVES, HYBRID, SECONDS, Bulk, Figures, Handshake, Order, Told

FILE = "costs.json"
GROUPS = (*HYBRID, *CURVES)
"""The key exchange groups that are measured, in the order in which they are shown."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What figures depend on."""

    processor: str
    library: str
    """Of TLS, with its version."""


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Figures and what they were measured on."""

    machine: Machine
    measured_at: float
    """Seconds since 1970."""
    figures: Figures

    def bulk(self, suite: Suite) -> Bulk | None:
        """Return what a suite's cipher lets through; None where it was not measured."""
        for one in self.figures.bulk:
            if (one.cipher, one.mac) == (suite.cipher, suite.mac):
                return one
        return None

    def handshake(self, suite: Suite, key: str, groups: Sequence[str] = GROUPS) -> Handshake | None:
        """Return the cost of a suite with a kind of certificate, by the first of `groups` that it can use; None: unknown."""
        found = {one.group: one for one in self.figures.handshakes if (one.suite, one.key) == (suite.name, key)}
        return next((found[group] for group in (*groups, "ffdhe2048", "") if group in found), None)

    @property
    def keys(self) -> list[str]:
        """The kinds of certificate that were measured."""
        return list(dict.fromkeys(one.key for one in self.figures.handshakes))


def machine() -> Machine:
    """Return what this machine's figures depend on."""
    return Machine(processor=_processor(), library=SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode())


def costs(operator: Operator) -> Costs | None:
    """Return the figures kept here; None when there are none for this processor and this TLS library."""
    try:
        kept = msgspec.json.decode((operator.state / FILE).read_bytes(), type=Costs)
    except (OSError, msgspec.MsgspecError):
        return None  # figures can be had again: a file that is missing, damaged or not ours to read is no fault
    return kept if kept.machine == machine() else None


def measure(operator: Operator, told: Told = lambda doing, done, of: None, *, seconds: float = SECONDS) -> Costs:
    """Measure, which takes about fifteen seconds of one core at the lowest priority, and keep the figures.

    Kept only where there is a state directory that may be written. Blocks; may be called in a thread. GatepostError when it
    fails.
    """
    figures = _run(Order(others=_others(operator), seconds=seconds), told)
    made = Costs(machine=machine(), measured_at=time.time(), figures=figures)
    if os.access(operator.state, os.W_OK):
        _keep(operator.state / FILE, msgspec.json.encode(made))
    return made


def keys_in_use(operator: Operator) -> list[str]:
    """Return the kinds of certificate that the draft has: `RSA 2048`, `EC P-256`."""
    return list(dict.fromkeys(key for key, _ in _installed(operator)))


def _run(order: Order, told: Told) -> Figures:
    """Measure in another process, so that neither mail nor a console waits, nor what they do is measured along."""
    command = [sys.executable, "-m", "gatepost.tls.cost"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        try:
            child.stdin.write(msgspec.json.encode(order))
            child.stdin.close()
            for line in child.stdout:
                step = msgspec.json.decode(line, type=tuple[str, int, int] | Figures)
                if isinstance(step, Figures):
                    return step
                told(*step)
        except BrokenPipeError:
            pass  # it ended early: what it said tells why
        except BaseException:
            child.kill()
            raise
        said = child.stderr.read().decode(errors="replace").strip().splitlines()
    raise GatepostError(f"TLS could not be measured: {said[-1] if said else f'the process ended with {child.returncode}'}")


def _others(operator: Operator) -> tuple[KeyPair, ...]:
    """Return one installed certificate with its key of each kind."""
    return tuple({key: pair for key, pair in _installed(operator)}.values())


def _installed(operator: Operator) -> Iterator[tuple[str, KeyPair]]:
    config = load(operator, draft=True).config if os.access(operator.config_db, os.R_OK) else Config()
    for entry in config.certificates.values():
        try:
            yield (
                key_text(load_chain(entry.certificate)[0].public_key()),
                KeyPair(entry.certificate, entry.private_key),
            )
        except GatepostError:
            continue  # unreadable: the check of the configuration says so


def _keep(path: Path, content: bytes) -> None:
    """Write the file whole or not at all, for its owner alone."""
    made = path.with_name(f".{FILE}.{os.getpid()}")
    try:
        try:
            with open(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
                if os.geteuid() == 0:  # root acts for the service's user, who must be able to read it
                    owner = path.parent.stat()
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            made.replace(path)
        finally:
            made.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(f"{path} cannot be written: {error.strerror}") from None


def _processor() -> str:
    """Name the processor; under one name there may be several, which family and model tell apart."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        first = ""
    told = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    if name := told.get("model name"):
        return f"{name} (family {told.get('cpu family', '?')}, model {told.get('model', '?')})"
    parts = [told[part] for part in ("CPU implementer", "CPU part") if part in told]  # ARM has no names there
    return " ".join([platform.processor() or platform.machine(), *parts])
