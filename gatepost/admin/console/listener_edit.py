"""`listenerconfig` → EDIT: one listener, its summary and its own settings. Only asks and calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from gatepost.admin.console import asking, policy_questions, rows
from gatepost.admin.console.domainmap import domainmap
from gatepost.admin.console.hostaccess import hostaccess
from gatepost.admin.console.rcptaccess import rcptaccess
from gatepost.admin.console.talk import Operations, Talk
from gatepost.admin.operations import bounces, certificates, drafts, fields, listeners
from gatepost.admin.operations.tables import listener_of
from gatepost.config.entries import parse_address, parse_domain
from gatepost.config.model import Listener

TABLE = rows.OPERATIONS
SETUP: Operations = (
    ("DEFAULTDOMAIN", "Configure the domain that completes an address without one."),
    ("CLEANSMTP", "Configure what becomes of a bare CR or LF in mail data."),
)
LINE_ENDINGS = ("refuse", "repair")
_OPERATIONS: Operations = (
    ("NAME", "Change the name of the listener."),
    ("INTERFACE", "Change the interface: IP address and TCP port."),
    ("LIMITS", "Change the injection limits."),
    ("CERTIFICATE", "Choose the certificates."),
    ("SETUP", "Configure general options."),
    ("HOSTACCESS", "Modify the Host Access Table."),
    ("RCPTACCESS", "Modify the Recipient Access Table."),
    ("BOUNCECONFIG", "Choose the bounce profile to use for messages injected on this listener."),
    ("DOMAINMAP", "Configure domain mappings."),
)


def operations(listener: Listener) -> Operations:
    """Return what can be edited: a private listener has no Recipient Access Table."""
    return [entry for entry in _OPERATIONS if entry[0] != "RCPTACCESS" or listener.type == "public"]


async def edit(talk: Talk) -> None:
    """Ask for a listener, and edit it until an empty line."""
    names = list(drafts.current(talk.operator).listeners)
    question = "Enter the name or number of the listener you wish to edit."
    name = await asking.pick(talk, question, names, shown=())
    if name:
        await _Edited(talk, name).run()


def summary(name: str, listener: Listener) -> list[str]:
    """Describe a listener as the appliance does; `TLS` is what its Default Policy Parameters say."""
    return [
        f"Name: {name}",
        f"Type: {listener.type.capitalize()}",
        f"Interface: {listener.interface or name} ({listener.address}) TCP Port {listener.port}",
        "Protocol: SMTP",
        f"Default Domain: {listener.default_domain}".rstrip(),
        f"Max Concurrency: {listener.max_concurrency} (TCP Queue: {listener.tcp_queue})",
        f"Domain map: {'enabled' if listener.domain_map else 'disabled'}",
        f"TLS: {policy_questions.TLS_WORDS[listener.default_policy.tls]}",
    ]


class _Edited:
    """The listener that is being edited; its name may change on the way."""

    def __init__(self, talk: Talk, name: str) -> None:
        self._talk = talk
        self._name = name

    async def run(self) -> None:
        verbs = {
            "name": self._rename,
            "interface": self._interface,
            "limits": self._limits,
            "certificate": self._certificate,
            "setup": self._setup,
            "hostaccess": self._table(hostaccess),
            "rcptaccess": self._table(rcptaccess),
            "bounceconfig": self._bounce_profile,
            "domainmap": self._table(domainmap),
        }
        await asking.operate(self._talk, operations(self._listener), verbs, lambda: summary(self._name, self._listener))

    @property
    def _listener(self) -> Listener:
        return listener_of(drafts.current(self._talk.operator), self._name)[1]

    def _table(self, dialogue: Callable[[Talk, str], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        return lambda: dialogue(self._talk, self._name)

    async def _rename(self) -> None:
        others = drafts.without(drafts.current(self._talk.operator).listeners, self._name)
        name = await self._talk.text(
            "Enter the new name of the listener.", self._name, check=lambda text: fields.new_name(text, others, "listener")
        )
        if name != self._name:
            listeners.rename(self._talk.operator, self._name, name)
            self._name = name

    async def _interface(self) -> None:
        present = self._listener
        address, interface, port = await where(self._talk, present)
        self._change(address=address, interface=interface, port=port)

    async def _limits(self) -> None:
        present, number = self._listener, fields.whole
        sessions = await self._talk.text(
            "Enter the maximum number of concurrent connections allowed on this listener.",
            str(present.max_concurrency),
            check=partial(number, Listener, "max_concurrency"),
        )
        waiting = await self._talk.text(
            "Enter the TCP listen queue size.", str(present.tcp_queue), check=partial(number, Listener, "tcp_queue")
        )
        self._change(max_concurrency=sessions, tcp_queue=waiting)

    async def _certificate(self) -> None:
        installed = certificates.listing(self._talk.operator)
        names = [one.name for one in installed]
        if not names:
            self._talk.say("", "No certificate is installed: `certconfig` imports one or makes one.")
            return

        def read(text: str) -> list[str]:
            if text.lower() == asking.NONE and asking.NONE not in names:
                return []
            return list(dict.fromkeys(asking.chosen(word, names) for word in fields.words(text)))

        question = (
            "Enter the names or numbers of the certificates, separated by commas. The first is shown unless the client asks "
            f'for a name that another one carries ("{asking.NONE}" for none).'
        )
        lines = asking.numbered([_told(one) for one in installed])
        present = ", ".join(self._listener.certificates) or asking.NONE
        self._change(certificates=await self._talk.text("\n".join([question, *lines]), present, check=read))

    async def _setup(self) -> None:
        verbs = {"defaultdomain": self._default_domain, "cleansmtp": self._line_endings}
        await asking.operate(self._talk, SETUP, verbs)

    async def _default_domain(self) -> None:
        question = "Enter the domain that completes an address without one; such addresses are refused when there is none."
        domain = await asking.optional(
            self._talk, question, self._listener.default_domain, lambda text: fields.parsed(parse_domain, text)
        )
        self._change(default_domain=domain)

    async def _line_endings(self) -> None:
        options = ("Refuse the message", "Make it CR LF")
        present = LINE_ENDINGS.index(self._listener.bare_line_endings)
        chosen = await self._talk.choose("What shall become of a bare CR or LF in mail data?", options, present)
        self._change(bare_line_endings=LINE_ENDINGS[chosen])

    async def _bounce_profile(self) -> None:
        known = bounces.profiles(drafts.current(self._talk.operator))
        question = "Please choose a bounce profile to apply to messages injected on this listener."
        self._change(bounce_profile=await asking.one_of(self._talk, question, known, self._listener.bounce_profile))

    def _change(self, **values: object) -> None:
        pending = listeners.change(self._talk.operator, self._name, **values)
        asking.told(self._talk, pending, *(("listeners", self._name, field) for field in values))


async def where(talk: Talk, present: Listener) -> tuple[str, str, int]:
    """Ask where a listener listens: address, name of the interface, port."""
    address = await talk.text(
        "Enter the IP address for this listener, 0.0.0.0 for every IPv4 or :: for every IPv6 address of this machine.",
        present.address,
        check=lambda text: str(fields.parsed(parse_address, text)),
    )
    question = "Enter a name for the IP interface, as the log shows it; without one it has the listener's name."
    interface = await asking.optional(talk, question, present.interface)
    port = await talk.text(
        "Please enter the TCP port for this listener.", str(present.port), check=partial(fields.whole, Listener, "port")
    )
    return address, interface, port


def _told(one: certificates.Installed | certificates.Unreadable) -> str:
    if isinstance(one, certificates.Unreadable):
        return f"{one.name}: cannot be read: {one.fault}"
    own = one.chain[0]
    names = ", ".join(own.dns_names) or own.common_name
    return f"{one.name}: {names}, {one.days_left} days left"
