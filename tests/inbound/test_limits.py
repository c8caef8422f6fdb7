"""The three clocks of a session."""

from gatepost.inbound.limits import BLOCK, Clocks
from gatepost.smtp import reply


def clocks() -> Clocks:
    return Clocks(100.0, command=50, unsuccessful=80, total=200)


def test_the_shortest_clock_counts() -> None:
    c = clocks()
    assert c.deadline == 150
    c.answered(145.0)
    assert c.deadline == 180
    c.message_accepted()
    c.answered(145.0)
    assert c.deadline == 195


def test_octets_that_make_no_command_move_nothing() -> None:
    c = clocks()
    assert c.deadline == 150
    assert c.farewell(150.0) == reply.COMMAND_TIMEOUT


def test_mail_data_moves_the_clock_block_by_block() -> None:
    c = clocks()
    c.message_accepted()
    for second in range(1, 40):
        c.mail_data(10, 100.0 + second)
    assert c.deadline == 150
    c.mail_data(BLOCK - 390, 140.0)
    assert c.deadline == 190


def test_each_clock_has_its_farewell() -> None:
    c = clocks()
    c.answered(179.0)
    assert c.farewell(180.0) == reply.UNSUCCESSFUL_TIMEOUT
    c.message_accepted()
    assert c.farewell(300.0) == reply.CONNECTION_TIME_EXCEEDED


def test_a_message_is_not_begun_when_the_end_is_near() -> None:
    c = clocks()
    assert not c.refuses_message(259.0)
    assert c.refuses_message(260.0)


def test_a_private_listener_has_no_clock_for_the_first_message() -> None:
    c = Clocks(0.0, command=500, unsuccessful=0, total=200)
    assert c.deadline == 200
