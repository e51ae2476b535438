"""The sockets that clients connect to: one a worker slot, made and kept by the supervisor.

A worker that ends leaves its socket's queue to the next one, so no connection is lost.
"""

import socket
from typing import Final

BACKLOG: Final = 4096


def open_listeners(address: str, port: int, slots: int) -> list[socket.socket]:
    """Return `slots` listening sockets that share `address` and `port`; port 0 takes a free one.

    Raises:
        OSError: The address is not this machine's, or the port is taken.
    """
    opened: list[socket.socket] = []
    try:
        for _ in range(slots):
            opened.append(_listen(address, port))
            port = opened[0].getsockname()[1]
    except OSError:
        close_listeners(opened)
        raise
    return opened


def open_admin_listener(address: str, port: int) -> socket.socket:
    """Return a listening socket that nobody else shares.

    Raises:
        OSError: As `open_listeners`.
    """
    family = _family(address)
    return socket.create_server((address, port), family=family, backlog=128)


def close_listeners(listeners: list[socket.socket]) -> None:
    """Close them."""
    for listener in listeners:
        listener.close()


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Accepted ones inherit it.
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.settimeout(0)
    except OSError:
        listener.close()
        raise
    return listener


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
