"""`domainmap`: recipients of one listener that are rewritten before its recipient table is asked.

A part of `listenerconfig`; only asks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gatepost.admin.console import rows
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import fields
from gatepost.admin.operations.rows import DOMAIN_MAP
from gatepost.config.entries import parse_mapped, parse_mapping_target
from gatepost.config.model import DomainMapping


def _read(parse: Callable[[str], object], text: str) -> str:
    fields.parsed(parse, text)
    return text


async def _ask(talk: Talk, present: DomainMapping | None) -> DomainMapping:
    match = await talk.text(
        "Enter the original recipient: @old.example, @.old.example for the domain and all below it, or joe@old.example.",
        present.match if present else "",
        check=partial(_read, parse_mapped),
    )
    to = await talk.text(
        "Enter what takes its place: @new.example, which keeps the local part, or joe@new.example.",
        present.to if present else "",
        check=partial(_read, parse_mapping_target),
    )
    return DOMAIN_MAP.read(match, to)


domainmap = rows.dialogue("Domain map", DOMAIN_MAP, _ask)
