"""A link to a database that is cut at a word of the client's: before it is passed on, or after."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

When = Literal["before", "answered"]


class CutLink:
    """Passes bytes between clients and one server on 127.0.0.1.

    Attributes:
        port: Where clients connect to.
        cuts: How many connections were cut.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cuts = 0
        self._word: bytes | None = None
        self._when: When = "before"

    def cut_at(self, word: bytes, when: When) -> None:
        """Cut the next connection whose client says `word`.

        That is before the server hears it, or after it has answered and nobody hears that.
        """
        self._when, self._word = when, word

    def serve(self) -> None:
        """Accept until `stop`."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def stop(self) -> None:
        """Accept no more; may be called twice."""
        with contextlib.suppress(OSError):
            # Closing alone does not wake a thread that accepts.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    def _pass(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._server_port))
        with client, server, contextlib.suppress(OSError):
            while self._pass_some(client, server):
                pass

    def _pass_some(self, client: socket.socket, server: socket.socket) -> bool:
        readable, _, _ = select.select([client, server], [], [])
        for source in readable:
            data = source.recv(65536)
            if not data:
                return False
            if source is client and self._word and self._word in data:
                self._word = None
                self.cuts += 1
                if self._when == "answered":
                    server.sendall(data)
                    server.recv(65536)
                return False
            (server if source is client else client).sendall(data)
        return True


@contextmanager
def cut_link(port: int) -> Iterator[CutLink]:
    """Run a link to the server at `port`."""
    link = CutLink(port)
    serving = threading.Thread(target=link.serve)
    serving.start()
    try:
        yield link
    finally:
        link.stop()
        serving.join(timeout=30)
