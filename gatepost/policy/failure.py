"""What a failure of delivery costs: this recipient, this message, this host or the destination; next host, retry or bounce.

The one place that decides it (RFC 5321 4.2.1, 4.5.4, 5.1; RFC 3463 for the status). It never looks at a clock or a queue:
how long a retry waits and when it is given up stands in `spool.retry`. The leading thoughts:

* Before MAIL nothing that a host says is about the message, so it never bounces one: a banner of 554 that bounced mail
  would turn one wrong setting of a partner into a storm. The next host is asked, then the destination waits.
* From MAIL on, 5yz is an answer about the message or the recipient, and bounces it; 4yz is tried again.
* A fault (closed, timed out, out of step) says nothing about the message. The next host is asked, except once the end of
  the mail data is out: that host may have taken the message, so it waits for its retry, the one legal duplicate.
* A TLS requirement that is not met is a fault of the host: next host, then retry. It never bounces at once, for an attacker
  in the middle could then destroy mail, and it never weakens.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from gatepost.policy.verdict import TlsVerdict
from gatepost.smtp.reply import Reply

Stage = Literal["connect", "greeting", "hello", "starttls", "mail", "rcpt", "data", "content", "end", "reset"]
"""Where in the dialogue: `content` while mail data is being sent, `end` once the end of data is out."""
Scope = Literal["recipient", "message", "host", "destination"]
Action = Literal["next_host", "retry", "bounce"]
DnsProblem = Literal["temporary", "nxdomain", "null_mx", "no_address", "loop"]
"""`temporary`: no answer, SERVFAIL, REFUSED, bogus; `no_address`: no usable MX, A or AAAA; `loop`: we are the best MX."""
Shortage = Literal["8bitmime", "smtputf8", "size"]

_WORDS: dict[Stage, str] = {
    "connect": "the connection",
    "greeting": "the greeting",
    "hello": "EHLO",
    "starttls": "STARTTLS",
    "mail": "MAIL",
    "rcpt": "RCPT",
    "data": "DATA",
    "content": "the mail data",
    "end": "the end of the mail data",
    "reset": "RSET",
}
_SETTING_UP: frozenset[Stage] = frozenset({"connect", "greeting", "hello", "starttls", "reset"})
_ENHANCED = re.compile(r"#?([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about a failure, and what is told of it."""

    scope: Scope
    """What failed. `host`: nothing more goes to this host now; `destination`: nothing more to this domain now."""
    action: Action
    """`next_host`: the same recipients at the next host, at once; `retry`: by the bounce profile; `bounce`: now."""
    status: str
    """Enhanced status (RFC 3463), its class in step with the action: 4 while it is tried again, 5 when it bounces."""
    diagnostic: str
    """One sentence for the log and the DSN."""
    reply: Reply | None = None
    """The peer's own words, where it said any; for Diagnostic-Code (RFC 3464 2.3.6)."""


def of_reply(stage: Stage, reply: Reply, *, hosts_left: bool) -> Cost:
    """Judge a reply that does not let the delivery go on; a code that is not due here is a fault of the host."""
    told = f"{_WORDS[stage]} was answered {reply}"
    if not 400 <= reply.code <= 599:
        fault = of_fault(stage, f"{told}, which is not due here", hosts_left=hosts_left, status="4.5.0")
        return msgspec.structs.replace(fault, reply=reply)
    if stage in _SETTING_UP or reply.code == 421:
        action, scope = _of_host(stage, hosts_left)
    else:
        action, scope = _of_transaction(stage, reply, hosts_left)
    return Cost(scope=scope, action=action, status=_status(reply, action), diagnostic=told, reply=reply)


def of_fault(stage: Stage, text: str, *, hosts_left: bool, status: str = "") -> Cost:
    """Judge a connection that was refused, closed, timed out or got out of step; `text` says which, as one phrase."""
    action, scope = _of_host(stage, hosts_left)
    given = status or ("4.4.1" if stage == "connect" else "4.4.2")  # no answer from host; bad connection
    return Cost(scope=scope, action=action, status=given, diagnostic=text)


