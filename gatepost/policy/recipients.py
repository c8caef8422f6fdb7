"""The Recipient Access Table, compiled: whether a public listener takes mail for a recipient.

The first qualifying entry decides; what no entry names is refused, so that a gateway is never an open relay by omission.
A local part is text and never a route: `user%other@ours`, `other!user@ours` and source routes are for `ours` and are
recorded as written (RFC 5321 appendix C). A private listener has no such table, and RELAY passes it by. The domain map
goes before it on every listener: the table is asked about the recipient that the map made.
"""

from __future__ import annotations

import msgspec

from gatepost.config.entries import parse_recipient
from gatepost.config.model import Gateway, Listener
from gatepost.policy.addresses import AddressIndex, local_part
from gatepost.policy.domain_map import DomainMap
from gatepost.policy.verdict import Policy, RecipientVerdict
from gatepost.smtp import reply
from gatepost.smtp.path import Path


class RecipientTable:
    """The RAT of one listener; never changes once built."""

    def __init__(
        self,
        index: AddressIndex,
        accepts: tuple[bool, ...],
        domain_map: DomainMap | None,
        *,
        public: bool,
        default_domain: str,
        postmaster: Path,
    ) -> None:
        self._index = index
        self._accepts = accepts
        self._map = domain_map
        self._public = public
        self._default_domain = default_domain
        self._postmaster = postmaster

    @classmethod
    def build(cls, listener: Listener, gateway: Gateway) -> RecipientTable:
        """Compile the recipients of a listener; ValueError with one sentence for what cannot be read."""
        local, _, domain = gateway.postmaster.rpartition("@")
        return cls(
            AddressIndex((row.match for row in listener.recipients), parse_recipient),
            tuple(row.action == "accept" for row in listener.recipients),
            DomainMap(listener.domain_map) if listener.domain_map else None,
            public=listener.type == "public",
            default_domain=listener.default_domain.lower(),
            postmaster=Path(local or "postmaster", domain.lower() or gateway.hostname.lower()),
        )

    def judge(self, policy: Policy, path: Path) -> RecipientVerdict:
        """Decide for a recipient as written, in a session under `policy`; the verdict has it as it is to be recorded."""
        if not path.domain:
            return self._bare(path, policy)
        if self._map is None or (rewriting := self._map.rewrite(path)) is None:
            return self._judge(policy, path)
        verdict = self._judge(policy, rewriting.path)
        return msgspec.structs.replace(verdict, rewriting=rewriting, reason=f"{rewriting.reason}; {verdict.reason}")

    def _judge(self, policy: Policy, path: Path) -> RecipientVerdict:
        if policy.behavior == "relay":
            return _accepted(path, "", f"policy {policy.name} relays for every recipient")
        if not self._public:
            return _accepted(path, "", "a private listener takes every recipient")
        order = self._index.first(path)
        if order is None:
            return _rejected(path, "ALL", f"no row of the recipient table names {path}: ALL, reject")
        entry = self._index.texts[order]
        if self._accepts[order]:
            return _accepted(path, entry, f"{path} is in {entry} of the recipient table: accept")
        return _rejected(path, entry, f"{path} is in {entry} of the recipient table: reject")

    def complete(self, path: Path) -> Path:
        """Give an address without a domain the listener's default domain, where it has one; the null path stays null."""
        if path.domain or path.is_null or not self._default_domain:
            return path
        return Path(path.local_part, self._default_domain)

    def _bare(self, path: Path, policy: Policy) -> RecipientVerdict:
        if local_part(path.local_part) == "postmaster":
            why = f"postmaster without a domain is {self._postmaster} (RFC 5321 4.5.1)"
            return _accepted(self._postmaster, "postmaster", why)
        completed = self.complete(path)
        if completed.domain:
            return self.judge(policy, completed)
        return _rejected(path, "", f"{path} has no domain, and the listener has no default domain")


def _accepted(path: Path, entry: str, reason: str) -> RecipientVerdict:
    return RecipientVerdict(accepted=True, forward_path=path, entry=entry, reason=reason)


def _rejected(path: Path, entry: str, reason: str) -> RecipientVerdict:
    return RecipientVerdict(accepted=False, forward_path=path, entry=entry, reason=reason, reply=reply.ADDRESS_REJECTED)
