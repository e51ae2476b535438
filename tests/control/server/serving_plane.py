"""A control plane behind its real listener on loopback, in a thread with a loop of its own."""

import asyncio
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cell_control.ports import Registry
from cell_control.server.config import Loops
from cell_control.server.control_plane import ControlPlane
from cell_control.server.process import Listening, serve_until
from tests.control.server.plane import NO_LOOPS, SEEN_S, given_of


class Served:
    """Where it listens, once it does."""

    def __init__(self) -> None:
        self.log = Announcing()
        self.told: asyncio.Event | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.log.port}/v1/registry"


class Announcing(io.StringIO):
    """A log that notices on which port is listened."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.listening = threading.Event()

    def write(self, text: str) -> int:
        if '"event":"listening"' in text:
            self.port = int(text.rpartition('"port":')[2].split("}")[0])
            self.listening.set()
        return super().write(text)


@contextmanager
def served(
    folder: Path, registry: Registry, port: int = 0, loops: Loops = NO_LOOPS
) -> Iterator[Served]:
    """Serve `registry` until the block ends."""
    plane = Served()

    async def run() -> None:
        plane.loop, plane.told = asyncio.get_running_loop(), asyncio.Event()
        given = given_of(folder, registry, None, loops, plane.log)
        listening = Listening(
            address="127.0.0.1", port=port, tls=None, connections_max=64, stop_s=0.5
        )
        await serve_until(ControlPlane(given), listening, given.machine.log, plane.told)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert plane.log.listening.wait(SEEN_S)
        yield plane
    finally:
        assert plane.loop is not None
        assert plane.told is not None
        plane.loop.call_soon_threadsafe(plane.told.set)
        thread.join()
