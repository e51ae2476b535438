"""A `CellStore` that fails as a plan says: before, after, in silence, or with the whole process.

It refuses to decide anything itself: each call asks the plan, so a plan replays a failure exactly.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from random import Random  # noqa: TID251 - only the type of a generator that is passed in
from typing import TypeAlias, TypeVar

from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.domain.errors import OutcomeUnknown, Throttled, Unavailable
from cell_core.ports import CellStore

_Answer = TypeVar("_Answer")


class Fault(Enum):
    """What becomes of one call."""

    NONE = auto()
    UNAVAILABLE = auto()
    """Not done, and said so."""
    THROTTLED = auto()
    """Not done, and said so."""
    REQUEST_LOST = auto()
    """Not done, and nobody knows."""
    ANSWER_LOST = auto()
    """Done, and nobody knows."""
    CRASH_BEFORE = auto()
    """The process dies before the call is done."""
    CRASH_AFTER = auto()
    """The process dies after the call is done."""


FAILURES = (Fault.UNAVAILABLE, Fault.THROTTLED, Fault.REQUEST_LOST, Fault.ANSWER_LOST)
CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)

Plan: TypeAlias = Callable[[str], Fault]
"""Told the name of the port's method, once for each call, in the order of the calls."""


class Crashed(BaseException):
    """The process of this store is dead. Not an `Exception`: nothing may survive it by accident."""


def scripted(*faults: Fault) -> Plan:
    """Return a plan that deals `faults` to the first calls, of whatever method, then none."""
    coming = itertools.chain(faults, itertools.repeat(Fault.NONE))
    return lambda _method: next(coming)


def always(fault: Fault, *methods: str) -> Plan:
    """Return a plan that deals `fault` to each call of `methods`, or to every call if none."""
    return lambda method: fault if not methods or method in methods else Fault.NONE


def seeded(generator: Random, *, share: float, faults: Iterable[Fault] = FAILURES) -> Plan:
    """Return a plan that deals one of `faults` to about `share` of the calls."""
    choices = tuple(faults)
    return lambda _: generator.choice(choices) if generator.random() < share else Fault.NONE


class FaultyStore:
    """`CellStore` over another one, with the faults of a plan.

    After a crash every further call is a crash too: the dead write nothing. To let a new process
    take over, put a new `FaultyStore` on the same inner store.
    """

    def __init__(self, inner: CellStore, plan: Plan) -> None:
        self._inner = inner
        self._plan = plan
        self._dead = False
        self.dealt: list[tuple[str, Fault]] = []
        """Each call so far, and what became of it; for the message of a test that fails."""

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """See `CellStore.read`."""
        return self._call("read", lambda: self._inner.read(partition, keys), Unavailable)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """See `CellStore.page`."""
        return self._call(
            "page",
            lambda: self._inner.page(partition, prefix, after=after, limit=limit),
            Unavailable,
        )

    def commit(self, batch: Batch) -> None:
        """See `CellStore.commit`."""
        self._call("commit", lambda: self._inner.commit(batch), OutcomeUnknown)

    def ping(self) -> None:
        """See `CellStore.ping`."""
        self._call("ping", self._inner.ping, Unavailable)

    def _call(
        self,
        method: str,
        work: Callable[[], _Answer],
        doubt: type[Unavailable | OutcomeUnknown],
    ) -> _Answer:
        if self._dead:
            raise Crashed
        fault = self._plan(method)
        self.dealt.append((method, fault))
        self._refuse(method, fault, doubt)
        try:
            return work()
        finally:  # A refusal by the inner store is an answer too, and is lost like one.
            self._lose(method, fault, doubt)

    def _refuse(self, method: str, fault: Fault, doubt: type[Unavailable | OutcomeUnknown]) -> None:
        if fault is Fault.UNAVAILABLE:
            raise Unavailable(method)
        if fault is Fault.THROTTLED:
            raise Throttled(method)
        if fault is Fault.REQUEST_LOST:
            raise doubt(method)
        if fault is Fault.CRASH_BEFORE:
            self._die()

    def _lose(self, method: str, fault: Fault, doubt: type[Unavailable | OutcomeUnknown]) -> None:
        if fault is Fault.ANSWER_LOST:
            raise doubt(method)
        if fault is Fault.CRASH_AFTER:
            self._die()

    def _die(self) -> None:
        self._dead = True
        raise Crashed
