"""Listening sockets: all or nothing, kept over a commit, told in words."""

import socket

import pytest

from gatepost.config.model import Config, Listener
from gatepost.service.sockets import BindError, Sockets, discard
from tests.support.process import free_port, listening


def config(**ports: int) -> Config:
    return Config(listeners={name: Listener(address="127.0.0.1", port=port) for name, port in ports.items()})


def test_a_port_in_use_is_refused_whole_and_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free, used = free_port(), taken.getsockname()[1]
        with pytest.raises(BindError, match=f"listener B: cannot listen on 127.0.0.1 port {used}: .*another port"):
            Sockets().prepare(config(A=free, B=used))
        assert not listening(free)


def test_a_commit_keeps_what_stays_and_closes_what_goes() -> None:
    sockets = Sockets()
    stays, goes, comes = free_port(), free_port(), free_port()
    first = config(A=stays, B=goes)
    before = sockets.adopt(sockets.prepare(first), first)
    second = config(A=stays, C=comes)
    fresh = sockets.prepare(second)
    assert list(fresh) == [("127.0.0.1", comes)]
    after = sockets.adopt(fresh, second)
    assert after["A"] is before["A"]
    assert [listening(port) for port in (stays, goes, comes)] == [True, False, True]
    sockets.close()
    assert not listening(stays)


def test_what_was_prepared_in_vain_is_closed() -> None:
    port = free_port()
    fresh = Sockets().prepare(config(A=port))
    assert listening(port)
    discard(fresh)
    assert not listening(port)
