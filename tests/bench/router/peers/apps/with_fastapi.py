"""A router as one writes it with FastAPI and httpx."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from edge_work import Edge, Refused, read_settings
from fastapi import FastAPI, HTTPException, Request, Response

settings = read_settings()
edge = Edge(settings)
KEPT = ("content-type", "etag", "cache-control", "x-request-id", "x-cell", "x-tenant-epoch")


@asynccontextmanager
async def client(app: FastAPI) -> AsyncIterator[None]:
    """Hold one pool for the app's life."""
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=None, keepalive_expiry=3600
    )
    async with httpx.AsyncClient(timeout=5, limits=limits, trust_env=False) as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=client)


@app.post("/{path:path}")
async def process(path: str, request: Request) -> Response:
    """Pass the request to its tenant's cell."""
    body = await request.body()
    given = request.headers
    try:
        url, headers = edge.route(given.get("x-tenant-id"), body, given.get("authorization"))
    except Refused as refused:
        raise HTTPException(refused.status) from None
    answer = await request.app.state.session.post(f"{url}/{path}", content=body, headers=headers)
    kept = {name: answer.headers[name] for name in KEPT if name in answer.headers}
    return Response(answer.content, answer.status_code, kept)


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
