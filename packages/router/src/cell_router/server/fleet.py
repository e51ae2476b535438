"""Which worker process to start, drain or kill, and when: the supervisor's decisions, as a table.

Starts no process and reads no clock: events with their time go in, actions come out.

    event               what follows
    start               every slot gets a worker of the first generation
    ready               a slot serves; once all of a new generation do, the old one drains
    ended, unasked      its slot is started again: at once, then after a doubling, bounded pause;
                        unless the next one can be expected at once, what is queued is let go
    ended, new one      a new generation that loses a worker before it serves is given up
    reload              a new generation starts beside the old one, on the same sockets
    stop                readiness off, the delay passes, all drain, then the supervisor ends
    tick                what is overdue: starts, silence, drains
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import random  # noqa: TID251 - the type of what the composition root passes in

_PAUSE_MIN_S: Final = 0.1
_PAUSE_MAX_S: Final = 5.0
_LIVED_WELL_S: Final = 30.0
_KILL_GRACE_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How long things may take.

    Attributes:
        drain_delay_s: Between readiness off and the drain, for load balancers to notice.
        drain_max_s: What a draining worker gets before it is killed.
        ready_max_s: What a new worker gets until it is ready.
        silence_max_s: After that long without a report a ready worker is hung, and killed.
    """

    slots: int
    drain_delay_s: float = 0.0
    drain_max_s: float = 30.0
    ready_max_s: float = 30.0
    silence_max_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a worker; `serial` names it from now on."""

    serial: int
    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class LetGo:
    """End the connections that wait for a worker of `slot`, and let no more of them wait.

    Clients try again and reach another worker, instead of waiting for one that may never come.
    """

    slot: int


@dataclass(frozen=True, slots=True)
class TellDrain:
    """Tell a worker to finish."""

    serial: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a worker now."""

    serial: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the log and the counters."""

    event: str
    fields: dict[str, int | float | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """`generation` is what serves now; what an older one needed can be forgotten."""

    generation: int


@dataclass(frozen=True, slots=True)
class End:
    """Every worker has ended after a stop."""


Action: TypeAlias = Spawn | LetGo | TellDrain | Kill | Note | Accepted | End


class State(Enum):
    """Of one worker."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    KILLED = "killed"


@dataclass(slots=True)
class _Worker:
    serial: int
    slot: int
    generation: int
    started_s: float
    state: State = State.STARTING
    overdue_s: float = 0.0  # When it is killed unless something happens before.
    served: bool = False


