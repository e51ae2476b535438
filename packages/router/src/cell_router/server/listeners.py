"""The sockets that clients connect to: one a worker slot, bound and kept by the supervisor.

A worker listens on its own once it can serve: until then the kernel gives new connections to the
others. One that ends leaves its socket's queue to the next, so that no connection is lost.
"""

import socket
from typing import Final

BACKLOG: Final = 4096


def open_listeners(address: str, port: int, slots: int) -> list[socket.socket]:
    """Return `slots` sockets that share `address` and `port`; port 0 takes a free one.

    They are bound, and listen once a worker does.

    Raises:
        OSError: The address is not this machine's, or the port is taken.
    """
    opened: list[socket.socket] = []
    try:
        for _ in range(slots):
            opened.append(_bind(address, port))
            port = opened[0].getsockname()[1]
    except OSError:
        close_listeners(opened)
        raise
    return opened


def reopen_listener(listeners: list[socket.socket], slot: int) -> None:
    """Put a new socket in place of the one of `slot`, whose queue nobody serves, and end that.

    Raises:
        OSError: There is no other; the old one is as it was.
    """
    old = listeners[slot]
    address, port = old.getsockname()[:2]
    listeners[slot] = _bind(address, port)  # Before the old one is closed: the port stays ours.
    old.close()


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


def _bind(address: str, port: int) -> socket.socket:
    listener = socket.socket(_family(address), socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # Accepted ones inherit it.
        listener.bind((address, port))
        listener.settimeout(0)
    except OSError:
        listener.close()
        raise
    return listener


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
