"""Listening sockets: all or nothing, kept over a commit, told in words."""

import os
import socket

import pytest

from gatepost.config.model import Config, Listener
from gatepost.service.sockets import AT_ONCE, BindError, Sockets, discard, receive, send
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


def test_a_listener_may_move_to_an_address_that_holds_the_old_one() -> None:
    sockets, port = Sockets(), free_port()
    first = config(A=port)
    sockets.adopt(sockets.prepare(first), first)
    second = Config(listeners={"A": Listener(address="0.0.0.0", port=port)})
    fresh = sockets.prepare(second)
    with pytest.raises(BindError, match="Address already in use"):
        Sockets().prepare(second)  # nobody else may
    sockets.adopt(fresh, second)
    assert listening(port)
    with pytest.raises(BindError, match="Address already in use"):
        Sockets().prepare(first)
    sockets.close()
    assert not listening(port)


def test_more_sockets_than_one_message_carries_go_over_with_their_names() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sent = {f"L{number}": socket.socket() for number in range(AT_ONCE + 3)}
    with ours, theirs:
        send(ours, sent.values())
        received = receive(theirs, list(sent))
    for name, sock in sent.items():
        assert os.fstat(sock.fileno()).st_ino == os.fstat(received[name].fileno()).st_ino
        sock.close()
        received[name].close()
