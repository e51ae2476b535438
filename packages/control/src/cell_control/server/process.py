"""Runs the control plane behind uvicorn until it is told to stop, then stops it in order.

uvicorn may neither take the signals, which are this process's, nor set up logging.
"""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from cell_control.server.control_plane import ControlPlane
from cell_control.server.event_log import EventLog

KEEP_ALIVE_S: Final = 75
HEAD_BYTES_MAX: Final = 16 * 1024
BACKLOG: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where and how to listen.

    Attributes:
        tls: Certificate and key; None where an ingress ends TLS, or in the local world.
        stop_s: What requests in flight and a cut-over under way get at a stop.
    """

    address: str
    port: int
    tls: tuple[Path, Path] | None
    connections_max: int
    stop_s: float


async def serve(plane: ControlPlane, listening: Listening, log: EventLog) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: The address cannot be listened on.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        await serve_until(plane, listening, log, told)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def serve_until(
    plane: ControlPlane, listening: Listening, log: EventLog, told: asyncio.Event
) -> None:
    """Serve until `told` is set.

    Raises:
        OSError: The address cannot be listened on.
    """
    listener = _listen(listening)
    server = _Server(_config(plane, listening))
    await plane.start()
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    log.say("listening", port=listener.getsockname()[1])
    stopping = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        log.say("stopping")
        plane.drain()
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        await plane.stop(listening.stop_s)
        log.say("stopped")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _config(plane: ControlPlane, listening: Listening) -> uvicorn.Config:
    config = uvicorn.Config(
        plane.app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
        limit_concurrency=listening.connections_max,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(listening.stop_s)),
    )
    if listening.tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*listening.tls)
        config.load()
        config.ssl = context
    return config


def _listen(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.address else socket.AF_INET
    listener = socket.create_server(
        (listening.address, listening.port), family=family, backlog=BACKLOG
    )
    listener.setblocking(False)  # noqa: FBT003 - the standard library's signature
    return listener
