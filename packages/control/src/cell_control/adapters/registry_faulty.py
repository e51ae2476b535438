"""A registry that fails as its plan says: for tests and for the simulation.

Refuses to choose: a plan is given, and what chance decides comes from a generator that is given.
"""

import builtins
import random  # noqa: TID251 - for its type; the generator is the caller's
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import TypeAlias, TypeVar

from cell_control.domain.records import Kind
from cell_control.ports import (
    Changes,
    Key,
    Record,
    Registry,
    RegistryUnavailable,
    RegistryUnknown,
    Write,
)

Found = TypeVar("Found")


class Fault(Enum):
    """What becomes of one call."""

    NONE = "none"
    REFUSED = "refused"
    """Nothing is done, and the caller knows."""
    LOST = "lost"
    """Nothing is done, and of a commit or a skip the caller does not know it."""
    DONE = "done"
    """It is done, and of a commit or a skip the caller does not know it; what was read is lost."""


Plan: TypeAlias = Callable[[str], Fault]
"""Called with the name of each method that is called, in order."""


class FaultyRegistry:
    """A `Registry` that does what `inner` does, and fails where `plan` says so."""

    def __init__(self, inner: Registry, plan: Plan) -> None:
        self._inner = inner
        self._plan = plan

    def rev(self) -> int:
        """See `Registry.rev`."""
        return self._read("rev", self._inner.rev)

    def get(self, keys: Sequence[Key]) -> builtins.list[Record | None]:
        """See `Registry.get`."""
        return self._read("get", lambda: self._inner.get(keys))

    def list(
        self, kind: Kind, *, tag: str | None = None, prefix: str = "", after: str = "", limit: int
    ) -> builtins.list[Record]:
        """See `Registry.list`."""
        return self._read(
            "list",
            lambda: self._inner.list(kind, tag=tag, prefix=prefix, after=after, limit=limit),
        )

    def count(self, kind: Kind, *, tag: str | None = None) -> int:
        """See `Registry.count`."""
        return self._read("count", lambda: self._inner.count(kind, tag=tag))

    def commit(self, writes: Sequence[Write]) -> int:
        """See `Registry.commit`; a conflict is told, whatever is planned for after it."""
        return self._write("commit", lambda: self._inner.commit(writes))

    def skip_to(self, rev: int) -> int:
        """See `Registry.skip_to`."""
        return self._write("skip_to", lambda: self._inner.skip_to(rev))

    def changes(self, after: int, *, kinds: Sequence[Kind], limit: int) -> Changes:
        """See `Registry.changes`."""
        return self._read("changes", lambda: self._inner.changes(after, kinds=kinds, limit=limit))

    def wait(self, after: int, timeout_s: float) -> int:
        """See `Registry.wait`."""
        return self._read("wait", lambda: self._inner.wait(after, timeout_s))

    def close(self) -> None:
        """See `Registry.close`; never fails."""
        self._inner.close()

    def _write(self, what: str, write: Callable[[], int]) -> int:
        fault = self._plan(what)
        if fault is Fault.REFUSED:
            raise RegistryUnavailable(f"{what}: planned")
        if fault is Fault.LOST:
            raise RegistryUnknown(f"{what}: planned")
        rev = write()
        if fault is Fault.DONE:
            raise RegistryUnknown(f"{what}: planned")
        return rev

    def _read(self, what: str, read: Callable[[], Found]) -> Found:
        if self._plan(what) is not Fault.NONE:
            raise RegistryUnavailable(f"{what}: planned")
        return read()


def listed(faults: Iterable[Fault], *, of: str = "commit") -> Plan:
    """Return the plan that gives the calls of one method `faults` in turn, and then none."""
    left = iter(faults)
    return lambda what: next(left, Fault.NONE) if what == of else Fault.NONE


class ChancePlan:
    """Faults by chance, and now and then an outage: a number of calls that are all refused.

    The same generator state gives the same faults for the same sequence of calls.
    """

    def __init__(
        self,
        chance: random.Random,
        *,
        refused: float = 0.0,
        lost: float = 0.0,
        done: float = 0.0,
        outage: float = 0.0,
        outage_calls: int = 20,
    ) -> None:
        """Begin without an outage.

        Args:
            chance: Drawn from once a call outside of outages.
            refused: How likely a call is to end so, from 0 to 1; all four together at most 1.
            lost: Likewise.
            done: Likewise.
            outage: How likely a call is to be the first of `outage_calls` that are refused.
            outage_calls: How long an outage is.
        """
        self._chance = chance
        self._bounds = ((Fault.REFUSED, refused), (Fault.LOST, lost), (Fault.DONE, done))
        self._outage = outage
        self._outage_calls = outage_calls
        self._refuse_next = 0

    def __call__(self, _what: str) -> Fault:
        """Return the fault of the next call; it does not matter of which."""
        if self._refuse_next:
            self._refuse_next -= 1
            return Fault.REFUSED
        drawn = self._chance.random()
        if drawn < self._outage:
            self._refuse_next = self._outage_calls - 1
            return Fault.REFUSED
        drawn -= self._outage
        for fault, likely in self._bounds:
            if drawn < likely:
                return fault
            drawn -= likely
        return Fault.NONE
