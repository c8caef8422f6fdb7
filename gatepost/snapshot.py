"""A committed configuration made ready to run: matchers, tables and TLS contexts instead of texts.

Built whole before it is put in force, in a commit and in each worker; never changed after. A session takes the snapshot
that is in force when its connection is accepted, a delivery when it starts, and neither looks again. Judges nothing that
`config.check` judges: a document that was once committed must still run, with a certificate that has meanwhile expired too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from gatepost.config.model import (
    BounceProfile,
    Config,
    DefaultDestination,
    DestinationControl,
    Gateway,
    Listener,
    TlsProfile,
    bounce_profile,
    size_in_octets,
    tls_profile,
)
from gatepost.config.paths import Part
from gatepost.config.problems import ConfigErrors, Report
from gatepost.errors import GatepostError
from gatepost.policy.access import HostAccessTable, PackedTable
from gatepost.policy.addresses import AddressMatcher
from gatepost.policy.destination import Destination, DestinationTable, RouteTable
from gatepost.policy.recipients import RecipientTable
from gatepost.policy.verdict import Policy
from gatepost.smtp.limits import Limits
from gatepost.smtp.path import Path
from gatepost.tls.certificates import KeyPair
from gatepost.tls.context import Terms, Trust
from gatepost.tls.sides import ClientContext, ServerContext

Named = TypeVar("Named")
Packed = Mapping[str, PackedTable]
"""Host Access Tables by listener."""
DEFAULT_BOUNCE_PROFILE = "Default"


class GatewayValues(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's settings, sizes in octets and the postmaster filled in; `config.model.Gateway` says what each is."""

    hostname: str
    postmaster: str
    dns_servers: tuple[str, ...]
    records_retention_days: int
    min_free_space: int
    max_header_size: int
    max_header_lines: int
    max_line_length: int
    max_hops: int
    unsuccessful_connection_timeout: int
    connection_time_limit: int
    command_timeout: int
    tls_handshake_timeout: int
    certificate_authorities: str
    metrics_address: str

    @classmethod
    def build(cls, gateway: Gateway) -> GatewayValues:
        """Read the settings; ValueError for a size that is none."""
        values = msgspec.structs.asdict(gateway)
        values["postmaster"] = gateway.postmaster or f"postmaster@{gateway.hostname}"
        values["dns_servers"] = tuple(gateway.dns_servers)
        for name in ("min_free_space", "max_header_size", "max_line_length"):
            values[name] = size_in_octets(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSnapshot:
    """One listener, ready to run."""

    name: str
    is_public: bool
    address: str
    port: int
    interface: str
    """As the log shows it."""
    max_concurrency: int
    tcp_queue: int
    bounce_profile: str
    hat: HostAccessTable
    recipients: RecipientTable
    _limits: Mapping[str, Limits]
    _contexts: Mapping[str, ServerContext]
    _mandatory: Mapping[str, AddressMatcher]

    def engine_limits(self, policy: Policy) -> Limits:
        """Return what the engine takes in a session under a policy of this listener."""
        return self._limits[policy.name]

    def tls_context(self, policy: Policy) -> ServerContext | None:
        """Return how a session under a policy of this listener speaks TLS; None where it takes no mail or no TLS."""
        return self._contexts.get(policy.name)

    def mandatory_senders(self, policy: Policy) -> AddressMatcher | None:
        """Return the senders that must encrypt under a policy of this listener; None where it names no list."""
        return self._mandatory.get(policy.name)

    def complete(self, path: Path) -> Path:
        """Give a reverse-path without a domain the default domain; forward-paths are completed by `recipients`."""
        return self.recipients.complete(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One revision of the configuration, ready to run."""

    revision: int
    gateway: GatewayValues
    listeners: Mapping[str, ListenerSnapshot]
    destinations: DestinationTable
    routes: RouteTable
    _clients: Mapping[str, ClientContext]
    _bounce_profiles: Mapping[str, BounceProfile]

    @classmethod
    def build(cls, config: Config, revision: int) -> Snapshot:
        """Make a document ready to run; raises ConfigErrors with everything that cannot be built."""
        return _Builder(config, {}).snapshot(revision)

    def pack(self) -> Packed:
        """Return what took long to build, for `unpack` in other processes."""
        return {name: listener.hat.pack() for name, listener in self.listeners.items()}

    @classmethod
    def unpack(cls, config: Config, revision: int, packed: Packed) -> Snapshot:
        """Make the rest of a document ready to run: what is left of it without the members of its tables (`slim`)."""
        return _Builder(config, packed).snapshot(revision)

    def client_context(self, destination: Destination) -> ClientContext:
        """Return how deliveries to a destination of this snapshot speak TLS."""
        return self._clients[destination.tls_profile]

    def bounce_profile(self, name: str) -> BounceProfile:
        """Return a bounce profile; `Default` for one that a message in the spool still names and the document lost."""
        return self._bounce_profiles.get(name) or self._bounce_profiles[DEFAULT_BOUNCE_PROFILE]


def slim(config: Config) -> Config:
    """Return a document without the members of its sender groups, which `Snapshot.pack` has."""
    listeners = {
        name: msgspec.structs.replace(
            listener, sender_groups=[msgspec.structs.replace(row, senders=[]) for row in listener.sender_groups]
        )
        for name, listener in config.listeners.items()
    }
    return msgspec.structs.replace(config, listeners=listeners)


def terms(profile: TlsProfile) -> Terms:
    """Return a TLS profile in the words of the TLS layer."""
    return Terms(
        methods=tuple(profile.methods),
        ciphers=profile.ciphers,
        suites=tuple(profile.suites),
        groups=tuple(profile.groups),
        cipher_order=profile.cipher_order,
    )


class _Builder:
    """Builds every part of a document, and notes for each what is in its way."""

    def __init__(self, config: Config, packed: Packed) -> None:
        self._config, self._packed = config, packed
        self._report = Report()
        self._gateway = GatewayValues.build(Gateway())
        self._trust = Trust(extra=config.gateway.certificate_authorities)
        self._pairs = {name: KeyPair(one.certificate, one.private_key) for name, one in config.certificates.items()}
        self._lists: dict[str, AddressMatcher] = {}

    @contextmanager
    def _noting(self, *path: Part) -> Iterator[None]:
        """Turn a fault into a problem, so that one commit tells of all of them."""
        try:
            yield
        except (GatepostError, ValueError) as fault:
            self._report.error(path, None, str(fault), "mend it and commit again")

    def snapshot(self, revision: int) -> Snapshot:
        config = self._config
        with self._noting("gateway"):
            self._gateway = GatewayValues.build(config.gateway)
        for name, entries in config.address_lists.items():
            with self._noting("address_lists", name):
                self._lists[name] = AddressMatcher(entries.addresses)
        listeners: dict[str, ListenerSnapshot] = {}
        for name, listener in config.listeners.items():
            with self._noting("listeners", name):
                listeners[name] = self._listener(name, listener)
        with self._noting("destinations"):
            destinations = DestinationTable(config.destinations, config.default_destination)
        with self._noting("routes"):
            routes = RouteTable(config.routes)
        clients = self._clients()
        if self._report.problems:
            raise ConfigErrors(self._report.problems)
        return Snapshot(
            revision=revision,
            gateway=self._gateway,
            listeners=listeners,
            destinations=destinations,
            routes=routes,
            _clients=clients,
            _bounce_profiles={DEFAULT_BOUNCE_PROFILE: BounceProfile(), **config.bounce_profiles},
        )

    def _listener(self, name: str, listener: Listener) -> ListenerSnapshot:
        self._bounce_profile(listener.bounce_profile)
        packed = self._packed.get(name)
        hat = HostAccessTable.unpack(listener, packed) if packed else HostAccessTable.build(listener)
        recipients = RecipientTable.build(listener, self._config.gateway)
        limits: dict[str, Limits] = {}
        mandatory: dict[str, AddressMatcher] = {}
        for policy in hat.policies():
            limits[policy.name] = self._limits(listener, policy)
            if policy.tls_mandatory_senders:
                mandatory[policy.name] = _named(self._lists, policy.tls_mandatory_senders, "address list")
        return ListenerSnapshot(
            name=name,
            is_public=listener.type == "public",
            address=listener.address,
            port=listener.port,
            interface=listener.interface or name,
            max_concurrency=listener.max_concurrency,
            tcp_queue=listener.tcp_queue,
            bounce_profile=listener.bounce_profile,
            hat=hat,
            recipients=recipients,
            _limits=limits,
            _contexts=self._contexts(name, listener, hat),
            _mandatory=mandatory,
        )

    def _limits(self, listener: Listener, policy: Policy) -> Limits:
        gateway = self._gateway
        return Limits(
            max_message_size=policy.max_message_size,
            max_header_size=gateway.max_header_size,
            max_header_lines=gateway.max_header_lines,
            max_line_length=gateway.max_line_length,
            max_hops=gateway.max_hops,
            repair_line_endings=listener.bare_line_endings == "repair",
        )

    def _contexts(self, name: str, listener: Listener, hat: HostAccessTable) -> dict[str, ServerContext]:
        """Build one context for each profile and kind of verification that the listener's policies ask for.

        None is shared between listeners; and as `tls.context` keeps no sessions, nothing is carried from one to the other.
        """
        built: dict[tuple[str, bool], ServerContext] = {}
        contexts: dict[str, ServerContext] = {}
        for policy in hat.policies():
            if policy.tls == "no" or policy.behavior not in ("accept", "relay"):
                continue
            key = policy.tls_profile, "verify" in policy.tls
            with self._noting("listeners", name, "policies", policy.name):
                if key not in built:
                    built[key] = self._server(listener, *key)
                contexts[policy.name] = built[key]
        return contexts

    def _server(self, listener: Listener, profile: str, verify: bool) -> ServerContext:
        pairs = [_named(self._pairs, name, "certificate") for name in listener.certificates]
        return ServerContext(self._terms(profile), pairs, request_certificate=verify, trust=self._trust, profile=profile)

    def _clients(self) -> dict[str, ClientContext]:
        default = self._config.default_destination
        clients: dict[str, ClientContext] = {}
        for path, control in self._controls():
            profile = default.tls_profile if control.tls_profile is None else control.tls_profile
            with self._noting(*path):
                self._bounce_profile(default.bounce_profile if control.bounce_profile is None else control.bounce_profile)
                if profile not in clients:
                    pair = _named(self._pairs, default.certificate, "certificate") if default.certificate else None
                    clients[profile] = ClientContext(
                        self._terms(profile), certificate=pair, trust=self._trust, profile=profile
                    )
        return clients

    def _controls(self) -> Iterator[tuple[tuple[Part, ...], DestinationControl | DefaultDestination]]:
        yield ("default_destination",), self._config.default_destination
        for domain, control in self._config.destinations.items():
            yield ("destinations", domain), control

    def _terms(self, name: str) -> Terms:
        profile = tls_profile(self._config, name)
        if profile is None:
            raise ValueError(f"there is no TLS profile {name!r}")
        return terms(profile)

    def _bounce_profile(self, name: str) -> None:
        if bounce_profile(self._config, name) is None:
            raise ValueError(f"there is no bounce profile {name!r}")


def _named(table: Mapping[str, Named], name: str, what: str) -> Named:
    if name not in table:
        raise ValueError(f"there is no {what} {name!r}")
    return table[name]
