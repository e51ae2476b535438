"""A walk over everything that may happen to one tenant: real flows, cells and routers, any order.

Rules draw from what the walk itself has done: commands that were sent are sent again, what did not
arrive arrives later, backups that were taken are restored. What happens seldom shares one rule, so
that most steps of a walk are work and clients.
"""

import sys
from collections.abc import Callable
from typing import Any, ClassVar, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import tests.profiles  # noqa: F401 - the profile must be loaded before a machine takes its settings
from cell_control.flows.mover import Mover
from tests.control.bench import CELLS
from tests.control.machine.clients import ENTITIES
from tests.control.machine.workers import Worker
from tests.control.machine.world import World
from tests.control.moves import LIMITS, STREAMS
from tests.control.shell import Fault

PICK: Final = st.integers(0, 60)
CELL: Final = st.sampled_from(CELLS)
ROUTER: Final = st.integers(0, 1)
STREAM: Final = st.sampled_from(STREAMS)
STEPS: Final = st.sampled_from((1, 2, 3, 5, 8, 13, 21, 40))
ANY_WORKER: Final = st.sampled_from((0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6))
"""The first three are movers."""

FAULT: Final = st.sampled_from(("lost", "lost", "failed", "late", "late"))


class ControlMachine(RuleBasedStateMachine):
    """Subclass it with `movers` or an `edge` that has a fault."""

    movers: ClassVar[Callable[..., Any]] = Mover
    edge: ClassVar[Any] = None
    world: World

    @initialize(stripes=st.integers(1, 2), standby=st.booleans(), dest=CELL, is_asked=st.booleans())
    def begin(self, *, stripes: int, standby: bool, dest: str, is_asked: bool) -> None:
        cls = type(self)
        self.world = World(stripes, standby=standby, movers=cls.movers, edge=cls.edge)
        if is_asked:
            self.ask(dest, "move")

    def ask(self, dest: str, kind: str) -> None:
        self.world.ask_for(kind, dest)
        self.world.campaign.run()

    # ── Clients ──────────────────────────────────────────────────────────────

    @rule(router=ROUTER, stream=STREAM, entity=st.sampled_from(ENTITIES), is_late=st.booleans())
    def write(self, *, router: int, stream: str, entity: str, is_late: bool) -> None:
        world = self.world
        command = world.clients.command(stream, entity)
        if not is_late:
            world.clients.send(world.routers[router], command)
            return
        sent = world.routers[router].route("POST", "/v1/commands", command.body())
        if sent is not None:
            world.late.append(sent)

    @precondition(lambda self: self.world.clients.commands)
    @rule(router=ROUTER, pick=PICK)
    def write_again(self, router: int, pick: int) -> None:
        world = self.world
        doubtful = [command for command in world.clients.commands if command.at is None]
        among = doubtful if doubtful and pick % 3 else world.clients.commands
        world.clients.send(world.routers[router], among[pick % len(among)])

    @precondition(lambda self: self.world.clients.commands)
    @rule(router=ROUTER, pick=PICK)
    def read(self, router: int, pick: int) -> None:
        world = self.world
        command = world.clients.commands[pick % len(world.clients.commands)]
        world.clients.read(world.routers[router], command.stream, command.entity)

    # ── Workers ──────────────────────────────────────────────────────────────

    @rule(mover=st.integers(0, 2), steps=STEPS, router=ROUTER, writes=st.integers(0, 3))
    def move(self, mover: int, steps: int, router: int, writes: int) -> None:
        """A mover takes steps, and a client writes before a part of them."""
        world = self.world
        for number in range(steps):
            if writes and number % (writes * 2) == 0:
                stream = STREAMS[number % len(STREAMS)]
                world.clients.send(
                    world.routers[router], world.clients.command(stream, ENTITIES[0])
                )
            world.movers[mover].step()
            world.watch.look()

    @rule(
        mover=st.integers(0, 2),
        step=st.sampled_from(("freeze", "apply", "commit", "activate", "seal", "drop")),
        then=st.sampled_from(("nothing", "lost", "failed", "late", "crash")),
    )
    def approach(self, mover: int, step: str, then: Any) -> None:
        """A mover goes as far as a step that matters, which perhaps goes wrong."""
        one = self.world.movers[mover]
        one.go_to(step, self.world.watch.look)
        if then == "crash":
            one.crash()
        elif then != "nothing":
            self.fail(one, then)

    def fail(self, worker: Worker, fault: Fault) -> None:
        """Let the next step of a worker go wrong."""
        worker.step(fault)
        self.world.late += worker.late
        worker.late.clear()

    @rule(first=st.integers(0, 2), turns=st.integers(0, 2**16 - 1))
    def race(self, first: int, turns: int) -> None:
        """Two movers take steps in turn."""
        for bit in range(16):
            self.world.movers[(first + (turns >> bit & 1)) % 3].step()
            self.world.watch.look()

    @rule(worker=st.integers(3, 6), steps=STEPS)
    def work(self, worker: int, steps: int) -> None:
        for _ in range(steps):
            self.world.workers[worker].step()

    @rule(worker=ANY_WORKER, before=st.integers(0, 12), fault=FAULT, crashes=st.booleans())
    def disturb(self, *, worker: int, before: int, fault: Any, crashes: bool) -> None:
        """A worker takes steps, the last of which goes wrong; perhaps it dies then."""
        one = self.world.workers[worker]
        for _ in range(before):
            one.step()
        self.fail(one, fault)
        if crashes:
            one.crash()

    @precondition(lambda self: self.world.late)
    @rule(pick=PICK)
    def arrive(self, pick: int) -> None:
        self.world.arrive(pick)

    # ── Operators, and the world ─────────────────────────────────────────────

    @rule(dest=CELL, kind=st.sampled_from(("move", "move", "standby")))
    def ask_for(self, dest: str, kind: str) -> None:
        self.ask(dest, kind)

    @rule(ms=st.sampled_from((60, 500, 2000, 6000, LIMITS.keep_ms)))
    def wait(self, ms: int) -> None:
        self.world.bench.clock.time_ms += ms

    @rule(
        what=st.sampled_from(
            ("crash", "dark", "light", "refresh", "back_up", "restore", "force", "force", "abort")
        ),
        pick=PICK,
    )
    def happen(self, what: str, pick: int) -> None:
        world = self.world
        match what:
            case "crash":
                world.workers[pick % len(world.workers)].crash()
            case "dark" | "light":
                world.bench.cells[CELLS[pick % len(CELLS)]].is_dark = what == "dark"
            case "refresh":
                world.routers[pick % 2].refresh()
            case "back_up":
                world.backups = [*world.backups, world.bench.registry.copied()][-3:]
            case "restore" if not world.clients.is_forced:
                world.restore(pick)
            case "force" if not world.watch.is_restored:
                world.fail_over()
            case "abort":
                world.abort()

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.watch.look()

    def teardown(self) -> None:
        # A walk that has failed says why; what becomes of its world does not matter.
        if hasattr(self, "world") and sys.exc_info()[0] is None:
            self.world.settle()


def machine_of(*, movers: Callable[..., Any] = Mover, edge: Any = None) -> type[ControlMachine]:
    """Return the machine over a perhaps faulty mover or edge."""
    faulty = {"movers": staticmethod(movers), "edge": edge}
    return type("FaultyMachine", (ControlMachine,), faulty)


def sized(profile: str) -> settings:
    """Return how far a profile walks: `fast`, `ci` or `deep`."""
    examples, steps = {"fast": (40, 25), "ci": (400, 40), "deep": (20_000, 60)}[profile]
    return settings(settings.get_profile(profile), max_examples=examples, stateful_step_count=steps)
