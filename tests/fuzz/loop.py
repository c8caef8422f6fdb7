"""The loop: take an input that is known, change it, run the target, keep what went a new way, and report what broke.

A target is a module of `tests.fuzz.targets`: its docstring states the invariant, `check(octets)` raises where it does not
hold, `WORDS` are what its inputs are made of. Its corpus is `corpus/<target>/`, one file for each input: seeds with names,
`grown-…` that reached a place of its own, `found-…` that once broke something and is tried first for ever after.

Why not atheris: it installs (3.0.0 for Python 3.11, a wheel of 35 MB), but there is none for other machines than x86-64,
while `make dev` must work wherever Python 3.11 or later does; and its speed is for C, while here the target itself takes the
time. Why not hypothesis alone: the unit tests use it where an input has a shape, but it neither keeps a corpus that people
can read nor looks where an input went. This is what is left to do ourselves: three small files.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.edges import Edges
from tests.fuzz.mutate import MAX_SIZE, mutate

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
PATIENCE = 3.0
"""Seconds of CPU for one input, the largest too: tracing, a slow machine and a wide margin included."""


class TooSlow(AssertionError):
    """An input took more than its time."""


@dataclass(frozen=True)
class Target:
    """What is thrown at."""

    name: str
    check: Callable[[bytes], None]
    words: tuple[bytes, ...]
    invariant: str
    corpus: Path

    @classmethod
    def load(cls, name: str) -> Target:
        """Import a target by its name."""
        module = importlib.import_module(f"tests.fuzz.targets.{name}")
        return cls(name, module.check, tuple(module.WORDS), module.__doc__ or "", CORPUS / name)

    def inputs(self) -> list[bytes]:
        """Return what is kept, findings first."""
        files = sorted(self.corpus.iterdir(), key=lambda file: (not file.name.startswith("found-"), file.name))
        return [file.read_bytes() for file in files]


def names() -> list[str]:
    """Return the names of all targets."""
    return sorted(file.stem for file in (HERE / "targets").glob("*.py") if not file.stem.startswith("_"))


@dataclass
class Finding:
    """An input for which the invariant does not hold."""

    octets: bytes
    where: str
    """The exception and the innermost line that raised it: two inputs that share it are one finding."""
    trace: str


@dataclass
class Run:
    """What a run of the loop came to."""

    tried: int = 0
    pool: list[tuple[bytes, frozenset[int]]] = field(default_factory=list)
    """Inputs with the steps each took."""
    findings: dict[str, Finding] = field(default_factory=dict)
    edges: Edges = field(default_factory=Edges)


def run(target: Target, *, seconds: float = 0.0, inputs: int = 0, seed: int = 0, guided: bool = True) -> Run:
    """Throw at a target for so many seconds, or so many inputs, after its corpus; findings come minimised."""
    chance = random.Random(f"{target.name} {seed}")
    done = Run()
    known = target.inputs() or [b""]
    for octets in known:
        _try(target, octets, done, guided)
    pool = [octets for octets, _ in done.pool] or list(known)
    end = time.monotonic() + seconds
    while time.monotonic() < end if seconds else done.tried < len(known) + inputs:
        parent = chance.choice(pool[-32:] if chance.random() < 0.3 else pool)
        octets = mutate(chance, parent, chance.choice(pool), target.words)
        # a run that is watched takes many times as long: two in three are not
        if _try(target, octets, done, guided and chance.random() < 0.33) and len(octets) <= MAX_SIZE:
            pool.append(octets)
    for where, finding in done.findings.items():
        finding.octets = minimise(target, finding.octets, where)
    return done


def _try(target: Target, octets: bytes, done: Run, guided: bool) -> bool:
    """Run one input; whether it went a new way."""
    done.tried += 1
    finding = broken(target, octets, done.edges if guided and len(octets) <= MAX_SIZE else None)
    if finding is not None:
        done.findings.setdefault(finding.where, finding)
        return False
    if not guided or len(octets) > MAX_SIZE or not done.edges.new:
        return False
    done.pool.append((octets, frozenset(done.edges.ran)))
    return True


def broken(target: Target, octets: bytes, edges: Edges | None = None) -> Finding | None:
    """Run one input; what broke, or None."""
    try:
        with _hurry(PATIENCE):
            if edges is None:
                target.check(octets)
            else:
                edges.run(target.check, octets)
    except Exception as fault:
        frames = traceback.extract_tb(fault.__traceback__)
        ours = [frame for frame in frames if "gatepost" in frame.filename or "targets" in frame.filename]
        last = (ours or frames)[-1]
        place = "" if isinstance(fault, TooSlow) else f" at {Path(last.filename).name}:{last.lineno}"
        return Finding(octets, f"{type(fault).__name__}{place}", traceback.format_exc())
    return None


@contextlib.contextmanager
def _hurry(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the code that runs when this process has had so many seconds of the CPU."""

    def late(number: int, frame: object) -> None:
        raise TooSlow(f"more than {seconds:g} s of CPU")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def minimise(target: Target, octets: bytes, where: str, patience: float = 20.0) -> bytes:
    """Cut away what the finding does not need, in ever smaller pieces, for at most `patience` seconds."""
    end = time.monotonic() + patience
    size = len(octets) // 2
    while size and time.monotonic() < end:
        at, smaller = 0, False
        while at < len(octets) and time.monotonic() < end:
            without = octets[:at] + octets[at + size :]
            finding = broken(target, without)
            if finding is not None and finding.where == where:
                octets, smaller = without, True
            else:
                at += size
        if not (smaller and size == 1):
            size //= 2
    return octets


def keep(target: Target, octets: bytes, kind: str) -> Path:
    """Write an input to the target's corpus; its name is its hash, so that it is there once."""
    target.corpus.mkdir(parents=True, exist_ok=True)
    file = target.corpus / f"{kind}-{hashlib.sha256(octets).hexdigest()[:12]}"
    file.write_bytes(octets)
    return file


def cover(done: Run) -> list[bytes]:
    """Return few and short inputs that go every way that a run found: what is worth keeping of it."""
    left = set(done.edges.seen)
    chosen: list[bytes] = []
    pool = sorted(done.pool, key=lambda one: len(one[0]))
    while left and pool:
        best = max(pool, key=lambda one: len(one[1] & left) / (len(one[0]) + 50))
        if not best[1] & left:
            break
        left -= best[1]
        chosen.append(best[0])
        pool.remove(best)
    return chosen
