"""A document that comes from outside: everything that is wrong with it in one list, and what it takes over from the draft.

An import replaces the draft. Two things may be left out of the document, because they are secret or were made on this
machine: a private key that is masked is taken over where the draft has the same certificate under the same name, and a
certificate that the document only refers to by name is taken over whole. Nothing else survives, and each is told.
"""

from __future__ import annotations

import msgspec

from gatepost.config.check import check
from gatepost.config.checks.certificates import certificates_in_use
from gatepost.config.decode import decode
from gatepost.config.model import Certificate, Config
from gatepost.config.problems import MASK, ConfigErrors, Problem, errors
from gatepost.config.toml import parse


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was read and checked."""

    config: Config
    """Whole only where `problems` holds no error."""
    problems: list[Problem]
    """Errors first, then warnings."""
    notes: list[str]
    """What was taken over from the draft, one sentence each."""

    def accepted(self) -> Config:
        """Return the document; raises ConfigErrors where there is an error."""
        if errors(self.problems):
            raise ConfigErrors(self.problems)
        return self.config


def examine(text: str | bytes, draft: Config | None = None, now: float | None = None) -> Examined:
    """Read and check a document as an import over `draft` would take it; never raises for what the document holds."""
    try:
        tree = parse(text)
    except ConfigErrors as error:
        return Examined(config=Config(), problems=error.problems, notes=[])
    config, faults = decode(tree)
    config, notes = take_over(config, draft or Config())
    told = {problem.path for problem in faults}
    told |= {path.rpartition("[")[0] for path in told if path.endswith("]")}  # one bad entry, and the list is not judged
    rest = [problem for problem in check(config, now, in_force=draft) if not _rests_on(problem, told)]
    return Examined(config=config, problems=faults + rest, notes=notes)


def take_over(config: Config, draft: Config) -> tuple[Config, list[str]]:
    """Fill in masked keys and missing certificates from the draft, and say which."""
    notes: list[str] = []
    certificates = dict(config.certificates)
    for name, certificate in config.certificates.items():
        known = draft.certificates.get(name)
        if certificate.private_key == MASK and known and _same_pem(certificate.certificate, known.certificate):
            certificates[name] = Certificate(certificate=certificate.certificate, private_key=known.private_key)
            notes.append(f"The private key of certificate {name} is masked; it is taken over from the draft.")
    for name, path in certificates_in_use(config).items():
        if name not in certificates and name in draft.certificates:
            certificates[name] = draft.certificates[name]
            notes.append(f"Certificate {name}, which {path} names, is not in the document; it is taken over from the draft.")
    return msgspec.structs.replace(config, certificates=certificates), notes


def _same_pem(one: str, other: str) -> bool:
    return one.split() == other.split()


def _rests_on(problem: Problem, faults: set[str]) -> bool:
    """Whether a judgement rests on a place that could not be decoded, and so may be wrong itself."""
    return any(_within(place, faults) for place in (problem.path, *problem.related))


def _within(place: str, faults: set[str]) -> bool:
    """Whether a place is one of the faults or lies below one; looked up, for both may be many."""
    return place in faults or any(place[:at] in faults for at, character in enumerate(place) if character in ".[")
