"""The cells of the vectors as HTTP servers on loopback, which answer as the case in play says."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.router.framing.loop_thread import LoopThread
from tests.router.vectors.cases import Answer, Play, Request
from tests.router.vectors.world import CELLS


class ScriptedCells:
    """One server for each cell."""

    def __init__(self) -> None:
        self.play: Play | None = None
        self._ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._writers: set[asyncio.StreamWriter] = set()

    def url_of(self, cell: str) -> str:
        """Return where `cell` is."""
        return f"http://127.0.0.1:{self._ports[cell]}"

    async def open(self) -> None:
        """Listen."""
        for cell in CELLS:
            server = await asyncio.start_server(self._serving(cell), "127.0.0.1", 0)
            self._servers.append(server)
            self._ports[cell] = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End every connection."""
        for server in self._servers:
            server.close()
        for writer in self._writers:
            writer.close()

    def _serving(self, cell: str):  # type: ignore[no-untyped-def]
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._writers.add(writer)
            try:
                while (request := await _read(reader)) is not None:
                    assert self.play is not None
                    answer = self.play.ask(cell, request)
                    if not isinstance(answer, Answer):
                        break
                    writer.write(_written(answer))
                    await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError):
                pass
            finally:
                self._writers.discard(writer)
                writer.close()

        return serve


@contextmanager
def scripted_cells() -> Iterator[ScriptedCells]:
    """Run the cells in a thread."""
    cells = ScriptedCells()
    thread = LoopThread("cells")
    thread.start()
    thread.run(cells.open())
    try:
        yield cells
    finally:
        thread.run(cells.close())
        thread.stop()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


def _written(answer: Answer) -> bytes:
    headers: Mapping[str, str] = {**answer.headers, "content-length": str(len(answer.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Any\r\n{lines}\r\n".encode("latin-1") + answer.body
