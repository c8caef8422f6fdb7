"""The faults that Gatepost knows by name.

A refusal is a value (`smtp.reply.Reply`); a fault is one of these exceptions. Anything else that is raised is a bug: the
session it was raised in answers 421 and is closed, the traceback goes to the log, and nothing else is touched.
"""

from __future__ import annotations


class GatepostError(Exception):
    """A fault told in one clear sentence: what is wrong, where, and how to mend it."""


class WireError(GatepostError):
    """The connection to a peer is of no further use."""


class WireClosed(WireError):
    """The peer closed or reset the connection."""


class WireTimeout(WireError):
    """The peer let a deadline pass, in reading or in writing."""


class TlsFailure(WireError):
    """A handshake or a TLS record failed; the text says which side had what."""


class SpoolFull(GatepostError):
    """Free space or free inodes are below the floor: answer 452 and accept nothing new."""


class SpoolSick(GatepostError):
    """The shard's disk failed a sync or a write: what was being committed may or may not be there (answer 451)."""


class StateError(GatepostError):
    """A file below the state directory is damaged, locked by another process, or of an unknown version."""


class Conflict(GatepostError):
    """The draft was changed by somebody else since it was read; nothing was overwritten."""


class ControlError(GatepostError):
    """The running service could not be reached, or refused a request."""
