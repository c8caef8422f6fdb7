"""The TLS requirement of a connection, and whether what was negotiated meets it. Pure: negotiates and looks up nothing.

Outbound, by setting (RFC 3207; the model's destination controls):

| setting                | no STARTTLS, or not 220 | failed after 220 | certificate not valid for the name |
|------------------------|-------------------------|------------------|------------------------------------|
| no                     | clear text, not tried   | -                | -                                  |
| preferred              | clear text              | refused          | encrypted, nobody looks            |
| required               | refused                 | refused          | encrypted, nobody looks            |
| preferred-verify       | clear text              | refused          | encrypted, and said so             |
| required-verify        | refused                 | refused          | refused                            |
| required-verify-hosted | refused                 | refused          | refused                            |

*Verify* holds the certificate against the recipient's domain alone. *Hosted* also takes the name of the MX host or of the
SMTP route's host, which fits partners whose mail is run by somebody else. CAUTION: the name of an MX host comes from the
DNS. Where the answer is not secured by DNSSEC, whoever can forge it can name a host of his own, for which he has a perfectly
valid certificate, so that *hosted* then proves no more than that the peer is somebody (RFC 7672 1.3.1). The name of a
route's host comes from our own configuration and has no such gap: `docs/tls.md` advises a route, or plain *verify*.
"""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.policy.destination import Destination
from gatepost.policy.domains import canonical
from gatepost.policy.verdict import Policy, References, Requirement, TlsVerdict
from gatepost.records.printable import printable
from gatepost.smtp import reply
from gatepost.smtp.reply import Reply
from gatepost.tls import identity
from gatepost.tls.outcome import PeerCertificate, TlsOutcome

NO_TLS = "4.7.4"  # RFC 3463: security features not supported
BAD_TLS = "4.7.5"  # RFC 3463: cryptographic failure
_SHOWN_NAMES = 4


def outbound_requirement(destination: Destination) -> Requirement:
    """Resolve the setting for one next hop."""
    return Requirement(setting=destination.tls, profile=destination.tls_profile, source=destination.tls_source)


def reference_names(requirement: Requirement, references: References) -> tuple[str, ...]:
    """Return the names of which the certificate must carry one; empty where nobody looks."""
    if not requirement.verifies:
        return ()
    hosted = requirement.setting == "required-verify-hosted"
    names = (references.domain, references.host) if hosted else (references.domain,)
    return tuple(dict.fromkeys(map(canonical, names)))


def judge_outbound(
    requirement: Requirement,
    references: References,
    *,
    outcome: TlsOutcome | None = None,
    starttls_offered: bool = True,
    starttls_reply: Reply | None = None,
    failure: str = "",
) -> TlsVerdict:
    """Decide whether mail may go over the connection as it stands.

    Bring `outcome` after a handshake; else `starttls_offered=False` when EHLO did not list STARTTLS (or only HELO was
    taken), `starttls_reply` when it was answered with other than 220, `failure` (one phrase) for anything after that.
    """
    if outcome is not None:
        return _judge_encrypted(requirement, references, outcome)
    host, rule = references.host, f"{requirement.setting} ({requirement.source})"
    if requirement.setting == "no":
        return TlsVerdict(allowed=True, verified=False, reason=f"TLS is not tried: {rule}")
    if failure or (starttls_reply is not None and starttls_reply.code == 220):
        # Whoever can break a handshake must not gain clear text by it: after 220 no setting falls back.
        reason = f"TLS with {host} failed: {failure or 'no handshake followed'}; {rule} allows no clear text after 220"
        return TlsVerdict(allowed=False, verified=False, reason=reason, status=BAD_TLS)
    if starttls_reply is not None:
        fact = f"{host} answered STARTTLS with {starttls_reply}"
    elif not starttls_offered:
        fact = f"{host} does not offer STARTTLS"
    else:
        fact = f"TLS with {host} was not started"
    if requirement.is_required:
        return TlsVerdict(allowed=False, verified=False, reason=f"{fact}; {rule} allows no clear text", status=NO_TLS)
    return TlsVerdict(allowed=True, verified=False, reason=f"{fact}; {rule} allows clear text")


