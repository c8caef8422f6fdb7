"""The questions about a mail flow policy, one after another, as `hostaccess` asks them for a policy and for the defaults.

Of a policy every field may be left to the Default Policy Parameters: by the answer `default`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, get_args

from gatepost.admin.console.asking import NONE
from gatepost.admin.console.talk import Talk
from gatepost.admin.operations import fields
from gatepost.config.checks.profiles import profile_names
from gatepost.config.entries import parse_domain
from gatepost.config.model import UNLIMITED, Config, DefaultPolicy, InboundTls, MailFlowPolicy

DEFAULT = "default"
LIMITS = {
    "max_message_size": "Enter the maximum message size. Add a trailing k for kilobytes, M for megabytes, or no letter for "
    "bytes.",
    "max_connections_per_host": "Enter the maximum number of concurrent connections allowed from a single IP address.",
    "max_messages_per_connection": "Enter the maximum number of messages per connection.",
    "max_recipients_per_message": "Enter the maximum number of recipients per message.",
    "max_recipients_per_hour": "Enter the maximum number of recipients per hour from a single IP address.",
}
TLS_QUESTION = "Do you want to allow encrypted TLS connections?"
TLS_VALUES: tuple[InboundTls, ...] = get_args(InboundTls)
TLS_WORDS = {
    "no": "No",
    "preferred": "Preferred",
    "required": "Required",
    "preferred-verify": "Preferred - Verify",
    "required-verify": "Required - Verify",
}
Present = DefaultPolicy | MailFlowPolicy


async def ask(talk: Talk, config: Config, present: Present, inherited: DefaultPolicy | None = None) -> dict[str, Any]:
    """Ask for every field; `inherited` are the Default Policy Parameters where `present` is a policy of its own."""
    questions = _Questions(talk, present, inherited)
    for field, question in LIMITS.items():
        await questions.limit(field, question)
    await questions.choice("tls", TLS_QUESTION, TLS_VALUES, TLS_WORDS)
    tls = questions.effective("tls")
    if tls.startswith("preferred"):
        lists = ("", *config.address_lists)
        await questions.choice("tls_mandatory_senders", "For which address list is TLS mandatory?", lists, {"": "None"})
    if tls.endswith("-verify"):
        await questions.peer_names()
    if tls != "no":
        await questions.choice("tls_profile", "Which TLS profile do the handshakes use?", profile_names(config), {})
    return questions.answers


class _Questions:
    def __init__(self, talk: Talk, present: Present, inherited: DefaultPolicy | None) -> None:
        self._talk = talk
        self._present = present
        self._inherited = inherited
        self.answers: dict[str, Any] = {}

    def effective(self, field: str) -> Any:
        """Return what holds after the answers so far."""
        answer = self.answers[field]
        return getattr(self._inherited, field) if answer is None else answer

    async def limit(self, field: str, question: str) -> None:
        kind = type(self._present)
        await self._text(field, f"{question} {UNLIMITED}: no limit.", str, partial(fields.number, kind, field))

    async def peer_names(self) -> None:
        def read(text: str) -> list[str]:
            return [] if text.lower() == NONE else fields.parsed_all(parse_domain, fields.words(text))

        question = f"Enter the DNS names of which the client certificate must carry one, or {NONE} for any valid one."
        await self._text("tls_peer_names", question, lambda names: ", ".join(names) or NONE, read)

    async def choice(self, field: str, question: str, values: Iterable[str], words: dict[str, str]) -> None:
        values = list(values)
        options = [words.get(value, value) for value in values]
        present = getattr(self._present, field)
        if self._inherited is not None:
            told = getattr(self._inherited, field)
            values.append(DEFAULT)
            options.append(f"Default ({words.get(told, told)})")
            present = DEFAULT if present is None else present
        place = await self._talk.choose(question, options, values.index(present) if present in values else 0)
        use_default = self._inherited is not None and place == len(values) - 1
        self.answers[field] = None if use_default else values[place]

    async def _text(self, field: str, question: str, write: Callable[[Any], str], read: Callable[[str], object]) -> None:
        present = getattr(self._present, field)
        if self._inherited is None:
            self.answers[field] = await self._talk.text(question, write(present), check=read)
            return
        told = write(getattr(self._inherited, field))
        hint = f'"{DEFAULT}" uses the default ({told}).'
        shown = DEFAULT if present is None else write(present)
        self.answers[field] = await self._talk.text(
            f"{question} {hint}", shown, check=lambda text: None if text.lower() == DEFAULT else read(text)
        )
