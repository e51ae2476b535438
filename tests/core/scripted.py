"""A store whose next calls go as a test says, and patience that is measured in fake time."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.domain.errors import (
    Fenced,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)
from cell_core.ports import CellStore
from tests.contract.cell_samples import Clock

PAUSE_MS = 100

Line: TypeAlias = Callable[[Callable[[], object]], object]
"""What becomes of one call, which it makes or not."""


class Scripted:
    """A store whose `reads` and `commits` are played first; the calls after them just happen."""

    def __init__(self, inner: CellStore) -> None:
        self._inner = inner
        self.reads: list[Line] = []
        self.commits: list[Line] = []
        self.seen: list[str] = []
        self.batches: list[Batch] = []

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        self.seen.append("read")
        line = self.reads.pop(0) if self.reads else done
        answer = line(lambda: self._inner.read(partition, keys))
        assert isinstance(answer, Snapshot)
        return answer

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        return self._inner.page(partition, prefix, after=after, limit=limit)

    def commit(self, batch: Batch) -> None:
        self.seen.append("commit")
        self.batches.append(batch)
        line = self.commits.pop(0) if self.commits else done
        line(lambda: self._inner.commit(batch))

    def ping(self) -> None:
        self._inner.ping()


class Patient:
    """`Patience` whose every wait takes 100 ms of the fake clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waits: list[int] = []

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        if self._clock.time_ms + PAUSE_MS >= deadline_ms:
            return False
        self.waits.append(attempt)
        self._clock.time_ms += PAUSE_MS
        return True


def done(call: Callable[[], object]) -> object:
    """The call happens."""
    return call()


def throttled(_call: Callable[[], object]) -> object:
    """The store asks for less."""
    raise Throttled("scripted", retry_after_ms=3000)


def unavailable(_call: Callable[[], object]) -> object:
    """The store is down."""
    raise Unavailable("scripted")


def lost(_call: Callable[[], object]) -> object:
    """The store saw another writer, perhaps one that it then turned away as well."""
    raise LostRace


def fenced(_call: Callable[[], object]) -> object:
    """The fence admits nobody, as the store says."""
    raise Fenced("fence_refused")


def unknown_and_done(call: Callable[[], object]) -> object:
    """The call happens and its answer is lost."""
    call()
    raise OutcomeUnknown("scripted")


def unknown_and_not_done(_call: Callable[[], object]) -> object:
    """The call is lost on its way."""
    raise OutcomeUnknown("scripted")


def after(deed: Callable[[], object], line: Line = done) -> Line:
    """Return a line that does something else first."""

    def play(call: Callable[[], object]) -> object:
        deed()
        return line(call)

    return play


def before(deed: Callable[[], object], line: Line = done) -> Line:
    """Return a line that does something else before its answer arrives."""

    def play(call: Callable[[], object]) -> object:
        try:
            return line(call)
        finally:
            deed()

    return play
