"""A worker that is flooded refuses at once, and does nothing else for it."""

import asyncio
import json

from tests.router.framing.edge import edge
from tests.router.framing.samples import get
from tests.router.framing.upstream import Upstream, echo


async def flood(serving) -> None:
    serving.close()  # The clock stands: it does not look again.
    serving._is_flooded = True


def ask(port: int) -> tuple[bytes, bytes]:
    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(get())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        return head + body

    head, _, body = asyncio.run(talk()).partition(b"\r\n\r\n")
    return head, body


def test_a_flooded_worker_says_so_and_asks_no_cell():
    with Upstream(echo) as upstream, edge(upstream.port) as served:
        served._thread.run(flood(served._serving))

        head, body = ask(served.port)

        assert head.startswith(b"HTTP/1.1 503 ")
        assert json.loads(body)["code"] == "overloaded"
        assert b"retry-after: 1" in head
        assert b"x-request-id: " in head
        assert upstream.requests == []
