"""Visit every state that can be reached, breadth first, so that a trace is a shortest one.

States are kept as integers: each part of a state is numbered once in a table (the COLLAPSE method
of the SPIN model checker), and a state is the numbers side by side. Refuses to go on past a limit,
and then claims nothing.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import process_time
from typing import Any, Final

from tests.model import data_plane, movers, recovery, registry, replication, steps
from tests.model.invariants import broken, broken_step
from tests.model.scope import Scope, initial
from tests.model.state import State, healthy
from tests.model.steps import Step

STEPS: Final[tuple[Callable[[State, Scope], Iterator[Step]], ...]] = (
    data_plane.serve,
    data_plane.write_late,
    data_plane.learn,
    data_plane.activate_lazily,
    data_plane.yield_to_larger_epoch,
    data_plane.unfreeze_by_timer,
    replication.replicate,
    registry.begin,
    registry.enter_cutover,
    registry.roll_back,
    registry.find_freeze_without_intent,
    registry.find_home_in_quarantine,
    movers.move,
    movers.activate_early,
    steps.arrive,
    recovery.go_dark,
    recovery.come_back,
    recovery.fail_over,
    recovery.back_up,
    recovery.restore,
)
"""Every step that anyone can take."""

PART_BITS: Final = 24
"""A part has at most 2^24 different values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an exploration found.

    Attributes:
        problem: The invariant that does not hold; empty if all do.
        trace: The shortest way to it, a step a line.
        complete: Whether every reachable state was visited.
        healthy: How many states are healthy; from each other one a path leads there (I7), if
            `recoverable` was asked for and there is no problem.
    """

    problem: str
    trace: tuple[str, ...]
    complete: bool
    states: int
    steps: int
    healthy: int
    cpu_s: float


class Packing:
    """States as integers, and back."""

    def __init__(self) -> None:
        self._numbers: list[dict[Any, int]] = [{} for _ in State._fields]
        self._values: list[list[Any]] = [[] for _ in State._fields]

    def pack(self, state: State) -> int:
        """Return the state's integer."""
        key = 0
        for numbers, values, part in zip(self._numbers, self._values, state, strict=True):
            number = numbers.get(part)
            if number is None:
                number = len(values)
                if number >> PART_BITS:
                    raise OverflowError("a part of the state has too many values")
                numbers[part] = number
                values.append(part)
            key = key << PART_BITS | number
        return key

    def unpack(self, key: int) -> State:
        """Return the state of an integer that `pack` returned."""
        mask = (1 << PART_BITS) - 1
        parts: list[Any] = []
        for values in reversed(self._values):
            parts.append(values[key & mask])
            key >>= PART_BITS
        return State(*reversed(parts))


def successors(state: State, scope: Scope) -> Iterator[Step]:
    """Yield everything that may happen next."""
    for step in STEPS:
        yield from step(state, scope)


class Exploration:
    """One visit of all states of a scope.

    Args:
        states_max: Where to stop.
        recoverable: Whether to prove I7; costs four bytes a step.
        progress: Called now and then with the states visited and the states known.
    """

    def __init__(
        self,
        scope: Scope,
        *,
        states_max: int = 2_000_000,
        recoverable: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._scope = scope
        self._states_max = states_max
        self._recoverable = recoverable
        self._progress = progress
        self._packing = Packing()
        self._numbers: dict[int, int] = {}
        self._keys: list[int] = []
        self._parents = array("I")
        self._targets = array("I")
        self._starts = array("Q")
        self._healthy = bytearray()
        self._steps = 0

    def run(self) -> Result:
        """Visit the states; stop at the first problem or at the limit."""
        began = process_time()
        self._number_of(initial(self._scope), 0)
        problem = ""
        trace: Sequence[str] = ()
        visited = 0
        while visited < len(self._keys) and len(self._keys) <= self._states_max:
            problem, trace = self._visit(visited)
            visited += 1
            if problem:
                break
            if self._progress is not None and visited % 4096 == 0:
                self._progress(visited, len(self._keys))
        complete = visited == len(self._keys)
        if complete and not problem and self._recoverable:
            problem, trace = self._stuck()
        return Result(
            problem=problem,
            trace=tuple(trace) if problem else (),
            complete=complete,
            states=len(self._keys),
            steps=self._steps,
            healthy=sum(self._healthy),
            cpu_s=process_time() - began,
        )

    def _number_of(self, state: State, parent: int) -> int:
        key = self._packing.pack(state)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._keys)
            self._keys.append(key)
            self._parents.append(parent)
        return number

    def _visit(self, number: int) -> tuple[str, Sequence[str]]:
        state = self._packing.unpack(self._keys[number])
        problem = broken(state, self._scope)
        if problem:
            return problem, self._trace(number)
        self._healthy.append(healthy(state))
        if self._recoverable:
            self._starts.append(len(self._targets))
        for label, after in successors(state, self._scope):
            self._steps += 1
            problem = broken_step(state, after)
            if problem:
                return problem, [*self._trace(number), label]
            target = self._number_of(after, number)
            if self._recoverable:
                self._targets.append(target)
        return "", ()

    def _stuck(self) -> tuple[str, Sequence[str]]:
        """I7: find a state from which no path leads to a healthy one."""
        recovers = bytearray(self._healthy)
        ends = [*self._starts[1:], len(self._targets)]
        changed = True
        while changed:
            changed = False
            for number in range(len(recovers) - 1, -1, -1):
                if recovers[number]:
                    continue
                reached = self._targets[self._starts[number] : ends[number]]
                if any(recovers[target] for target in reached):
                    recovers[number] = 1
                    changed = True
        stuck = recovers.find(0)
        return ("", ()) if stuck < 0 else ("I7 Recoverable: no way back", self._trace(stuck))

    def _trace(self, number: int) -> list[str]:
        """Return what happened on the way to a state; labels are found again, not kept."""
        path = [number]
        while path[-1]:
            path.append(self._parents[path[-1]])
        path.reverse()
        labels = []
        for before, after in pairwise(path):
            state = self._packing.unpack(self._keys[before])
            labels.append(
                next(
                    label
                    for label, reached in successors(state, self._scope)
                    if self._packing.pack(reached) == self._keys[after]
                )
            )
        return labels
