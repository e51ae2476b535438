"""Keeps a port of 127.0.0.1 ours while its server is down, so that it can come back there.

It never listens: a client that connects while no server does is refused, as if the host were off.
"""

import socket
from typing import Self


class HeldPort:
    """A bound socket that does not listen; a server may bind the same port beside it.

    Linux lets two sockets share a port when both set SO_REUSEADDR and at most one listens. Every
    server of the local world sets it. `release` before a server that does not.
    """

    def __init__(self, port: int = 0) -> None:
        """Take `port`, or a free one for 0. Raises `OSError` if another process listens there."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def release(self) -> None:
        """Give the port back."""
        self._socket.close()
