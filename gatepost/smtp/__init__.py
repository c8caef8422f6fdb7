"""SMTP (RFC 5321) without I/O: grammar, replies, and one engine for each side. No socket, clock, config or policy."""
