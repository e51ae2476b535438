"""What the workers' own traffic says of each cell, over the last minute. Sends no probe."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cell_router.server.report import CellHealth

WINDOW_S: Final = 60.0
_STEP_S: Final = 5.0
CELLS_MAX: Final = 64
_WORST: Final = ("closed", "half_open", "open")


@dataclass(slots=True)
class _Step:
    """What was seen in one step of the window."""

    from_s: float
    successes: int = 0
    failures: int = 0
    seconds: float = 0.0


class PassiveHealth:
    """Sums the reports of all workers; for one thread, time is passed in."""

    def __init__(self) -> None:
        self._steps: dict[str, deque[_Step]] = {}
        self._breakers: dict[str, dict[int, str]] = {}
        self._last_failure: dict[str, tuple[str, float]] = {}

    def note(self, worker: int, seen: Iterable[CellHealth], now_s: float) -> None:
        """Take what `worker` reports."""
        for health in seen:
            if health.cell not in self._steps and len(self._steps) >= CELLS_MAX:
                continue
            step = self._step(health.cell, now_s)
            step.successes += health.successes
            step.failures += health.failures
            step.seconds += health.seconds
            self._breakers.setdefault(health.cell, {})[worker] = health.breaker
            if health.last_failure:
                self._last_failure[health.cell] = (health.last_failure, now_s)

    def forget(self, worker: int) -> None:
        """Drop what only a living worker can say."""
        for breakers in self._breakers.values():
            breakers.pop(worker, None)

    def cells(self, now_s: float) -> list[Mapping[str, Any]]:
        """Return each cell that was used, by name."""
        return [self._cell(cell, now_s) for cell in sorted(self._steps)]

    def _step(self, cell: str, now_s: float) -> _Step:
        steps = self._steps.setdefault(cell, deque(maxlen=int(WINDOW_S / _STEP_S) + 1))
        if not steps or now_s - steps[-1].from_s >= _STEP_S:
            steps.append(_Step(now_s))
        return steps[-1]

    def _cell(self, cell: str, now_s: float) -> Mapping[str, Any]:
        steps = [step for step in self._steps[cell] if now_s - step.from_s <= WINDOW_S]
        successes = sum(step.successes for step in steps)
        failures = sum(step.failures for step in steps)
        seconds = sum(step.seconds for step in steps)
        states = self._breakers.get(cell, {}).values()
        reason, failed_s = self._last_failure.get(cell, ("", now_s))
        return {
            "cell": cell,
            "window_s": WINDOW_S,
            "successes": successes,
            "failures": failures,
            "mean_ms": round(1000 * seconds / successes, 3) if successes else None,
            "breaker": max(states, key=_rank, default="closed"),
            "breakers_open": sum(state != "closed" for state in states),
            "last_failure": reason or None,
            "last_failure_age_s": round(now_s - failed_s, 3) if reason else None,
        }


def _rank(state: str) -> int:
    return _WORST.index(state) if state in _WORST else len(_WORST)
