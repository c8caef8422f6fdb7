"""TLS without sockets: the engine over memory BIOs, contexts, the ClientHello, certificates and identities.

The TLS library is loaded here, before any module of the package can, with a configuration file of our own for this one
moment. The file says what the library can be told in no other way: pyOpenSSL's binding lacks SSL_CTX_set_num_tickets, and
OpenSSL sends two tickets behind each handshake of TLS 1.3 even where none will ever be honoured (SSL_OP_NO_TICKET only
changes what is in them). Where OPENSSL_CONF is set, that file is the administrator's and stands; where somebody else loaded
the library before, tickets are sent, and are worth nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

_VARIABLE = "OPENSSL_CONF"


def _load_library() -> None:
    ours = _VARIABLE not in os.environ
    if ours:
        os.environ[_VARIABLE] = str(Path(__file__).with_name("openssl.cnf"))
    try:
        import cryptography.hazmat.bindings.openssl.binding  # noqa: F401  # reads the file as it is imported
    finally:
        if ours:  # other libraries of this process, and its children, have files of their own
            del os.environ[_VARIABLE]


_load_library()
