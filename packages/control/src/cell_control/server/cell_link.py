"""Asks cells over HTTP: bounded, judged before it connects, never redirected, nothing retried.

What a cell answers is untrusted: its size is bounded and its JSON read strictly. Refuses to let one
cell take the connections of another.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import httpx

from cell_control.domain.records import Cell
from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from cell_control.server.cell_addresses import CellAddresses, CellUnreachable
from cell_control.server.cell_grants import CellGrants
from cell_core.domain.canonical import canonical, parse
from cell_core.domain.errors import InvalidInput
from cell_core.wire.message import AUTHORIZATION, DEADLINE
from cell_core.wire.registry_addresses import address_refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANSWER_BYTES_MAX: Final = 6 * 1024 * 1024
CONNECT_S: Final = 2.0
RAW_S: Final = 10.0
"""For a request of a probe."""

IDLE_S: Final = 20.0
ALL_CONNECTIONS_MAX: Final = 1024

_PREFIX: Final = "/v1/control/tenants"

Observe = Callable[[str, str, float], None]
"""Told the cell, the result and the seconds of each call."""


class CellLink:
    """A client of all cells."""

    def __init__(
        self,
        addresses: CellAddresses,
        grants: CellGrants,
        *,
        transport: httpx.AsyncBaseTransport,
        connections_max: int,
        now_s: Callable[[], float],
        observe: Observe = lambda _cell, _result, _seconds: None,
    ) -> None:
        """Connect nothing yet; at most `connections_max` requests are under way to one cell."""
        self._addresses = addresses
        self._grants = grants
        self._http = httpx.AsyncClient(transport=transport, follow_redirects=False, trust_env=False)
        self._connections_max = connections_max
        self._places: dict[str, asyncio.Semaphore] = {}
        self._now_s = now_s
        self._observe = observe

    async def ask(self, ask: Ask) -> CellAnswer | NoAnswer:
        """Send one request; return what came of it within its time, connecting included.

        Raises:
            RegistryError: The cell's record cannot be read.
        """
        began_s = self._now_s()
        try:
            async with asyncio.timeout(ask.timeout_ms / 1000):
                answer = await self._ask(ask)
        except TimeoutError:
            answer = NoAnswer(reason="timeout")
        except CellUnreachable as error:
            answer = NoAnswer(reason=error.reason)
        except httpx.HTTPError as error:
            answer = NoAnswer(reason=_reason(error))
        result = answer.reason if isinstance(answer, NoAnswer) else str(answer.status)
        self._observe(ask.cell, result, self._now_s() - began_s)
        return answer

    async def send(
        self, cell: Cell, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Send any request to `cell` within `RAW_S`; return status, headers and body.

        Raises:
            CellUnreachable: Nothing came back, or too much.
        """
        try:
            async with asyncio.timeout(RAW_S), self._place(cell.id):
                self._addresses.check(cell)
                request = self._http.build_request(
                    method,
                    f"{cell.base_url}{path}",
                    headers={**headers, "accept-encoding": "identity"},
                    content=body,
                    timeout=httpx.Timeout(RAW_S, connect=CONNECT_S),
                )
                response = await self._http.send(request, stream=True)
                try:
                    raw = await _read(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise CellUnreachable("timeout") from None
        except httpx.HTTPError as error:
            raise CellUnreachable(_reason(error)) from None
        return response.status_code, response.headers, raw

    async def close(self) -> None:
        """Let go of all connections."""
        await self._http.aclose()

    async def _ask(self, ask: Ask) -> CellAnswer | NoAnswer:
        cell = await self._addresses.find(ask.cell)
        tenant = ask.path.lstrip("/").partition("?")[0].partition("/")[0]
        token = self._grants.token(ask.cell, tenant)
        bearer = f"Bearer {token}" if cell.grant_header == AUTHORIZATION else token
        headers = {
            cell.grant_header: bearer,
            DEADLINE: str(ask.timeout_ms),
            "accept-encoding": "identity",
        }
        content = None
        if ask.body is not None:
            headers["content-type"] = "application/json"
            content = canonical(dict(ask.body)).encode()
        async with self._place(ask.cell):
            url = f"{cell.base_url}{_PREFIX}{ask.path}"
            timeout = httpx.Timeout(ask.timeout_ms / 1000, connect=CONNECT_S)
            request = self._http.build_request(
                ask.method, url, headers=headers, content=content, timeout=timeout
            )
            response = await self._http.send(request, stream=True)
            try:
                return _answer(response.status_code, await _read(response))
            finally:
                await response.aclose()

    @asynccontextmanager
    async def _place(self, cell: str) -> "AsyncIterator[None]":
        places = self._places.get(cell)
        if places is None:
            places = self._places[cell] = asyncio.Semaphore(self._connections_max)
        async with places:
            yield


class JudgedTransport(httpx.AsyncBaseTransport):
    """Resolves a name, judges its addresses, and connects to one that was judged."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, local: bool) -> None:
        self._inner = inner
        self._local = local

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`.

        Raises:
            CellUnreachable: None of the addresses may be connected to.
        """
        host = request.url.host
        address = await self._judged(host, request.url.port or 443)
        # The certificate is that of the name; the `Host` header was set from it already.
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the inner one."""
        await self._inner.aclose()

    async def _judged(self, host: str, port: int) -> str:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
        except OSError:
            raise CellUnreachable("unresolved") from None
        addresses = [str(row[4][0]) for row in found]
        refusals = [address_refusal(address, local=self._local) for address in addresses]
        for address, refusal in zip(addresses, refusals, strict=True):
            if refusal is None:
                return address
        raise CellUnreachable(refusals[0] or "no_address" if refusals else "no_address")


def open_transport(*, local: bool, ca: str, connections_max: int) -> httpx.AsyncBaseTransport:
    """Return what connects to cells: HTTP/1.1, kept alive, each request sent once.

    Raises:
        OSError: The file `ca` cannot be read.
        ssl.SSLError: It holds no certificate.
    """
    limits = httpx.Limits(
        max_connections=ALL_CONNECTIONS_MAX,
        max_keepalive_connections=min(ALL_CONNECTIONS_MAX, 16 * connections_max),
        keepalive_expiry=IDLE_S,
    )
    context = ssl.create_default_context(cafile=ca or None)
    inner = httpx.AsyncHTTPTransport(
        verify=context, http2=False, retries=0, limits=limits, trust_env=False
    )
    return JudgedTransport(inner, local=local)


async def _read(response: httpx.Response) -> bytes:
    pieces: list[bytes] = []
    room = ANSWER_BYTES_MAX
    async for piece in response.aiter_raw():
        pieces.append(piece)
        room -= len(piece)
        if room < 0:
            raise CellUnreachable("too_large")
    return b"".join(pieces)


def _answer(status: int, raw: bytes) -> CellAnswer | NoAnswer:
    try:
        return CellAnswer(status=status, body=parse(raw))
    except InvalidInput:
        return NoAnswer(reason="broken_json")


def _reason(error: httpx.HTTPError) -> str:
    match error:
        case httpx.TimeoutException():
            return "timeout"
        case httpx.ConnectError():
            return "unreachable"
        case _:
            return "connection_lost"
