"""The lines of mail_logs: one function per line, and nothing else words them (asyncos.md 8.1, 8.2).

The shapes are those of the model, for its administrators grep and parse them; lines that the model has not are ours, one
sentence that names the cause. Ids and values come in, the text of the line goes out, without time and level. Every value
that somebody else chose is made printable here, so that one event stays one line whatever a peer sends. Writes nothing:
`records.journal` does. A dozen of these run for every message: keep them plain.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import asctime, localtime

from gatepost.records.printable import LIMIT, printable

# -- receiving (8.1) ---------------------------------------------------------------------------------------------------


def new_icid(icid: int, interface: str, local: str, peer: str, host: str, verified: bool) -> str:
    """A connection was accepted; `host` is the reverse name, empty when there is none."""
    return (
        f"New SMTP ICID {icid} interface {interface} ({local}) address {peer} "
        f"reverse dns host {printable(host) or 'unknown'} verified {'yes' if verified else 'no'}"
    )


def access(icid: int, behavior: str, group: str, entry: str) -> str:
    """The HAT decided. A TCPREFUSEd connection has no ICID and is told as 0; SBRS, a reputation score, is never known."""
    behavior = behavior.upper()
    return f"ICID {0 if behavior == 'TCPREFUSE' else icid} {behavior} SG {group or 'None'} match {entry} SBRS None"


def tls_success_in(icid: int, protocol: str, cipher: str) -> str:
    """A client's handshake succeeded."""
    return f"ICID {icid} TLS success protocol {protocol} cipher {cipher}"


def tls_failed_in(icid: int, reason: str = "") -> str:
    """A client's handshake failed, or what it came to was not enough."""
    return f"ICID {icid} TLS failed: {printable(reason)}" if reason else f"ICID {icid} TLS failed"


def tls_required_not_started(icid: int) -> str:
    """A client that must encrypt did not begin TLS; said once per connection."""
    return f"ICID {icid} TLS was required but remote host did not initiate it"


def start_mid(mid: int, icid: int) -> str:
    """MAIL was accepted: a message begins."""
    return f"Start MID {mid} ICID {icid}"


def mail_from(mid: int, icid: int, address: str) -> str:
    """The reverse-path, as written; empty for `<>`."""
    return f"MID {mid} ICID {icid} From: <{printable(address)}>"


def rcpt_to(mid: int, icid: int, rid: int, address: str) -> str:
    """A recipient was accepted."""
    return f"MID {mid} ICID {icid} RID {rid} To: <{printable(address)}>"


def rcpt_rejected(mid: int, icid: int, address: str, reason: str = "Rejected by RAT") -> str:
    """A recipient was refused; `Rejected by Injection Control` stands for a limit."""
    return f"MID {mid} ICID {icid} To: <{printable(address)}> {printable(reason)}"


def rcpt_mapped(mid: int, icid: int, address: str, made: str, entry: str) -> str:
    """The domain map rewrote a recipient; what became of it stands in the next line. Ours."""
    return f"MID {mid} ICID {icid} domain map {printable(entry)} rewrote <{printable(address)}> to <{printable(made)}>"


def message_id(mid: int, value: str) -> str:
    """The Message-ID field, angle brackets included."""
    return f"MID {mid} Message-ID '{printable(value)}'"


def subject(mid: int, value: str) -> str:
    """The Subject field."""
    return f"MID {mid} Subject '{printable(value)}'"


def ready(mid: int, octets: int, address: str) -> str:
    """The mail data has arrived whole."""
    return f"MID {mid} ready {octets} bytes from <{printable(address)}>"


def queued(mid: int) -> str:
    """The message is on disk and was answered 250."""
    return f"MID {mid} queued for delivery"


def not_stored(mid: int, icid: int, reason: str) -> str:
    """The spool could not take the message, which was answered 451 or 452; ours."""
    return f"MID {mid} ICID {icid} not stored: {printable(reason)}"


def receiving_aborted(mid: int, reason: str = "Receiving aborted by sender") -> str:
    """A message ended before it was accepted: a lost connection, RSET, a refusal after the data."""
    return f"Message aborted MID {mid} {printable(reason)}"


def receiving_failed(icid: int, reason: str) -> str:
    """Mail data was refused: `Message loop`, `Message size exceeds limit`, `Connection limit exceeded`."""
    return f"ICID {icid} Receiving Failed: {printable(reason)}"


def sender_rejected(icid: int, address: str, reason: str) -> str:
    """MAIL was refused for its address: `envelope sender domain missing`."""
    return f"ICID {icid} Address: <{printable(address)}> sender rejected, {printable(reason)}"


