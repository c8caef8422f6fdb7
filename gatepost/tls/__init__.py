"""TLS without sockets: the engine over memory BIOs, contexts, the ClientHello, certificates and identities."""
