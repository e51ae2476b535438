"""Run writers one store call at a time, in every order there is, with every single fault.

Each writer has a thread, but only one runs at any moment: it stops before each step of its store
until it is chosen. A run is therefore decided by its choices alone; `explore` makes all of them.
A read takes two steps, for the port promises no more: its documents may be older than its fence.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.domain.errors import BackendError, OutcomeUnknown, Throttled, Unavailable
from cell_core.ports import CellStore

STEPS_MAX = 60


class Fault(StrEnum):
    """What may go wrong at a step."""

    NONE = "none"
    CRASH_BEFORE = "the writer dies before the call"
    CRASH_AFTER = "the writer dies after the call"
    UNKNOWN_DONE = "done, and the answer is lost"
    UNKNOWN_NOT_DONE = "not done, and the answer is lost"
    THROTTLED = "refused for lack of capacity"
    UNAVAILABLE = "refused"


_FAULTS = {
    "read": (Fault.THROTTLED, Fault.UNAVAILABLE),
    "fence": (Fault.CRASH_BEFORE,),
    "commit": (
        Fault.CRASH_BEFORE,
        Fault.CRASH_AFTER,
        Fault.UNKNOWN_DONE,
        Fault.UNKNOWN_NOT_DONE,
        Fault.THROTTLED,
    ),
}


class Crashed(Exception):
    """The writer is no more; whatever it was about to do does not happen."""


@dataclass(slots=True)
class Turn:
    """Where a writer waits to be chosen."""

    stopped: threading.Semaphore
    chosen: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    step: str = ""
    fault: Fault = Fault.NONE

    def take(self, step: str) -> Fault:
        """Stop before `step`; return with which fault it is to be done."""
        self.step, self.fault = step, Fault.NONE
        self.stopped.release()
        self.chosen.acquire()
        return self.fault

    def go(self, fault: Fault) -> None:
        """Let the writer go on, into `fault`."""
        self.fault, self.step = fault, ""
        self.chosen.release()


class Stepped:
    """A store that takes a turn for each step."""

    def __init__(self, inner: CellStore, turn: Turn, *, torn: bool) -> None:
        self._inner, self._turn, self._torn = inner, turn, torn

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """Read the documents, and in another step the fence."""
        documents = {}
        if keys and self._torn:
            _refuse(self._turn.take("read"))
            documents = dict(self._inner.read(partition, keys).documents)
            keys = ()
        _refuse(self._turn.take("fence"))
        found = self._inner.read(partition, keys)
        return Snapshot(found.fence, documents or found.documents)

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """Refuse; commands read no pages."""
        raise NotImplementedError

    def commit(self, batch: Batch) -> None:
        """Commit in one step, for it is atomic."""
        fault = self._turn.take("commit")
        _refuse(fault)
        if fault is Fault.UNKNOWN_NOT_DONE:
            raise OutcomeUnknown("commit")
        try:
            self._inner.commit(batch)
        finally:
            if fault is Fault.CRASH_AFTER:
                raise Crashed
            if fault is Fault.UNKNOWN_DONE:
                raise OutcomeUnknown("commit")

    def ping(self) -> None:
        """Refuse; commands do not ping."""
        raise NotImplementedError


def _refuse(fault: Fault) -> None:
    errors: dict[Fault, type[Exception]] = {
        Fault.CRASH_BEFORE: Crashed,
        Fault.THROTTLED: Throttled,
        Fault.UNAVAILABLE: Unavailable,
    }
    if fault in errors:
        raise errors[fault]


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of one run: each writer's result or exception, and the choices that led here."""

    results: tuple[Any, ...]
    choices: tuple[tuple[int, Fault], ...]


class Interleaver:
    """Runs the same writers again and again; use it as a context."""

    def __init__(
        self,
        writers: int,
        *,
        faults: int,
        torn: bool = True,
    ) -> None:
        """Make a thread for each of `writers`; a run has at most `faults` faults.

        Unless `torn`, a read is one step, which makes far fewer runs.
        """
        self._faults, self._torn = faults, torn
        self._threads = ThreadPoolExecutor(writers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    def explore(
        self, start: Callable[[], tuple[CellStore, Sequence[Callable[[CellStore], Any]]]]
    ) -> Iterator[Ended]:
        """Yield every run there is. `start` makes a new backend and the writers onto it."""
        path: list[int] = []
        while True:
            store, work = start()
            ended, widths = self._run(store, work, path)
            yield ended
            path += [0] * (len(widths) - len(path))
            while path and path[-1] + 1 == widths[len(path) - 1]:
                path.pop()
            if not path:
                return
            path[-1] += 1

    def _run(
        self, store: CellStore, work: Sequence[Callable[[CellStore], Any]], path: Sequence[int]
    ) -> tuple[Ended, list[int]]:
        """Run with the choices of `path` and then the first ones; return how many there were."""
        stopped = threading.Semaphore(0)
        turns = [Turn(stopped) for _ in work]
        running: list[Future[Any]] = []
        for turn, writer in zip(turns, work, strict=True):
            running.append(
                self._threads.submit(
                    _finish, writer, Stepped(store, turn, torn=self._torn), stopped
                )
            )
            stopped.acquire()
        widths: list[int] = []
        choices: list[tuple[int, Fault]] = []
        while len(choices) < STEPS_MAX and (options := self._options(turns, choices)):
            at = path[len(widths)] if len(widths) < len(path) else 0
            widths.append(len(options))
            choices.append(options[at])
            turns[options[at][0]].go(options[at][1])
            stopped.acquire()
        for turn in turns:
            if turn.step:
                turn.go(Fault.CRASH_BEFORE)
        assert len(choices) < STEPS_MAX, "a writer never ends"
        results = tuple(future.result() for future in running)
        return Ended(results, tuple(choices)), widths

    def _options(
        self, turns: Sequence[Turn], choices: Sequence[tuple[int, Fault]]
    ) -> list[tuple[int, Fault]]:
        waiting = [number for number, turn in enumerate(turns) if turn.step]
        options = [(number, Fault.NONE) for number in waiting]
        if sum(fault is not Fault.NONE for _, fault in choices) < self._faults:
            options += [(n, fault) for n in waiting for fault in _FAULTS[turns[n].step]]
        return options


def _finish(
    writer: Callable[[CellStore], Any], store: CellStore, stopped: threading.Semaphore
) -> Any:
    """Return what `writer` does, or the error in which it ends."""
    try:
        return writer(store)
    except (Crashed, BackendError) as end:
        return end
    finally:
        stopped.release()