def command_refused(icid: int, command: str, reply: str) -> str:
    """A command was refused by the protocol engine itself, for its syntax or its place; ours."""
    return f"ICID {icid} command '{printable(command)}' refused: {printable(reply)}"


def early_talker(icid: int) -> str:
    """The client talked before the banner; ours."""
    return f"ICID {icid} sent data before the greeting"


def icid_close(icid: int) -> str:
    """The session ended in order."""
    return f"ICID {icid} close"


def icid_lost(icid: int, reason: str = "") -> str:
    """The client went away in mid-session, or was put out."""
    return f"ICID {icid} lost: {printable(reason)}" if reason else f"ICID {icid} lost"


# -- delivery (8.2) ----------------------------------------------------------------------------------------------------


def new_dcid(dcid: int, interface: str, address: str, port: int) -> str:
    """A connection to a next hop stands; `interface` is our address."""
    return f"New SMTP DCID {dcid} interface {interface} address {address} port {port}"


def dcid_tls_success(dcid: int, protocol: str, cipher: str, domain: str) -> str:
    """TLS with a next hop succeeded and satisfied what `domain` requires."""
    return f"DCID {dcid} TLS success protocol {protocol} cipher {cipher} for {printable(domain)}"


def dcid_tls_failed(dcid: int, reason: str) -> str:
    """TLS with a next hop failed: `STARTTLS unexpected response`, `verify error: certificate has expired`."""
    return f"DCID {dcid} TLS failed: {printable(reason)}"


def dcid_tls_not_used(dcid: int, reason: str) -> str:
    """Mail goes in clear text, for the next hop offers nothing else and the setting allows it; ours."""
    return f"DCID {dcid} TLS not used: {printable(reason)}"


def dcid_tls_required_failed(dcid: int, address: str) -> str:
    """Mail that must be encrypted was held back."""
    return f"DCID {dcid} IP {address} TLS was required but could not be successfully negotiated"


def delivery_start(dcid: int, mid: int, rids: Sequence[int]) -> str:
    """A transaction with the next hop begins."""
    return f"Delivery start DCID {dcid} MID {mid} to RID {_list(rids)}"


def message_done(dcid: int, mid: int, rids: Sequence[int]) -> str:
    """The next hop took the message for these recipients."""
    return f"Message done DCID {dcid} MID {mid} to RID {_list(rids)}"


def response(mid: int, rids: Sequence[int], text: str) -> str:
    """What the next hop said when it took the message; the reply's text without its code."""
    return f"MID {mid} RID {_list(rids)} Response {printable(text)}"


def message_finished(mid: int) -> str:
    """Every recipient is settled."""
    return f"Message finished MID {mid} done"


def dcid_close(dcid: int) -> str:
    """The connection to a next hop ended."""
    return f"DCID {dcid} close"


def delayed(dcid: int, mid: int, rid: int, status: str, why: str, reply: str, code: str = "000") -> str:
    """A recipient will be tried again; `code` is 000 where the peer gave no reply, and `reply` then is the fault."""
    return f"Delayed: DCID {dcid} MID {mid} to RID {rid} - {_cause(status, why, code, reply)} []"


def pending_till(mid: int, rids: Sequence[int], when: float, profile: str) -> str:
    """When these recipients are tried next, by which bounce profile."""
    return f"MID {mid} to RID {_list(rids)} pending till {asctime(localtime(when))} [{profile}]"


def bounced(dcid: int, mid: int, rid: int, status: str, why: str, reply: str, code: str = "000") -> str:
    """A recipient failed for good; DCID 0: nothing was ever sent."""
    return f"Bounced: DCID {dcid} MID {mid} to RID {rid} - {_cause(status, why, code, reply)}"


def double_bounce(mid: int, rid: int, status: str, why: str, reply: str, code: str = "000") -> str:
    """A bounce bounced: nobody is left to tell (RFC 5321 6.1)."""
    return f"Double bounce: MID {mid} to {rid} - {_cause(status, why, code, reply)}"


def generated_for_bounce(mid: int, original: int) -> str:
    """A DSN was made."""
    return f"MID {mid} was generated for bounce of MID {original}"


def connection_error(dcid: int, address: str, details: str, interface: str, reason: str = "network error") -> str:
    """A connection to a next hop did not come about, or broke."""
    return (
        f"Connection Error: DCID: {dcid} IP: {address} details: {printable(details)} "
        f"interface: {interface} reason: {printable(reason)}"
    )


