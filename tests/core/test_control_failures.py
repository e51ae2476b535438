"""What a control call comes to when the store fails under it or another caller is quicker."""

import json

import pytest

from cell_core.domain import transitions
from cell_core.domain.errors import Fenced, NotFound, OutcomeUnknown, Throttled, Unavailable
from cell_core.domain.fence import Fence, Role
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.service.control import Controller
from cell_core.service.positions import Positions
from cell_core.service.remove import Remover
from cell_core.service.replicate import Replicator
from tests.contract.cell_samples import (
    AWAY,
    DEADLINE_MS,
    EPOCH,
    HOME,
    MOVED_EPOCH,
    RETURNED_EPOCH,
    Clock,
    LocalCell,
    put,
)
from tests.core.scripted import (
    Line,
    Patient,
    Scripted,
    after,
    done,
    lost,
    throttled,
    unavailable,
    unknown_and_done,
    unknown_and_not_done,
)

TENANT = "T-1"


class World:
    """A witness on a sound store, and the control interface on a scripted one."""

    def __init__(self) -> None:
        backend = MemoryBackend()
        self.witness = LocalCell(MemoryCellStore(backend))
        self.stripe = self.witness.at(TENANT)
        self.store = Scripted(MemoryCellStore(backend))
        positions, patience = Positions(self.store), Patient(Clock())
        self.controller = Controller(self.store, patience, positions, HOME)
        self.replicator = Replicator(self.store, patience, positions, HOME)
        self.remover = Remover(self.store, positions, self.controller)

    def provision(self, stripes: int = 4, role: Role = Role.ACTIVE) -> list[Fence]:
        fence = Fence(role=role, epoch=EPOCH, stripes=stripes)
        return self.controller.provision(TENANT, [fence] * stripes, DEADLINE_MS)

    def freeze(self) -> list[Fence]:
        def decide(fence: Fence, _stripe: int) -> transitions.Sets | None:
            return transitions.freeze(fence, epoch=EPOCH, op="move-1")

        return self.controller.change(TENANT, decide, DEADLINE_MS)

    def drop(self) -> None:
        while self.remover.drop(TENANT, MOVED_EPOCH, DEADLINE_MS):
            pass


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("made", range(5))
def test_a_tenant_is_not_there_until_all_its_fences_are(world: World, made: int) -> None:
    world.store.commits = [done] * made + [unavailable]

    with pytest.raises(Unavailable):
        world.provision()

    with pytest.raises(NotFound):
        world.witness.controller.fences(TENANT)
    with pytest.raises(NotFound):
        world.stripe.run(put("a"))
    assert [fence.role for fence in world.provision()] == [Role.ACTIVE] * 4


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done])
@pytest.mark.parametrize("at", range(5))
def test_a_lost_answer_does_not_stop_provisioning(world: World, line: Line, at: int) -> None:
    world.store.commits = [done] * at + [line]

    if (at, line) == (0, unknown_and_not_done):
        with pytest.raises(OutcomeUnknown):
            world.provision()

    assert [fence.role for fence in world.provision()] == [Role.ACTIVE] * 4


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done, lost, throttled])
@pytest.mark.parametrize("at", range(4))
def test_a_freeze_is_made_again_until_it_is_known_to_hold(
    world: World, line: Line, at: int
) -> None:
    world.provision()
    world.store.commits = [done] * at + [line]

    fences = world.freeze()

    assert [(fence.role, fence.op) for fence in fences] == [(Role.FROZEN, "move-1")] * 4


def test_a_freeze_does_not_race_with_writers(world: World) -> None:
    world.provision(stripes=1)
    world.store.seen.clear()
    world.store.commits = [after(lambda: world.stripe.one(put("a")))]

    [fence] = world.freeze()

    assert (fence.role, fence.seq) == (Role.FROZEN, 1)
    assert world.store.seen.count("commit") == 1


def test_a_freeze_that_another_operation_beat_is_refused(world: World) -> None:
    world.provision(stripes=1)
    world.store.commits = [after(lambda: world.stripe.freeze("move-2"))]

    with pytest.raises(Fenced):
        world.freeze()

    assert world.stripe.fence().op == "move-2"


def test_a_freeze_gives_up_at_its_deadline(world: World) -> None:
    world.provision()
    world.store.commits = [throttled] * 100

    with pytest.raises(Throttled):
        world.freeze()

    assert world.stripe.fence().role is Role.ACTIVE


