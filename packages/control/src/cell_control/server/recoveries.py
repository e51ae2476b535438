"""Brings a restored registry up to the fences while feed and writes wait (protocol.md 7).

Begins when a follower of the feed knows more than the registry, when an operator says that it was
set back, or when an earlier one was cut off.
Refuses to pass a cell that does not answer: an operator has to say that it is lost.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from cell_control.domain.pace import Limits
from cell_control.errors import Unavailable
from cell_control.flows.recover import (
    ask_recovery,
    begin_recovery,
    is_recovering,
    recover_step,
)
from cell_control.ports import RegistryError, Write
from cell_control.server.event_log import EventLog
from cell_control.server.runtime import Runtime

LOOK_S: Final = 2.0
"""Between looks for a recovery that another process began."""

DARK_S: Final = 2.0


class Recoveries:
    """The recovery that runs, if one does."""

    def __init__(
        self,
        runtime: Runtime,
        log: EventLog,
        *,
        now_ms: Callable[[], int],
        name: str,
        steps: bool,
        limits: Limits,
    ) -> None:
        """Look at nothing yet; a process whose `steps` is false leaves the steps to others."""
        self._runtime = runtime
        self._log = log
        self._now_ms = now_ms
        self._name = name
        self._steps = steps
        self._limits = limits
        self._wanted = asyncio.Event()
        self._ahead = 0
        self._recovered = 0
        self._without: tuple[str, ...] = ()
        self.dark: tuple[str, ...] = ()
        """Cells that a recovery waits for."""

        self.running = True
        """Whether the feed and writes have to wait; so it is until the first look."""

    def ahead(self, rev: int) -> None:
        """Note that a follower holds `rev`, which this registry never had."""
        if rev > self._recovered:
            self._ahead = max(self._ahead, rev)
            self._wanted.set()

    async def begin(self, *, by: str, reason: str, rev: int, audit: Write) -> None:
        """Begin one unless one runs, as an operator asks; `rev` is the registry's.

        Raises:
            RegistryError: It may not have begun; ask again.
        """
        asked = ask_recovery(self._now_ms(), by=by, reason=reason, rev=rev, audit=audit)
        await self._runtime.run(asked)
        self.running = True
        self._wanted.set()

    def go_on_without(self, cells: Sequence[str]) -> None:
        """Pass `cells` that do not answer: they are lost for good, by an operator's word."""
        self._without = tuple(cells)

    async def run(self) -> None:
        """Look, and recover, until cancelled."""
        while True:
            try:
                await self._begin_if_wanted()
                self.running = await self._runtime.run(is_recovering())
                while self.running and self._steps:
                    await self._step()
            except (RegistryError, Unavailable):
                await asyncio.sleep(LOOK_S)
            await self._pause()

    async def _step(self) -> None:
        step = recover_step(self._now_ms(), without=self._without, limits=self._limits)
        walked = await self._runtime.run(step)
        for found in walked.found:
            self._log.say("recovered", tenant=found.tenant, outcome=found.outcome)
        if walked.dark != self.dark:
            self.dark = walked.dark
            self._log.say("recovery_waits", "warning", dark=list(walked.dark))
        if walked.dark:
            await asyncio.sleep(DARK_S)
        if walked.over:
            self._without = ()
        self.running = not walked.over

    async def _begin_if_wanted(self) -> None:
        if not self._ahead:
            return
        self._log.say("recovery_begins", "warning", ahead=self._ahead)
        ahead, reason = self._ahead, f"a follower of the feed holds rev {self._ahead}"
        begin = begin_recovery(self._now_ms(), by=self._name, reason=reason, above=ahead)
        await self._runtime.run(begin)
        self._recovered = ahead
        if self._ahead == ahead:  # Nobody was further meanwhile.
            self._ahead = 0

    async def _pause(self) -> None:
        self._wanted.clear()
        try:
            async with asyncio.timeout(LOOK_S):
                await self._wanted.wait()
        except TimeoutError:
            return
