"""What a verdict would become if the draft were committed. Compares two explanations; explains nothing itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from gatepost.admin.operations.explanation import Explanation, Inbound, Outbound, Section
from gatepost.admin.operations.offers import Negotiation
from gatepost.admin.operations.operator import Operator
from gatepost.admin.operations.stores import Loaded, opened
from gatepost.config.diff import Change
from gatepost.errors import GatepostError

Explained = TypeVar("Explained", Inbound, Outbound)

TITLE = "If the draft were committed"
_HEAD = ("listener", "group", "entry", "policy", "behavior", "control", "route", "next_hops")
_WORDS = {"group": "sender group", "control": "destination control", "next_hops": "next hops", "behavior": "behaviour"}
_SENTENCES = ("Sender", "Recipient", "Route", "Retries")
"""Sections whose sentences say more than head and settings do."""
_LISTS = "Ciphers"
"""The section whose sentences each give the value of something."""
_VALUE = re.compile(r" in order: |: | = | allows ")
"""What stands between the thing and its value."""


def with_draft(operator: Operator, now: Explained, explain: Callable[[Loaded], Explained]) -> Explained:
    """Add to an explanation of the committed configuration what the draft would make of it, when one is pending."""
    draft = _pending(operator)
    if draft is None:
        return now
    try:
        changes = list(_differences(now, explain(draft)))
    except GatepostError as fault:
        said = [f"{draft.label.capitalize()} has no answer to this question: {fault}."]
        return msgspec.structs.replace(now, sections=[*now.sections, Section(TITLE, said)], draft=[])
    said = [f"{change}." for change in changes] or ["Nothing of this would change; what the draft changes lies elsewhere."]
    return msgspec.structs.replace(now, sections=[*now.sections, Section(TITLE, said)], draft=changes)


def _pending(operator: Operator) -> Loaded | None:
    with opened(operator) as store:
        draft = store.draft()
        return Loaded(config=draft.config, label=f"the draft on revision {draft.base}") if draft.changed else None


def _differences(now: Explained, then: Explained) -> Iterator[Change]:
    """Return every difference that the asker would notice, the verdict first."""
    for name in _HEAD:
        old, new = getattr(now, name, ""), getattr(then, name, "")
        if old != new:
            yield Change(_WORDS.get(name, name), _text(old), _text(new))
    before = {setting.name: setting.value for setting in now.settings}
    for setting in then.settings:
        if before[setting.name] != setting.value:
            yield Change(setting.name, before[setting.name] or "none", setting.value or "none")
    yield from _lists(now, then)
    yield from _sentences(now, then)
    if now.negotiations and then.negotiations:
        yield from _negotiations(now.negotiations, then.negotiations)
    elif now.negotiations or then.negotiations:
        yield Change("handshakes", _handshakes(now, "as told here"), _handshakes(then, "as the draft alone tells"))


def _lists(now: Explanation, then: Explanation) -> Iterator[Change]:
    old, new = (dict(_value(sentence) for sentence in _section(told, _LISTS)) for told in (now, then))
    if not old or not new:
        return  # with TLS or without it: the settings say so
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Change(name, old.get(name, "none"), new.get(name, "none"))


def _value(sentence: str) -> tuple[str, str]:
    name, *value = _VALUE.split(sentence.removesuffix("."), maxsplit=1)
    return name, value[0] if value else ""


def _sentences(now: Explanation, then: Explanation) -> Iterator[Change]:
    for title in _SENTENCES:
        before, after = _section(now, title), _section(then, title)
        gone = [sentence for sentence in before if sentence not in after]
        come = [sentence for sentence in after if sentence not in before]
        if gone or come:
            yield Change(title, _joined(gone) or "nothing said", _joined(come) or "nothing said")


def _section(told: Explanation, title: str) -> list[str]:
    return next((part.sentences for part in told.sections if part.title == title), [])


def _negotiations(now: list[Negotiation], then: list[Negotiation]) -> Iterator[Change]:
    """Compare what clients get; that one fails for another reason than before is no difference to it."""
    for before, after in zip(now, then, strict=True):
        if str(before) != str(after) and (before.version or after.version):
            yield Change(f"client {before.client}", str(before), str(after))


def _handshakes(told: Explanation, some: str) -> str:
    said = [*_section(told, "Handshake"), "there is none"]
    return some if told.negotiations else said[0].removesuffix(".")


def _joined(sentences: list[str]) -> str:
    return " ".join(sentences).removesuffix(".")


def _text(value: object) -> str:
    return (", ".join(value) if isinstance(value, list) else str(value)) or "none"