def of_tls(verdict: TlsVerdict, *, hosts_left: bool, reply: Reply | None = None) -> Cost:
    """Judge a TLS requirement that this host does not meet."""
    action, scope = _of_host("starttls", hosts_left)
    return Cost(scope=scope, action=action, status=verdict.status or "4.7.5", diagnostic=verdict.reason, reply=reply)


def of_dns(problem: DnsProblem, name: str, text: str = "", *, routed: bool = False) -> Cost:
    """Judge a next hop that could not be found.

    `routed`: the name comes from an SMTP route. Then an answer that would bounce is our own administrator's slip, and the
    mail waits until it is mended.
    """
    why = f": {text}" if text else ""
    if problem == "temporary":
        return _waits("4.4.3", f"the name {name} could not be looked up{why}")
    said = {
        "nxdomain": ("5.1.2", f"the domain {name} does not exist"),
        "null_mx": ("5.1.10", f"the domain {name} takes no mail, its MX is a single dot"),  # RFC 7505 3
        "no_address": ("5.4.4", f"the domain {name} has no host that mail could be sent to"),
        "loop": ("5.4.6", f"mail for {name} would come back to this gateway, which is its best mail exchanger"),
    }
    status, sentence = said[problem]
    if routed:
        return _waits(f"4{status[1:]}", f"{sentence}{why} (a host of an SMTP route)")
    return Cost(scope="destination", action="bounce", status=status, diagnostic=f"{sentence}{why}")


def of_shortage(shortage: Shortage, host: str) -> Cost:
    """Judge a message that the host cannot take as it is; we refuse rather than change it (RFC 6152 3, RFC 6531 3.2)."""
    said = {
        "8bitmime": ("5.6.3", f"{host} takes no 8-bit content, and Gatepost does not convert it"),
        "smtputf8": ("5.6.7", f"{host} takes no internationalised addresses"),
        "size": ("5.3.4", f"the message is larger than {host} takes"),
    }
    status, sentence = said[shortage]
    return Cost(scope="message", action="bounce", status=status, diagnostic=sentence)


def of_expiry(last: Cost, reason: str) -> Cost:
    """Turn the last soft failure into the hard bounce that ends it (RFC 3463 x.4.7, delivery time expired)."""
    return Cost(
        scope="recipient",
        action="bounce",
        status="5.4.7",
        diagnostic=f"delivery expired ({reason}); the last attempt: {last.diagnostic}",
        reply=last.reply,
    )


def _of_host(stage: Stage, hosts_left: bool) -> tuple[Action, Scope]:
    """RFC 5321 5.1: the next host in the list; after the last one the destination waits."""
    if stage == "end":
        return "retry", "host"
    return ("next_host", "host") if hosts_left else ("retry", "destination")


def _of_transaction(stage: Stage, reply: Reply, hosts_left: bool) -> tuple[Action, Scope]:
    """A refusal from MAIL on: of one recipient at RCPT, of the whole message elsewhere."""
    if stage == "rcpt":
        return ("retry" if reply.is_transient or _too_many(reply) else "bounce"), "recipient"
    if not reply.is_transient:
        return "bounce", "message"
    return ("next_host" if stage == "mail" and hosts_left else "retry"), "message"


def _too_many(reply: Reply) -> bool:
    """RFC 5321 4.5.3.1.10: 552 to RCPT may mean too many recipients and then is temporary; 5.2.2 is a full mailbox."""
    if reply.code != 552:
        return False
    enhanced = _ENHANCED.match(reply.text)
    return enhanced is None or enhanced.group(0).endswith("5.5.3")


def _status(reply: Reply, action: Action) -> str:
    """Return the enhanced status that the reply carries, its class set by what we do; x.0.0 where it carries none."""
    said = _ENHANCED.match(reply.text)
    subject, detail = (said.group(2), said.group(3)) if said and said.group(1) == str(reply.code)[0] else ("0", "0")
    return f"{5 if action == 'bounce' else 4}.{int(subject)}.{int(detail)}"


def _waits(status: str, sentence: str) -> Cost:
    return Cost(scope="destination", action="retry", status=status, diagnostic=sentence)