def test_a_forced_base_is_the_position_at_which_it_was_activated(world: World) -> None:
    home = LocalCell(MemoryCellStore(), AWAY).provision(TENANT, epoch=MOVED_EPOCH)
    home.run(put("a"), put("b"), epoch=MOVED_EPOCH)
    standby = Fence(role=Role.STANDBY, epoch=MOVED_EPOCH)
    world.controller.provision(TENANT, [standby], DEADLINE_MS)
    # The last entries of the dark home arrive while it is being replaced.
    world.store.commits = [after(lambda: world.stripe.apply(home.journal(), epoch=MOVED_EPOCH))]

    [fence] = world.controller.activate(
        TENANT,
        epoch=RETURNED_EPOCH,
        mode="forced",
        positions=None,
        op="",
        deadline_ms=DEADLINE_MS,
    )

    base = json.loads(fence.base)
    assert (fence.seq, base["seq"], base["chain"]) == (2, 2, fence.chain)


@pytest.mark.parametrize("line", [unknown_and_done, unknown_and_not_done, lost, throttled])
def test_an_apply_is_made_again_until_it_is_known_to_hold(world: World, line: Line) -> None:
    home = LocalCell(MemoryCellStore(), AWAY).provision(TENANT, epoch=MOVED_EPOCH)
    home.run(put("a"), put("b"), epoch=MOVED_EPOCH)
    standby = Fence(role=Role.STANDBY, epoch=MOVED_EPOCH)
    world.controller.provision(TENANT, [standby], DEADLINE_MS)
    bodies = [entry.body for entry in home.journal()]
    world.store.commits = [line]

    fence = world.replicator.apply(TENANT, 0, MOVED_EPOCH, bodies, DEADLINE_MS)

    assert (fence.seq, fence.chain) == (2, home.fence().chain)
    assert world.stripe.contents() == home.contents()


def test_an_apply_that_an_activation_overtook_is_refused(world: World) -> None:
    home = LocalCell(MemoryCellStore(), AWAY).provision(TENANT, epoch=MOVED_EPOCH)
    home.run(put("a"), epoch=MOVED_EPOCH)
    standby = Fence(role=Role.STANDBY, epoch=MOVED_EPOCH)
    world.controller.provision(TENANT, [standby], DEADLINE_MS)
    bodies = [entry.body for entry in home.journal()]
    world.store.commits = [after(lambda: world.stripe.activate(RETURNED_EPOCH, mode="forced"))]

    with pytest.raises(Fenced):
        world.replicator.apply(TENANT, 0, MOVED_EPOCH, bodies, DEADLINE_MS)

    assert world.stripe.fence().seq == 0
    assert world.stripe.contents() == []


@pytest.mark.parametrize("cut", range(12))
def test_a_drop_cut_off_at_any_write_is_finished_by_the_next_call(world: World, cut: int) -> None:
    world.provision()
    for stream in ("main", "s1", "s2"):
        world.stripe.run(put("a", stream=stream))
    world.stripe.fence_off()
    world.store.commits = [done] * cut + [unavailable]

    with pytest.raises(Unavailable):
        world.drop()

    world.store.commits = []
    world.drop()
    for number in range(4):
        with pytest.raises(NotFound):
            world.witness.controller.fence(TENANT, number)
    assert world.witness.controller.tenants(after=None, limit=10).documents == ()


@pytest.mark.parametrize("made", range(4))
def test_what_a_provision_left_that_was_cut_off_is_dropped(world: World, made: int) -> None:
    world.store.commits = [done] * (1 + made) + [unavailable]
    with pytest.raises(Unavailable):
        world.provision(role=Role.STANDBY)

    world.drop()

    for number in range(4):
        with pytest.raises(NotFound):
            world.witness.controller.fence(TENANT, number)
    assert world.witness.controller.tenants(after=None, limit=10).documents == ()
    with pytest.raises(NotFound):
        world.drop()


def test_what_was_removed_while_it_was_provisioned_is_listed_all_the_same(world: World) -> None:
    world.store.commits = [
        done,
        done,
        after(lambda: world.witness.remover.drop(TENANT, MOVED_EPOCH, DEADLINE_MS)),
    ]

    world.provision(role=Role.STANDBY)

    assert len(world.witness.controller.tenants(after=None, limit=10).documents) == 1
    assert world.witness.controller.fence(TENANT, 0).role is Role.STANDBY
