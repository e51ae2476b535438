"""Runs the admin application under uvicorn, inside the supervisor's event loop.

uvicorn may neither take the signals, which are the supervisor's, nor set up logging.
"""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn

_CONNECTIONS_MAX: Final = 64
_KEEP_ALIVE_S: Final = 15
_SHUTDOWN_S: Final = 2


class AdminServer:
    """Serves until told to stop."""

    def __init__(self, app: Any, listener: socket.socket) -> None:  # noqa: ANN401 - ASGI
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                limit_concurrency=_CONNECTIONS_MAX,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_SHUTDOWN_S,
            )
        )

    async def serve(self) -> None:
        """Answer until `stop`."""
        await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """Let `serve` return soon."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
