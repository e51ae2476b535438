"""The sockets that clients connect to: who gets a connection, and who is left waiting."""

import select
import socket
from contextlib import ExitStack

import pytest

from cell_router.server.listeners import close_listeners, open_listeners, reopen_listener

TIMEOUT_S = 10.0


@pytest.fixture
def listeners():
    opened = open_listeners("127.0.0.1", 0, 2)
    yield opened
    close_listeners(opened)


@pytest.fixture
def held():
    with ExitStack() as stack:
        yield stack


def connect(listener, held):
    return held.enter_context(socket.create_connection(listener.getsockname(), timeout=TIMEOUT_S))


def waiting(listener):
    """Return how many connections could be accepted."""
    count = 0
    while select.select([listener], [], [], 0)[0]:
        listener.accept()[0].close()
        count += 1
    return count


def test_all_share_one_port(listeners):
    assert len({listener.getsockname() for listener in listeners}) == 1


def test_a_socket_gets_nothing_before_its_worker_listens(listeners, held):
    with pytest.raises(ConnectionRefusedError):
        connect(listeners[0], held)

    listeners[1].listen()
    for _ in range(20):
        connect(listeners[0], held)

    assert waiting(listeners[1]) == 20


def test_those_who_wait_for_nobody_are_let_go_and_the_rest_goes_elsewhere(listeners, held):
    listeners[0].listen()
    left = connect(listeners[0], held)
    listeners[1].listen()

    reopen_listener(listeners, 0)
    for _ in range(20):
        connect(listeners[0], held)

    with pytest.raises(ConnectionResetError):
        left.recv(1)
    assert waiting(listeners[1]) == 20


def test_the_new_socket_takes_its_share_again_once_it_listens(listeners, held):
    for listener in listeners:
        listener.listen()
    reopen_listener(listeners, 0)
    listeners[0].listen()

    for _ in range(200):
        connect(listeners[0], held)

    assert all(waiting(listener) for listener in listeners)


def test_the_port_stays_taken_while_nobody_listens(listeners):
    address = listeners[0].getsockname()
    for slot in (0, 1):
        reopen_listener(listeners, slot)

    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(address)
