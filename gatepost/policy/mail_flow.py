"""Mail flow policies: what a listener's policy comes to once the Default Policy Parameters have filled its gaps.

Reads the document only. Which host gets which policy is decided in `policy.access`.
"""

from __future__ import annotations

from typing import Any, cast

from gatepost.config.model import (
    BARE_BEHAVIORS,
    Behavior,
    DefaultPolicy,
    Listener,
    MailFlowPolicy,
    PolicyFields,
    size_in_octets,
)
from gatepost.policy.verdict import Policy

_FIELDS = PolicyFields.__struct_fields__


def resolve(name: str, policy: MailFlowPolicy, default: DefaultPolicy) -> Policy:
    """Fill every field that the policy leaves open from the Default Policy Parameters."""
    inherited = frozenset(field for field in _FIELDS if getattr(policy, field) is None)
    values: dict[str, Any] = {field: getattr(default if field in inherited else policy, field) for field in _FIELDS}
    values["tls_peer_names"] = tuple(name.lower() for name in values["tls_peer_names"])
    values["max_message_size"] = size_in_octets(values["max_message_size"])
    return Policy(name=name, behavior=policy.behavior, inherited=inherited, **values)


def policies(listener: Listener) -> dict[str, Policy]:
    """Resolve all policies of a listener, the bare behaviours among them; its own go before a bare one of that name."""
    bare = {name: MailFlowPolicy(behavior=cast(Behavior, name.lower())) for name in BARE_BEHAVIORS}
    return {name: resolve(name, policy, listener.default_policy) for name, policy in {**bare, **listener.policies}.items()}
