"""The connections to one cell: kept alive, bounded, the last used first."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from cell_router.decide import Failure
from cell_router.exchange import Exchange
from cell_router.limits import Limits
from cell_router.messages import CellAnswer
from cell_router.server.addresses import AddressRefused, CheckedAddresses
from cell_router.server.express import Ride
from cell_router.server.outbox import Outbox
from cell_router.server.shapes import AnswerShapes
from cell_router.server.upstream import UpstreamConnection

Sent: TypeAlias = Exchange | Ride
Resume: TypeAlias = Callable[[Sent, CellAnswer | Failure], None]
CONNECTING_MAX: Final = 64


class Pool:
    """Sends requests to one cell and resumes their flows with what comes of them."""

    def __init__(
        self,
        addresses: CheckedAddresses,
        tls: ssl.SSLContext | None,
        limits: Limits,
        resume: Resume,
    ) -> None:
        origin = addresses.origin
        default = 443 if origin.secure else 80
        host = origin.host if origin.port == default else f"{origin.host}:{origin.port}"
        self._prefix = origin.prefix.encode()
        self._line = f" HTTP/1.1\r\nhost: {host}\r\n".encode()
        self._addresses = addresses
        self._tls = tls if origin.secure else None
        self._limits = limits
        self._resume = resume
        self._loop = asyncio.get_running_loop()
        self._idle: list[UpstreamConnection] = []
        self._all: set[UpstreamConnection] = set()
        self._waiting: deque[Sent] = deque()
        self.outbox = Outbox(self._loop)
        self.answers = AnswerShapes()
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False
        self._opened = 0

    @property
    def size(self) -> int:
        """How many connections there are."""
        return len(self._all)

    def take_opened(self) -> int:
        """Return how many connections were opened since the last call."""
        opened, self._opened = self._opened, 0
        return opened

    def take(self) -> UpstreamConnection | None:
        """Return a kept connection, if there is one, for the caller to send on."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.is_usable:
                return connection
        return None

    def send(self, x: Exchange) -> None:
        """Send what the flow of `x` wants to be sent, on a kept connection or a new one."""
        connection = self.take()
        if connection is None:
            self._wait(x)
        else:
            self._give(connection, x)

    def bytes_of(self, method: bytes, target: bytes, lines: bytes, body: bytes) -> bytes:
        """Return a request as it is sent; `lines` are its header lines but for the framing."""
        if method == b"GET":
            return b"GET %s%s%s%s\r\n" % (self._prefix, target, self._line, lines)
        return b"%s %s%s%s%scontent-length: %d\r\n\r\n%s" % (
            method, self._prefix, target, self._line, lines, len(body), body,
        )  # fmt: skip

    def forget(self, x: Sent) -> Failure:
        """The time of `x` is over: say whether it may have been executed; nothing comes of it."""
        if x.carrier is not None:
            x.carrier.close()
            x.carrier = None
        elif x in self._waiting:
            self._waiting.remove(x)
            return Failure.NOT_SENT
        return Failure.UNKNOWN

    def prune(self, now: float) -> None:
        """Close what was idle for too long, before the cell does while a request is sent."""
        oldest = now - self._limits.upstream_idle_s
        for connection in [c for c in self._idle if c.idle_since < oldest or not c.is_usable]:
            self._idle.remove(connection)
            connection.close()

    def close(self) -> None:
        """Close what is idle, and what is under way when it is done."""
        self._closed = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    # ── What a connection reports ────────────────────────────────────────────

    def release(self, connection: UpstreamConnection) -> None:
        """Take back a connection whose answer is whole."""
        if self._closed:
            connection.close()
        elif self._waiting:
            self._give(connection, self._waiting.popleft())
        else:
            connection.idle_since = self._loop.time()
            self._idle.append(connection)

    def answered(self, x: Sent, answer: CellAnswer) -> None:
        """Hand the flow its answer."""
        x.carrier = None
        self._resume(x, answer)

    def failed(self, x: Sent, failure: Failure, *, stale: bool) -> None:
        """Tell the flow that no answer comes; a stale connection is replaced once, unseen."""
        x.carrier = None
        if stale and not x.resent:
            x.resent = True
            self._wait(x)
        else:
            self._resume(x, failure)

    def lost(self, connection: UpstreamConnection) -> None:
        """Forget a connection that has ended."""
        self._all.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._connect_more()

    # ── Inside ───────────────────────────────────────────────────────────────

    def _give(self, connection: UpstreamConnection, x: Sent) -> None:
        x.carrier = connection
        if isinstance(x, Ride):
            connection.send(x, x.data)
        else:
            method = x.request.method
            connection.send(x, self.bytes_of(method, x.target, x.lines, x.sent_body))

    def _wait(self, x: Sent) -> None:
        self._waiting.append(x)
        self._connect_more()

    def _connect_more(self) -> None:
        under_way = len(self._connecting)
        room = min(CONNECTING_MAX, self._limits.upstream_connections_max - len(self._all))
        if under_way < len(self._waiting) and under_way < room:
            task = self._loop.create_task(self._connect())
            self._connecting.add(task)
            task.add_done_callback(self._connected)

    def _connected(self, task: "asyncio.Task[None]") -> None:
        self._connecting.discard(task)
        self._connect_more()

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._limits.connect_s):
                connection = await self._open()
        except (OSError, TimeoutError, AddressRefused):  # ssl's errors are OSErrors
            if self._waiting:
                self._resume(self._waiting.popleft(), Failure.NOT_SENT)
            return
        self._opened += 1
        self._all.add(connection)
        self.release(connection)

    async def _open(self) -> UpstreamConnection:
        now = self._loop.time()
        addresses = self._addresses.held(now) or await self._addresses.refresh(now)
        origin = self._addresses.origin
        problem: OSError = ConnectionError()
        for address in addresses:
            try:
                _, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self),
                    address,
                    origin.port,
                    ssl=self._tls,
                    server_hostname=origin.host if self._tls else None,
                )
            except OSError as error:
                problem = error
            else:
                return connection
        raise problem
