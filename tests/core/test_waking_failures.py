"""What waking a prepared standby comes to when the store fails or somebody else is quicker."""

import json
from collections.abc import Callable

import pytest

from cell_core.domain.documents import ENTITY
from cell_core.domain.errors import Fenced, Gap, NotFound, OutcomeUnknown, Throttled, Unavailable
from cell_core.domain.fence import Role
from cell_core.domain.transitions import Preparation
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.service.positions import Positions
from cell_core.service.process import Processor
from cell_core.service.reads import Reader
from cell_core.service.replicate import Replicator
from tests.contract.cell_samples import (
    AWAY,
    DEADLINE_MS,
    HOME,
    MOVED_EPOCH,
    RETURNED_EPOCH,
    Clock,
    LocalCell,
    as_standby,
    patch,
    put,
)
from tests.core.scripted import (
    Line,
    Patient,
    Scripted,
    after,
    before,
    lost,
    throttled,
    unavailable,
    unknown_and_done,
    unknown_and_not_done,
)

TENANT = "T-1"
ROLLED_BACK_EPOCH = MOVED_EPOCH + 16


class World:
    """A prepared standby in a cell whose store is scripted, and a witness on a sound store."""

    def __init__(self, *, copied: bool = True) -> None:
        backend = MemoryBackend()
        self.witness = LocalCell(MemoryCellStore(backend))
        self.home = LocalCell(MemoryCellStore(), AWAY).provision(TENANT, epoch=MOVED_EPOCH)
        self.home.run(put("a", {"n": 1}), put("b"), epoch=MOVED_EPOCH)
        self.standby = as_standby(self.home, self.witness, copied=True)
        if copied:
            self.standby.take(self.home.contents()[::-1])
        fence = self.home.fence()
        self.wanted = Preparation(epoch=RETURNED_EPOCH, seq=fence.seq, chain=fence.chain)
        self.store = Scripted(MemoryCellStore(backend))
        positions, patience = Positions(self.store), Patient(Clock())
        self.processor = Processor(self.store, Clock(), patience, positions, HOME)
        self.reader = Reader(self.store, positions, HOME)
        self.replicator = Replicator(self.store, patience, positions, HOME)

    def prepare(self) -> None:
        self.standby.apply([], epoch=MOVED_EPOCH, wanted=self.wanted)

    def run(self, ask=None):
        asks = [ask or put("new")]
        return self.processor.process(TENANT, RETURNED_EPOCH, asks, DEADLINE_MS)[0]

    def read(self):
        return self.reader.entity(self.standby.reading(epoch=RETURNED_EPOCH), "record.a")


@pytest.fixture
def world() -> World:
    world = World()
    world.prepare()
    return world


def serve(world: World) -> None:
    world.run()


def look(world: World) -> None:
    world.read()


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done, lost])
@pytest.mark.parametrize("deed", [serve, look])
def test_waking_is_tried_again_until_the_fence_tells(
    world: World, deed: Callable[[World], None], line: Line
) -> None:
    world.store.commits = [line]

    deed(world)

    assert (world.standby.fence().role, world.standby.fence().epoch) == (
        Role.ACTIVE,
        RETURNED_EPOCH,
    )


@pytest.mark.parametrize("deed", [serve, look])
def test_waking_is_not_tried_for_ever(world: World, deed: Callable[[World], None]) -> None:
    world.store.commits = [unknown_and_not_done] * 100

    with pytest.raises(Fenced) as error:
        deed(world)

    assert error.value.code == "moved"
    assert world.store.seen.count("commit") == 3
    assert world.standby.fence().role is Role.STANDBY


@pytest.mark.parametrize(("line", "error"), [(throttled, Throttled), (unavailable, Unavailable)])
def test_a_store_that_fails_wakes_nobody_and_nothing_was_done(
    world: World, line: Line, error: type[Exception]
) -> None:
    world.store.commits = [line] * 100

    with pytest.raises(error):
        world.read()

    assert world.standby.fence().role is Role.STANDBY


def test_a_home_that_was_rolled_back_meanwhile_stays_the_home(world: World) -> None:
    entries = world.home.journal()[-1:]
    world.store.commits = [after(lambda: world.standby.apply(entries, epoch=ROLLED_BACK_EPOCH))]

    with pytest.raises(Fenced):
        world.run()

    fence = world.standby.fence()
    assert (fence.role, fence.epoch, fence.base) == (Role.STANDBY, ROLLED_BACK_EPOCH, "")


def test_a_stripe_that_was_dropped_meanwhile_is_not_woken(world: World) -> None:
    def drop() -> None:
        while world.witness.remover.drop(TENANT, MOVED_EPOCH, DEADLINE_MS):
            pass

    world.store.commits = [after(drop)]

    with pytest.raises(NotFound):
        world.run()


def test_the_mover_may_activate_at_the_same_moment(world: World) -> None:
    position = (world.wanted.seq, world.wanted.chain)
    world.store.commits = [
        after(lambda: world.standby.activate(RETURNED_EPOCH, positions=[position], op="move-1"))
    ]

    [answer] = world.run()

    assert answer.entry.epoch == RETURNED_EPOCH
    assert world.standby.fence().op == "move-1"


def test_what_a_copier_wrote_before_the_waking_is_seen_by_the_command_that_woke() -> None:
    world = World(copied=False)
    world.prepare()
    entities = world.home.exported(ENTITY)
    # The fence was read, and no entity; the copier's last documents come before the waking.
    world.store.commits = [after(lambda: world.standby.take(entities))]

    world.run(patch("a", {"m": 2}))

    [left] = [d for d in world.standby.exported(ENTITY) if d.key.endswith("record.a")]
    assert json.loads(left.body)["value"] == {"m": 2, "n": 1}


def test_a_read_that_woke_the_stripe_sees_what_a_copier_wrote_before() -> None:
    world = World(copied=False)
    world.prepare()
    entities = world.home.exported(ENTITY)
    world.store.commits = [after(lambda: world.standby.take(entities))]

    page, _ = world.reader.entities(
        world.standby.reading(epoch=RETURNED_EPOCH), after=None, limit=10
    )

    assert len(page.documents) == 2


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done, lost, throttled])
def test_a_preparation_is_made_again_until_it_is_known_to_hold(line: Line) -> None:
    world = World()
    world.store.commits = [line]

    fence = world.replicator.apply(TENANT, 0, MOVED_EPOCH, [], DEADLINE_MS, wanted=world.wanted)

    assert fence.base == world.wanted.base()
    assert world.standby.fence() == fence


def test_a_preparation_that_an_entry_overtook_is_refused() -> None:
    world = World()
    world.home.one(put("late"), epoch=MOVED_EPOCH)
    late = world.home.journal()[-1:]
    world.store.commits = [before(lambda: world.standby.apply(late, epoch=MOVED_EPOCH), lost)]

    with pytest.raises(Gap):
        world.replicator.apply(TENANT, 0, MOVED_EPOCH, [], DEADLINE_MS, wanted=world.wanted)

    assert (world.standby.fence().seq, world.standby.fence().base) == (3, "")


def test_a_preparation_whose_outcome_stays_unknown_says_so() -> None:
    world = World()
    world.store.commits = [unknown_and_not_done] * 100

    with pytest.raises(OutcomeUnknown):
        world.replicator.apply(TENANT, 0, MOVED_EPOCH, [], DEADLINE_MS, wanted=world.wanted)