def _judge_encrypted(requirement: Requirement, references: References, outcome: TlsOutcome) -> TlsVerdict:
    host, rule = references.host, f"{requirement.setting} ({requirement.source})"
    if not requirement.verifies:
        reason = f"encrypted, the certificate of {host} is not looked at: {rule}"
        return TlsVerdict(allowed=True, verified=False, reason=reason)
    names = reference_names(requirement, references)
    fault = _certificate_fault(outcome, host, names, requirement.setting)
    if not fault:
        matched = identity.match(_peer(outcome), names)
        return TlsVerdict(allowed=True, verified=True, reason=f"certificate of {host} is valid for {matched}: {rule}")
    if requirement.is_required:
        return TlsVerdict(allowed=False, verified=False, reason=fault, status=BAD_TLS)
    return TlsVerdict(allowed=True, verified=False, reason=f"{fault}; sent encrypted all the same: {rule}")


def judge_inbound(policy: Policy, outcome: TlsOutcome | None, client: str = "the client") -> TlsVerdict:
    """Decide whether a client may go on as it stands: after a handshake, or at a command that comes without one.

    Preferred-verify takes a client that shows no certificate, but none that shows a bad one; required-verify wants a good
    one. With `tls_peer_names` a good one carries one of these names. What a client that lacks TLS may still say is the
    engine's business; the refusal of a certificate is the 554 of RFC 3207 4.1.
    """
    rule = f"{policy.tls} (policy {policy.name})"
    if outcome is None:
        if policy.tls.startswith("required"):
            reason = f"{client} has not started TLS; {rule} allows no clear text"
            return TlsVerdict(allowed=False, verified=False, reason=reason, status="5.7.0", reply=reply.STARTTLS_FIRST)
        return TlsVerdict(allowed=True, verified=False, reason=f"clear text; {rule} allows it")
    if "verify" not in policy.tls:
        return TlsVerdict(allowed=True, verified=False, reason=f"encrypted, no certificate is asked for: {rule}")
    if outcome.peer is None and policy.tls == "preferred-verify":
        return TlsVerdict(
            allowed=True, verified=False, reason=f"encrypted, {client} showed no certificate; {rule} allows it"
        )
    fault = _certificate_fault(outcome, client, policy.tls_peer_names, policy.tls)
    if fault:
        refusal = Reply(554, f"#5.7.5 {fault}", close=True)
        return TlsVerdict(allowed=False, verified=False, reason=fault, status="5.7.5", reply=refusal)
    matched = identity.match(_peer(outcome), policy.tls_peer_names) if policy.tls_peer_names else ""
    valid = f"is valid for {matched}" if matched else "has a valid chain"
    return TlsVerdict(allowed=True, verified=True, reason=f"certificate of {client} {valid}: {rule}")


def _certificate_fault(outcome: TlsOutcome, owner: str, names: Sequence[str], setting: str) -> str:
    """Say what is wrong with the peer's certificate; empty when it is valid and carries one of `names` (if any)."""
    if outcome.peer is None:
        return f"{owner} showed no certificate; {setting} wants one"
    if not outcome.chain_ok:
        why = outcome.chain_error or "it was not verified"
        return f"certificate of {owner} is not valid: {why}; {setting} wants a valid one"
    if names and not identity.match(outcome.peer, names):
        carried = _shown(identity.presented(outcome.peer))
        return f"certificate of {owner} is for {carried}; {setting} wants {' or '.join(names)}"
    return ""


def _peer(outcome: TlsOutcome) -> PeerCertificate:
    return outcome.peer or PeerCertificate()


def _shown(names: Sequence[str]) -> str:
    """List what a stranger's certificate says, fit for one line: it may hold ten thousand names, and control characters."""
    if not names:
        return "no DNS name"
    more = len(names) - _SHOWN_NAMES
    shown = ", ".join(printable(name[:253]) for name in names[:_SHOWN_NAMES])
    return f"{shown} and {more} more" if more > 0 else shown
