"""A router as one writes it with starlette and aiohttp."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import uvicorn
from edge_work import Edge, Refused, read_settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

settings = read_settings()
edge = Edge(settings)
KEPT = ("content-type", "etag", "cache-control", "x-request-id", "x-cell", "x-tenant-epoch")


@asynccontextmanager
async def client(app: Starlette) -> AsyncIterator[None]:
    """Hold one pool for the app's life."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3600)
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        app.state.session = session
        yield


async def process(request: Request) -> Response:
    """Pass the request to its tenant's cell."""
    body = await request.body()
    given = request.headers
    try:
        url, headers = edge.route(given.get("x-tenant-id"), body, given.get("authorization"))
    except Refused as refused:
        return Response(status_code=refused.status)
    session = request.app.state.session
    async with session.post(url + request.url.path, data=body, headers=headers) as answer:
        kept = {name: answer.headers[name] for name in KEPT if name in answer.headers}
        return Response(await answer.read(), answer.status, kept)


app = Starlette(
    routes=[Route("/{path:path}", process, methods=["POST"])],
    lifespan=client,
)

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=settings["port"],
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=3600,
        backlog=1024,
    )
