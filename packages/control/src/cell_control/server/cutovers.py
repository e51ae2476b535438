"""Which tenants this process has frozen just now, by the steps that its movers take."""

from collections.abc import Callable
from typing import Final

from cell_control.flows.run import Performed

CUTTING: Final = frozenset({"begin_cutover", "freeze", "tail", "commit"})
CUTTING_MS_MAX: Final = 3000


class Cutovers:
    """Which tenants this process is cutting over: everything else is kept small meanwhile."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._until_ms: dict[str, int] = {}

    def note(self, step: Performed) -> None:
        """Take a step of a mover into account."""
        if step.row in CUTTING:
            self._until_ms[step.tenant] = self._now_ms() + CUTTING_MS_MAX
        else:
            self._until_ms.pop(step.tenant, None)

    @property
    def running(self) -> bool:
        """Whether there is one; one that was not heard of for 3 s was given up, or is another's."""
        now_ms = self._now_ms()
        for tenant in [t for t, until_ms in self._until_ms.items() if until_ms <= now_ms]:
            del self._until_ms[tenant]
        return bool(self._until_ms)