def deleted(mid: int, rids: Sequence[int]) -> str:
    """An operator deleted these recipients."""
    return f"Deleted: MID {mid} to {_list(rids)}"


def crashed(worker: int, mids: Sequence[int], trace: str) -> str:
    """The process before this one crashed, in a fault of a library; ours."""
    suspects = f"in hand were MID {_list(mids)}, which go out one at a time now" if mids else "no message is known to be why"
    return f"{internal_error(f'worker {worker}, which crashed', trace)}; {suspects}"


def redirected(mid: int, rids: Sequence[int], host: str) -> str:
    """An operator sends these recipients to another host than their domain's; ours."""
    return f"Redirected: MID {mid} to RID {_list(rids)} - to {printable(host)} by the administrator"


def held(mid: int, rids: Sequence[int], reason: str) -> str:
    """Recipients were set aside until an operator looks at them; ours."""
    return f"Held: MID {mid} to RID {_list(rids)} - {printable(reason)}"


def delivery_suspended() -> str:
    """Deliveries are off by an operator's wish."""
    return "Deliveries are currently suspended"


# -- the gateway itself: ours ------------------------------------------------------------------------------------------


def configuration_committed(revision: int, author: str, comment: str) -> str:
    """A configuration went live."""
    return f"Configuration revision {revision} committed by {printable(author)}: {printable(comment)}"


def spool_full(shard: int, reason: str) -> str:
    """New mail is answered 452 from now on."""
    return f"Spool shard {shard}: {printable(reason)}; new mail is answered 452 until there is more room, delivery goes on"


def spool_recovered(shard: int) -> str:
    """New mail is accepted again."""
    return f"Spool shard {shard}: there is room again, and new mail is accepted"


def outcomes_unwritable(reason: str) -> str:
    """Deliveries wait for room on the disk; ours."""
    return f"What became of deliveries cannot be written: {printable(reason)}; they wait, and it is tried again"


def outcomes_recovered() -> str:
    """Deliveries go on."""
    return "What became of deliveries is written again"


def shard_sick(shard: int, reason: str) -> str:
    """A shard's disk failed a write or a sync."""
    return f"Spool shard {shard} failed: {printable(reason)}; new mail is answered 451"


def shard_adopted(shard: int, worker: int, messages: int) -> str:
    """A shard that no worker owned any more was emptied into a worker's own."""
    return f"Spool shard {shard} adopted by worker {worker}: {messages} message{'' if messages == 1 else 's'}"


def shard_not_adopted(shard: int, reason: str, wait: float) -> str:
    """A shard that no worker owns cannot be emptied; its mail stays in it."""
    return f"Spool shard {shard} cannot be adopted: {printable(reason)}; its mail stays there, next try in {wait:.0f} s"


def shard_repaired(shard: int, report: str) -> str:
    """A damaged shard was opened after all; `report` names the files."""
    return f"Spool shard {shard} was damaged: {printable(report)}"


def clock_jumped(seconds: float) -> str:
    """Wall clock and monotonic clock parted."""
    return f"Clock jumped {'forward' if seconds > 0 else 'back'} by {abs(seconds):.0f} s; time limits are not affected"


def internal_error(where: str, trace: str) -> str:
    """A bug: the traceback in one line, of a long one the end, which names the error and the innermost frames."""
    told = " / ".join(line.strip() for line in trace.splitlines() if line.strip("\t ^~"))
    return f"Internal error in {printable(where)}: {printable(told[-LIMIT:])}"


def gateway_serves(version: str, up: int, workers: int, places: Sequence[str]) -> str:
    """The workers have started, all or as many as could."""
    many = f"{up} of {workers} workers" if up < workers else f"{workers} worker{'' if workers == 1 else 's'}"
    return f"Gatepost {version} serves with {many}: {', '.join(map(printable, places)) or 'no listener is configured yet'}"


def gateway_stops() -> str:
    """An operator ends the service."""
    return "Gatepost stops: no new sessions, transactions under way may finish"


def running_as_root() -> str:
    """Nobody named a user to become."""
    return "Gatepost runs as root; `--user NAME` gives that up once the ports are bound"


def certificate_alarm(problem: str) -> str:
    """A certificate of ours that is in use has expired or soon will; said at the start and once a day."""
    return f"Certificate alarm: {printable(problem)}"


def nothing_committed() -> str:
    """The first start of all."""
    return "Nothing is committed yet, so no listener is open: `gatepost config import FILE`, then `gatepost config commit`"


def last_good_in_force(reason: str) -> str:
    """The configuration's store is damaged; mail goes on under the copy beside it."""
    return f"{printable(reason)}; going on with that copy, and commits are refused until it is mended"