class Fleet:
    """All workers of one supervisor. Calls are not safe between threads; none blocks."""

    def __init__(self, rules: Rules, generator: "random.Random") -> None:
        self.rules = rules
        self.generation = 1
        self.stopping = False
        self.restarts = 0
        self.reloads = 0
        self.reloads_failed = 0
        self._generator = generator
        self._workers: dict[int, _Worker] = {}
        self._serial = 0
        self._failures = dict.fromkeys(range(rules.slots), 0)
        self._due: dict[int, float] = {}  # When a slot whose worker ended is started again.
        self._candidate = 0  # The generation that is being tried, or 0.
        self._reload_wanted = False
        self._last_generation = 1
        self._drain_at_s = 0.0
        self._drained = False

    @property
    def ready(self) -> int:
        """How many workers accept connections."""
        return sum(worker.state is State.READY for worker in self._workers.values())

    @property
    def reloading(self) -> bool:
        """Whether a new generation is being tried."""
        return self._candidate != 0

    def start(self, now_s: float) -> list[Action]:
        """Return the first actions."""
        return [self._spawn(slot, self.generation, now_s) for slot in range(self.rules.slots)]

    def reload(self, now_s: float) -> list[Action]:
        """Try a new generation, or, while one is being tried, another one after it."""
        if self.stopping:
            return []
        if self._candidate:
            self._reload_wanted = True
            return []
        self._last_generation += 1
        self._candidate = self._last_generation
        started = [self._spawn(slot, self._candidate, now_s) for slot in range(self.rules.slots)]
        return [Note("reload_started", {"generation": self._candidate}), *started]

    def stop(self, now_s: float) -> list[Action]:
        """Begin to end; asked a second time, end without the delay."""
        self._drain_at_s = now_s if self.stopping else now_s + self.rules.drain_delay_s
        if self.stopping:
            return self.tick(now_s)
        self.stopping = True
        self._due.clear()
        return [Note("stopping", {"workers": len(self._workers)}), *self.tick(now_s)]

    def on_ready(self, serial: int, now_s: float) -> list[Action]:
        """Note that a worker accepts connections."""
        worker = self._workers.get(serial)
        if worker is None or worker.state is not State.STARTING:
            return []
        worker.state, worker.served = State.READY, True
        worker.overdue_s = now_s + self.rules.silence_max_s
        fields: dict[str, int | float | str] = {
            "slot": worker.slot,
            "generation": worker.generation,
        }
        return [Note("worker_ready", fields), *self._accept_when_whole(now_s)]

    def on_heard(self, serial: int, now_s: float) -> None:
        """Note that a worker is alive."""
        worker = self._workers.get(serial)
        if worker is not None and worker.state is State.READY:
            worker.overdue_s = now_s + self.rules.silence_max_s

    def on_ended(self, serial: int, exit_code: int, now_s: float) -> list[Action]:
        """Decide what follows the end of a worker."""
        worker = self._workers.pop(serial, None)
        if worker is None:
            return []
        actions: list[Action] = [_ended(worker, exit_code)]
        if self.stopping:
            return [*actions, *self._end_when_empty()]
        if worker.state is State.DRAINING:
            return actions
        if worker.generation == self._candidate:
            return [*actions, *self._give_up("worker_ended", now_s)]
        if worker.generation == self.generation:
            actions += self._again(worker, now_s)
        return actions

    def tick(self, now_s: float) -> list[Action]:
        """Do what is due at `now_s`."""
        if self.stopping:
            return [*self._drain_when_due(now_s), *self._kill_overdue(now_s)]
        due = [slot for slot, at_s in self._due.items() if at_s <= now_s]
        for slot in due:
            del self._due[slot]
        started = [self._spawn(slot, self.generation, now_s) for slot in due]
        return [*started, *self._kill_overdue(now_s)]

    def _spawn(self, slot: int, generation: int, now_s: float) -> Action:
        self._serial += 1
        overdue_s = now_s + self.rules.ready_max_s
        self._workers[self._serial] = _Worker(
            self._serial, slot, generation, now_s, overdue_s=overdue_s
        )
        return Spawn(self._serial, slot, generation)

    def _again(self, worker: _Worker, now_s: float) -> Iterator[Action]:
        """Plan the next start of the slot of `worker`, later the more often it failed."""
        lived_s = now_s - worker.started_s
        failures = 1 if lived_s >= _LIVED_WELL_S else self._failures[worker.slot] + 1
        self._failures[worker.slot] = failures
        pause_s = 0.0
        if failures > 1:
            ceiling_s = min(_PAUSE_MAX_S, _PAUSE_MIN_S * 2 ** min(failures - 2, 10))
            pause_s = ceiling_s * self._generator.uniform(0.5, 1.0)
        self._due[worker.slot] = now_s + pause_s
        self.restarts += 1
        if pause_s > 0 or not worker.served:
            yield LetGo(worker.slot)
        yield Note("worker_restarts", {"slot": worker.slot, "pause_ms": round(pause_s * 1000)})

    def _accept_when_whole(self, now_s: float) -> Iterator[Action]:
        if not self._candidate or not self._is_whole(self._candidate):
            return
        self.generation, self._candidate = self._candidate, 0
        self._due.clear()  # A slot of the old generation that waited has its new worker.
        self._failures = dict.fromkeys(self._failures, 0)
        self.reloads += 1
        yield Accepted(self.generation)
        yield Note("reloaded", {"generation": self.generation})
        for worker in self._workers.values():
            if worker.generation != self.generation:
                yield from self._retire(worker, now_s)
        yield from self._reload_again(now_s)

    def _is_whole(self, generation: int) -> bool:
        ready = {w.slot for w in self._of(generation) if w.state is State.READY}
        return len(ready) == self.rules.slots

    def _of(self, generation: int) -> list[_Worker]:
        return [w for w in self._workers.values() if w.generation == generation]

    def _give_up(self, reason: str, now_s: float) -> Iterator[Action]:
        """End the new generation; the old one has never stopped serving."""
        failed, self._candidate = self._candidate, 0
        self.reloads_failed += 1
        yield Note("reload_failed", {"generation": failed, "reason": reason})
        for worker in self._of(failed):
            yield from self._retire(worker, now_s)
        yield from self._reload_again(now_s)

    def _reload_again(self, now_s: float) -> list[Action]:
        wanted, self._reload_wanted = self._reload_wanted, False
        return self.reload(now_s) if wanted else []

    def _retire(self, worker: _Worker, now_s: float) -> Iterator[Action]:
        """Let a worker finish; one that serves nobody yet is killed."""
        if worker.state is State.READY:
            worker.state = State.DRAINING
            worker.overdue_s = now_s + self.rules.drain_max_s + _KILL_GRACE_S
            yield TellDrain(worker.serial)
        elif worker.state is State.STARTING:
            worker.state = State.DRAINING
            worker.overdue_s = now_s + _KILL_GRACE_S
            yield Kill(worker.serial)

    def _kill_overdue(self, now_s: float) -> Iterator[Action]:
        for worker in list(self._workers.values()):
            if worker.state is State.KILLED or now_s < worker.overdue_s:
                continue
            was, asked = worker.state, worker.state is State.DRAINING
            if not asked:  # Else its end would look like one that nobody asked for.
                worker.state = State.KILLED
            worker.overdue_s = now_s + _KILL_GRACE_S
            yield Note("worker_overdue", {"slot": worker.slot, "state": was.value})
            yield Kill(worker.serial)

    def _drain_when_due(self, now_s: float) -> Iterator[Action]:
        if self._drained or now_s < self._drain_at_s:
            return
        self._drained = True
        for worker in self._workers.values():
            yield from self._retire(worker, now_s)
        yield from self._end_when_empty()

    def _end_when_empty(self) -> list[Action]:
        return [] if self._workers else [End()]


def _ended(worker: _Worker, exit_code: int) -> Note:
    return Note(
        "worker_ended",
        {
            "slot": worker.slot,
            "generation": worker.generation,
            "exit_code": exit_code,
            "state": worker.state.value,
        },
    )
