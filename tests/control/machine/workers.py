"""What works on the machine's tenant: real flows, driven one effect at a time, stopped anywhere."""

from collections.abc import Callable
from typing import Any, Final

from cell_control.flows.calling import NotDone
from cell_control.flows.effects import Ask, Commit, Flow
from cell_control.ports import RegistryError
from tests.control.bench import Bench
from tests.control.shell import Drive, Fault

NAPS_MS: Final = 600
"""A worker that wants to be called again within this time is; others wait for the clock."""

STEPS_MAX: Final = 40


class Worker:
    """One process with one kind of work, begun again and again.

    Args:
        begin: Makes the next run; a new one after a crash, from `born`.

    Attributes:
        late: What it sent that has not arrived.
    """

    def __init__(
        self, name: str, bench: Bench, born: Callable[[], Callable[[], Flow[Any]]]
    ) -> None:
        self.name = name
        self.late: list[Ask | Commit] = []
        self._bench, self._born = bench, born
        self._begin = born()
        self._drive: Drive | None = None
        self._faults: dict[int, Fault] = {}
        self._again_ms = 0

    def step(self, fault: Fault | None = None) -> Any:
        """Perform its next effect, perhaps badly; return what a run that ended with it returned."""
        drive = self._drive or self._begun()
        if fault is not None:
            self._faults[len(drive.steps)] = fault
        try:
            if not drive.is_over:
                drive.step()
        except (RegistryError, NotDone) as no:
            # The shell of a flow that may raise begins it again.
            return self._ended(drive, no)
        self.late += drive.late
        drive.late.clear()
        if not drive.is_over:
            return None
        return self._ended(drive, drive.result)

    def go_to(self, step: str, then: Callable[[], None]) -> None:
        """Perform effects until the next one is `step`, or for long enough; `then` after each."""
        for _ in range(STEPS_MAX):
            if self._drive is not None and self._drive.next().startswith(step):
                return
            self.step()
            then()

    def crash(self) -> None:
        """Forget everything."""
        self._drive, self._begin, self._again_ms = None, self._born(), 0

    def run(self) -> Any:
        """Finish the run, or do a whole one; return what it returned."""
        while (result := self.step()) is None:
            pass
        return result

    def _begun(self) -> Drive:
        clock = self._bench.clock
        if 0 < self._again_ms - clock.time_ms <= NAPS_MS:
            clock.time_ms = self._again_ms
        self._faults = {}
        self._drive = Drive(self._bench, self._begin(), faults=self._faults)
        return self._drive

    def _ended(self, drive: Drive, result: Any) -> Any:
        self.late += drive.late
        self._drive = None
        self._again_ms = getattr(result, "at_ms", None) or 0
        return result