def revision_not_in_force(reason: str) -> str:
    """A revision that was committed while the service started cannot be taken."""
    return f"The latest revision is not in force: {printable(reason)}"


def worker_failed(worker: int, reason: str) -> str:
    """A worker process cannot begin; the others serve."""
    return f"Worker {worker} cannot start: {printable(reason)}"


def worker_ended(worker: int, how: str, wait: float) -> str:
    """A worker process is gone, and another one takes its place."""
    return f"Worker {worker} ended {how}; it is started again on the same shard {f'in {wait:g} s' if wait else 'at once'}"


def attendant_ended(name: str, how: str, wait: float) -> str:
    """A process that mail can do without is gone although it is wanted, and is started again."""
    when = f"in {wait:g} seconds" if wait else "at once"
    return f"The process of the {printable(name)} ended {how}; it is started again {when}"


def worker_serves(worker: int) -> str:
    """A worker that was started once more has opened its shard and listens."""
    return f"Worker {worker} serves again"


def worker_silent(worker: int, pid: int, seconds: float) -> str:
    """A worker process hangs, or was stopped."""
    return f"Worker {worker} (process {pid}) has said nothing for {seconds:g} s; it is replaced"


def worker_unconfigured(worker: int, reason: str) -> str:
    """A worker process could not take a revision that all others have."""
    return f"Worker {worker} could not take the configuration: {printable(reason)}; it is replaced"


def workers_killed(number: int, seconds: float) -> str:
    """The grace of a stop is over."""
    return f"{number} of the workers did not end within {seconds:g} s and were killed; their mail is on disk"


def numbers_lost(file: str, reason: str) -> str:
    """The book of numbers is no guide any more."""
    return f"{printable(file)} {printable(reason)}; ICID, MID and DCID go on from the clock, so that none comes twice"


def still_suspended(listeners: Sequence[str], deliveries: bool) -> str:
    """The gateway starts, and an operator's suspension from before goes on."""
    told = []
    if listeners:
        told.append(f"receiving on {', '.join(map(printable, listeners))} (gatepost listener resume)")
    if deliveries:
        told.append("delivery (gatepost queue resume)")
    return f"Still suspended since before the start: {' and '.join(told)}"


def suspension_lost(file: str, reason: str) -> str:
    """Nobody knows what was suspended."""
    return (
        f"{printable(file)} cannot be read ({printable(reason)}): delivery is suspended, for it may have been before; "
        "`gatepost queue resume` begins it"
    )


def no_numbers(reason: str) -> str:
    """A worker waits for numbers, and may run out of them."""
    return f"No new numbers for connections and messages: {printable(reason)}; it is tried again each second"


def metrics_not_served(address: str, reason: str) -> str:
    """Prometheus finds nobody; mail is not concerned."""
    return f"Metrics cannot be served on {printable(address)}: {printable(reason)}"


def lines_lost(number: int, reason: str) -> str:
    """The log can be written again and says what it lacks."""
    lost = "1 log line was lost" if number == 1 else f"{number} log lines were lost"
    return f"{lost} while the log could not be written: {printable(reason)}"


def records_unwritable(reason: str) -> str:
    """Records wait in memory."""
    return f"Records cannot be written: {printable(reason)}; mail goes on, and records are kept as long as memory allows"


def records_recovered() -> str:
    """Records are written again."""
    return "Records are written again"


def records_lost(number: int, reason: str) -> str:
    """What the records lack."""
    return f"{'1 record was' if number == 1 else f'{number} records were'} lost: {printable(reason)}"


def records_damaged(path: str, aside: str, reason: str) -> str:
    """The records database was set aside, never deleted."""
    return f"Records database {path} is damaged ({printable(reason)}); it was set aside as {aside} and a new one begun"


def records_gap(worker: int) -> str:
    """A worker's last run ended without a flush."""
    return f"Worker {worker} ended without closing its records; those of its last second may be missing"


def _list(rids: Sequence[int]) -> str:
    return f"[{rids[0]}]" if len(rids) == 1 else str([*rids])


def _cause(status: str, why: str, code: str, reply: str) -> str:
    """`5.1.0 - Unknown address error ('501', ['5.5.4 Invalid Address'])`; a list printed by Python is printable already.

    A reply may have a thousand lines, and each recipient tells it: it is cut as a whole.
    """
    if len(reply) > LIMIT:
        reply = f"{reply[: LIMIT - 1]}…"
    return f"{status} - {printable(why)} ('{code}', {[printable(line) for line in reply.splitlines()]})"
