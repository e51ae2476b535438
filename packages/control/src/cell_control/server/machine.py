"""What of the machine a process needs, as values that a test can replace."""

import random  # noqa: TID251 - the type of a generator that is passed in
from collections.abc import Callable
from dataclasses import dataclass

from cell_control.server.event_log import EventLog
from cell_core.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Clocks, randomness, a name and a log.

    Attributes:
        clock: Wall clock.
        now_s: Monotonic.
        sleep: Waits in a thread.
        new_id: Returns a new identifier each time.
        process: This process's name, in claims and logs.
    """

    clock: Clock
    now_s: Callable[[], float]
    sleep: Callable[[float], None]
    generator: random.Random
    new_id: Callable[[], str]
    process: str
    log: EventLog

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        return self.clock.now_ms()

    def wall_s(self) -> int:
        """Return seconds since 1970-01-01 UTC."""
        return self.clock.now_ms() // 1000
