"""Runs parity probes: when an operator asks, and again and again for every cell that is there.

A probe is synchronous; it runs in a thread of its own and sends through the loop's connections.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Final

from cell_control.domain.records import Cell, Lifecycle, Probe
from cell_control.errors import NotFound, Unavailable
from cell_control.server.cell_addresses import CellUnreachable
from cell_control.server.cell_link import CellLink
from cell_control.server.machine import Machine
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.rounds import Job
from cell_control.service.cells import Cells
from cell_control.service.parity_probe import CellUnreachable as NoAnswerFromCell
from cell_control.service.parity_probe import ParityProbe, Send, Sign, replaces
from cell_core.wire.grants import GrantSigner

THREADS_MAX: Final = 4
WAITING_MAX: Final = 16
BY: Final = "parity-probe"


class Probes:
    """Probes of live cells."""

    def __init__(
        self, link: CellLink, grants: GrantSigner, machine: Machine, *, contract: str
    ) -> None:
        self._link = link
        self._grants = grants
        self._machine = machine
        self._contract = contract
        self._pool = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="probe")
        self._waiting = 0
        self._sending: set[Future[tuple[int, Mapping[str, str], bytes]]] = set()
        self._closing = False

    async def run(self, cell: Cell) -> Probe:
        """Return what the corpus finds at `cell`.

        Raises:
            Unavailable: `overloaded`: too many probes wait.
        """
        if self._waiting >= WAITING_MAX:
            raise Unavailable("overloaded")
        self._waiting += 1
        loop = asyncio.get_running_loop()
        probe = ParityProbe(
            cell,
            contract=self._contract,
            send=self._sender(cell, loop),
            sign=self._signer(cell),
            clock=self._machine.clock,
        )
        try:
            return await loop.run_in_executor(self._pool, probe.run, self._machine.new_id())
        finally:
            self._waiting -= 1

    def job(self, cells: Cells, threads: RegistryThreads, every_s: float) -> Job:
        """Return what probes a cell, keeps what is found, and says when to do so again.

        A probe that this process had no time for is not kept: what was found before holds until it
        is too old. Else a busy process would take all cells from the tenants that it is busy with.
        """

        async def probe(name: str) -> int | None:
            try:
                found = (await threads.call(cells.show, name)).cell
            except NotFound:
                return None
            if found.lifecycle is Lifecycle.RETIRED:
                return None
            probed = await self.run(found)
            if replaces(probed, found.probe):
                await threads.call(cells.probed, name, probed, by=BY)
            return round(every_s * 1000)

        return probe

    async def close(self) -> None:
        """End the probes under way, and wait for their threads."""
        self._closing = True
        for sending in tuple(self._sending):
            sending.cancel()
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    def _sender(self, cell: Cell, loop: asyncio.AbstractEventLoop) -> Send:
        def send(
            method: str, path: str, headers: Mapping[str, str], body: bytes
        ) -> tuple[int, Mapping[str, str], bytes]:
            if self._closing:
                raise NoAnswerFromCell("stopping")
            asked = self._link.send(cell, method, path, headers, body)
            sending = asyncio.run_coroutine_threadsafe(asked, loop)
            self._sending.add(sending)
            try:
                return sending.result()
            except CellUnreachable as error:
                raise NoAnswerFromCell(error.reason) from None
            except CancelledError:
                raise NoAnswerFromCell("stopping") from None
            finally:
                self._sending.discard(sending)

        return send

    def _signer(self, cell: Cell) -> Sign:
        def sign(tenant: str, epoch: int, scope: str) -> str:
            return self._grants.sign(
                audience=cell.id,
                tenant=tenant,
                epoch=epoch,
                scope=scope,
                now_s=self._machine.wall_s(),
                grant_id=self._machine.new_id(),
            )

        return sign
