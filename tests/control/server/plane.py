"""A control plane in memory: the real application and loops over real cells, without a socket.

Cells are reached through a transport that calls them; the clock is the machine's, as loops wait on
it, and no test waits for it: each waits for what it wants to see.
"""

import asyncio
import io
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.domain.records import Probe
from cell_control.ports import Registry
from cell_control.server.cell_addresses import CellPolicy
from cell_control.server.config import Loops
from cell_control.server.control_plane import ControlPlane
from cell_control.server.event_log import EventLog
from cell_control.server.given import CONTRACT, Given
from cell_control.server.machine import Machine
from cell_control.server.roles import Role
from cell_control.server.token_file import NO_TOKENS, TEXTS, with_token, write_token_file
from cell_control.server.tokens import TokenBook
from cell_control.service.cells import Cells
from cell_core.wire.bearer_text import ENTROPY_BYTES
from cell_core.wire.message import Request
from tests.control.bench import CELLS, BenchCell
from tests.core.granting import control_key
from tests.core.registering import signer

SEEN_S: Final = 20.0
"""How long a test waits for what it wants to see before it fails."""

QUICK: Final = Loops(sweep_s=0.05)
NO_LOOPS: Final = Loops(run=False)


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


@cache
def token(role: str) -> str:
    """Return the token of a role; the same one each time."""
    seed = role.encode().ljust(ENTROPY_BYTES, b".")
    return TEXTS.make("local", seed).text


def write_tokens(path: Path) -> Path:
    """Write a file with one token for each role."""
    file = NO_TOKENS
    for role in Role:
        made = TEXTS.make("local", role.value.encode().ljust(ENTROPY_BYTES, b"."))
        file = with_token(file, made, name=role.value, role=role, now_s=0, expires_s=None)
    path.write_bytes(write_token_file(file))
    return path


class CellsTransport(httpx.AsyncBaseTransport):
    """Reaches the cells of a bench by their hosts' first label."""

    def __init__(self) -> None:
        clock: Any = SystemClock()
        self.cells = {id_: BenchCell(id_, clock) for id_ in CELLS}
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        cell = self.cells[request.url.host.partition(".")[0]]
        self.asked.append(request)
        if cell.is_dark:
            raise httpx.ConnectError("dark")
        answer = cell.app.handle(
            Request(
                method=request.method,
                path=request.url.path,
                query=request.url.query.decode(),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.aread(),
            )
        )
        stream = httpx.ByteStream(answer.body)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=stream)


class Plane:
    """A running control plane and a client for each role."""

    def __init__(self, control: ControlPlane, registry: Registry, log: io.StringIO) -> None:
        self.control = control
        self.registry = registry
        self.log = log
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(control.app, raise_app_exceptions=False),
            base_url="http://control.test",
        )

    async def ask(
        self, method: str, path: str, body: Any = None, *, role: str = "admin", **given: Any
    ) -> httpx.Response:
        """Send one request with the token of `role`; without one if that is empty."""
        headers = {"authorization": f"Bearer {token(role)}"} if role else {}
        headers |= given.pop("headers", {})
        return await self._http.request(method, path, json=body, headers=headers, **given)

    async def ok(self, method: str, path: str, body: Any = None, **given: Any) -> Any:
        """Send one request that has to succeed; return its JSON."""
        answer = await self.ask(method, path, body, **given)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    async def until(self, holds: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Look until `holds` returns something true, at each change of the registry."""
        async with asyncio.timeout(SEEN_S):
            while True:
                rev = self.control.reach.watcher.rev
                found = await holds()
                if found:
                    return found
                assert what
                await self.control.reach.watcher.above(rev, 0.05)

    async def declare(self, ordinal: int, **fields: Any) -> str:
        """Declare a cell of the bench and let it take tenants."""
        cell = CELLS[ordinal - 1]
        body = {
            "ordinal": ordinal,
            "cloud": cell.partition("-")[0],
            "region": "local",
            "base_url": f"https://{cell}.example",
            **fields,
        }
        await self.ok("PUT", f"/v1/cells/{cell}", body)
        # As a probe would find it, which takes 50 requests.
        found = Probe(at_ms=time.time_ns() // 1_000_000, contract=CONTRACT)
        Cells(self.control.reach.desk).probed(cell, found, by="probe")
        await self.ok("POST", f"/v1/cells/{cell}/lifecycle", {"to": "active"})
        return cell

    def lines(self, event: str) -> list[Mapping[str, Any]]:
        """Return the lines of the log with this event."""
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in found if line["event"] == event]


@asynccontextmanager
async def running(
    folder: Path,
    *,
    registry: Registry | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    loops: Loops = NO_LOOPS,
    **given: Any,
) -> AsyncIterator[Plane]:
    """Run a control plane until the block ends."""
    log = io.StringIO()
    held = registry or MemoryRegistry()
    control = ControlPlane(given_of(folder, held, transport, loops, log, **given))
    plane = Plane(control, held, log)
    await control.start()
    try:
        await plane.until(ready(control), "the plane is ready")
        yield plane
    finally:
        await control.stop(0.0)


def given_of(
    folder: Path,
    registry: Registry,
    transport: httpx.AsyncBaseTransport | None,
    loops: Loops,
    log: io.StringIO,
    **given: Any,
) -> Given:
    clock = SystemClock()
    counter = iter(range(10**9))
    machine = Machine(
        clock=clock,
        now_s=time.monotonic,
        sleep=lambda _seconds: None,
        generator=random.Random(1),
        new_id=lambda: f"id-{next(counter)}",
        process="cp-test",
        log=EventLog(log, clock.now_ms),
    )
    tokens = TokenBook(write_tokens(folder / "tokens.json"), local=True, now_s=machine.wall_s)
    made = {
        "machine": machine,
        "registry": registry,
        "tokens": tokens,
        "signer": signer(),
        "grants": control_key().signer(),
        "transport": transport or CellsTransport(),
        "policy": CellPolicy(local=True),
        "connections_max": 8,
        "loops": loops,
    }
    return Given(**{**made, **given})


def ready(control: ControlPlane) -> Callable[[], Awaitable[bool]]:
    """Return what says whether it follows its registry, and no recovery runs."""

    async def holds() -> bool:
        return control.reach.watcher.reachable and not control.work.recoveries.running

    return holds
