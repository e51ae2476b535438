"""Faults planted in the decision table and the mover; a scene beside each must notice it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from cell_control.domain.records import State
from cell_control.flows.effects import NoAnswer
from tests.control.fresh import Modules
from tests.control.mover.waiting import is_done
from tests.control.moves import ALPHA, BETA, LIMITS, Scene, forced, level, orphans_in
from tests.control.shell import Fault, name_of


def begun(modules: Modules, **fields: Any) -> Scene:
    scene = Scene.made(**{"stripes": 2, "writes": 4, **fields}, movers=modules.mover.Mover)
    short(scene)
    scene.begin(BETA)
    return scene


def short(scene: Scene) -> None:
    """Notice soon what never ends."""
    scene.limits, scene.runs_max = replace(LIMITS, actions_max=30), 8


def plain(modules: Modules) -> None:
    """A move to the standby and back, under writes."""
    scene = begun(modules)
    scene.settle(writes=True)
    assert scene.member().status == "done"
    scene.check_end(BETA)
    scene.begin(ALPHA, operation="op-2")
    scene.settle(writes=True)
    scene.check_end(ALPHA)


def copied(modules: Modules) -> None:
    """A move to a cell that had nothing, and what becomes of the old home."""
    scene = begun(modules, standby="")
    scene.settle(writes=True, until=is_done)
    scene.check_end(BETA)


def crashed(modules: Modules) -> None:
    """A crash at every step of a move to the standby."""
    base = begun(modules)
    faults: list[Fault] = ["crash", "lost"]
    for step in range(18):
        scene = base.copied()
        scene.settle(writes=True, faults={step: faults[step % 2]})
        scene.check_end(BETA)


def frozen_before_told(modules: Modules) -> None:
    """A home that is frozen has a record that says why, at every moment."""
    scene = begun(modules)
    drive = scene.drive(scene.mover())
    while not drive.is_over:
        drive.step()
        roles = {fence.role.value for fence in scene.bench.cells[ALPHA].fences("T-1")}
        tenant = scene.bench.tenant()
        assert "frozen" not in roles or tenant.state is State.CUTOVER or tenant.epoch > 17


def held_up(modules: Modules) -> None:
    """A destination that does not take the tail until the first attempt is over."""
    scene = begun(modules)
    began_ms = scene.bench.clock.time_ms

    def refuses(ask: Any) -> Any:
        early = scene.bench.clock.time_ms - began_ms < 2500
        return NoAnswer(reason="x") if early and name_of(ask) == "apply azure-beta" else None

    scene.settle(writes=True, refuses=refuses)
    scene.check_end(BETA)
    assert scene.member().rollbacks == 1


def overtaken(modules: Modules) -> None:
    """A mover that sleeps at each step while another one moves the tenant there and back."""
    base = begun(modules)
    for step in range(16):
        scene = base.copied()
        zombie = scene.drive(scene.mover("zombie"), writes=False)
        for _ in range(step):
            zombie.step()
        scene.settle(scene.mover("m-2"), writes=True)
        scene.begin(ALPHA, operation="op-2")
        scene.settle(scene.mover("m-3"), writes=True)
        zombie.run()
        scene.check_now()
        scene.settle(scene.mover("m-4"))
        scene.check_end(ALPHA)


def removed_late(modules: Modules) -> None:
    """A removal that arrives when the cell is a destination again."""
    scene = begun(modules, standby="")
    scene.settle()
    leaving = scene.bench.tenant().leaving
    assert leaving is not None
    scene.bench.clock.time_ms = leaving.drop_after_ms
    zombie = scene.drive(scene.mover("zombie"), writes=False)
    while not zombie.next().startswith("drop"):
        zombie.step()
    scene.settle(scene.mover("m-2"), until=is_done)
    scene.begin(ALPHA, operation="op-2")
    mover = scene.mover("m-3")
    drive = scene.drive(mover)
    while "commit" not in scene.rows()[-1:]:
        drive.step()
    zombie.step()
    scene.settle(scene.mover("m-4"), until=is_done)
    scene.check_end(ALPHA)


def created_late(modules: Modules) -> None:
    """The making of a home that arrives when the tenant was moved on and dropped there."""
    scene = Scene.new(stripes=2, standby="", movers=modules.mover.Mover)
    zombie = scene.drive(scene.mover("zombie"), writes=False)
    while not zombie.next().startswith("provision"):
        zombie.step()
    scene.settle(scene.mover("m-2"))
    scene.write()
    scene.begin(BETA)
    scene.settle(scene.mover("m-3"), writes=True, until=is_done)
    zombie.run()
    scene.check_now()
    scene.check_end(BETA, remains=True)


def orphaned(modules: Modules) -> None:
    """A forced failover behind a home's back."""
    scene = Scene.made(stripes=2, writes=0, movers=modules.mover.Mover)
    short(scene)
    for _ in range(6):
        scene.write()
    scene.bench.put(forced(scene.bench.tenant()))
    lost = list(scene.client.acked)
    scene.settle(until=is_done)
    assert set(orphans_in(scene, BETA)) == set(lost)
    assert [f.role.value for f in scene.bench.cells[ALPHA].fences("T-1")] == ["standby"] * 2


def frozen_and_forced(modules: Modules) -> None:
    """A frozen home that has entries which the new one does not."""
    scene = begun(modules)
    drive = scene.drive(scene.mover(), writes=False)
    while "freeze" not in scene.rows():
        drive.step()
    scene.bench.put(forced(scene.bench.tenant()))
    scene.settle(scene.mover("m-2"), until=is_done)
    fences = scene.bench.cells[ALPHA].fences("T-1")
    assert [fence.seq for fence in fences] == [0, 0]


def restored(modules: Modules) -> None:
    """A registry that forgot a whole move, and one that forgot why the home is frozen."""
    scene = begun(modules)
    backup = scene.bench.registry.copied()
    other = scene.copied()
    scene.settle(writes=True)
    scene.bench.registry.restore(backup)
    scene.settle(scene.mover("m-2"))
    scene.check_end(BETA)
    drive = other.drive(other.mover())
    while "freeze" not in other.rows():
        drive.step()
    other.bench.registry.restore(backup)
    other.settle(other.mover("m-2"))
    other.check_end()


def set_back(modules: Modules) -> None:
    """A destination that lost entries behind the commit is no home."""
    scene = begun(modules)
    before = scene.copied().bench.cells[BETA].backend.partitions
    drive = scene.drive(scene.mover(), writes=False)
    while "commit" not in scene.rows():
        drive.step()
    scene.bench.cells[BETA].backend.partitions.update(before)
    for _ in range(3):
        scene.bench.clock.time_ms += 1000
        scene.drive(scene.mover("m-2"), writes=False).run()
    assert BETA not in scene.bench.actives()


def lame(modules: Modules) -> None:
    """A destination that takes the tail of one stripe only, for a while."""
    scene = begun(modules)
    left = [5]

    def refuses(ask: Any) -> Any:
        left[0] -= ask.path.endswith("/1/apply")
        return NoAnswer(reason="x") if left[0] > 0 and ask.path.endswith("/1/apply") else None

    scene.settle(refuses=refuses, writes=True)
    scene.check_end(BETA)


def unprepared(modules: Modules) -> None:
    """An edge activates the destination by itself as soon as the registry tells the epoch."""
    scene = begun(modules)
    level(scene)
    drive = scene.drive(scene.mover(), writes=False)
    while "commit" not in scene.rows():
        drive.step()
    scene.client.epoch = scene.bench.tenant().epoch
    for _ in range(3):
        assert scene.write() == "acked"


Played = Callable[[Modules], None]

# In which module, what stands there, what it becomes, and the scene that notices.
MUTANTS: Mapping[str, tuple[str, str, str, Played]] = {
    "a record is put without a comparison": (
        "flows.rewriting",
        "last = yield Commit(tuple(writes))",
        (
            "from cell_control.ports import Key as K\n"
            "    now = yield Get(tuple(K(kind=w.kind, key=w.key) for w in writes))\n"
            "    writes = [replace(w, rev=n.rev if n else 0) for w, n in zip(writes, now)]\n"
            "    last = yield Commit(tuple(writes))"
        ),
        overtaken,
    ),
    "a standby is activated without its position": (
        "domain.owning",
        'return Activate(cell=case.tenant.home, mode="planned", positions=positions)',
        'return Activate(cell=case.tenant.home, mode="forced")',
        set_back,
    ),
    "a rollback keeps the epoch": (
        "domain.owning",
        "epoch=case.next_epoch(before.home),",
        "epoch=before.epoch,",
        held_up,
    ),
    "the home is frozen before that is on record": (
        "domain.moving",
        "def _begin_cutover(case: Case) -> Action:",
        (
            "from cell_control.domain.actions import Freeze\n"
            "from cell_control.domain.views import some\n\n\n"
            "def _begin_cutover(case: Case) -> Action:\n"
            "    if some(case.home, lambda f: f.role == 'active'):\n"
            "        return Freeze(cell=case.tenant.home, op='x')"
        ),
        frozen_before_told,
    ),
    "what was frozen is sealed wherever it ends": (
        "domain.retiring",
        (
            'if base.mode != "planned" or base.source != cell '
            "or len(base.positions) != len(view):\n"
            "        return False"
        ),
        "return True",
        frozen_and_forced,
    ),
    "an old home that is active is left alone": (
        "domain.retiring",
        "fence.role in (Role.ACTIVE, Role.FROZEN)",
        "fence.role is Role.FROZEN",
        orphaned,
    ),
    "one stripe is enough for a commit": (
        "domain.views",
        "return all(\n            is_frozen_at",
        "return any(\n            is_frozen_at",
        lame,
    ),
    "what is not prepared is committed": (
        "domain.views",
        "return level and is_prepared(dest, epoch=epoch, ordinal=ordinal)",
        "return level",
        unprepared,
    ),
    "what is behind is committed": (
        "domain.views",
        "return level and is_prepared(dest, epoch=epoch, ordinal=ordinal)",
        "return True",
        plain,
    ),
    "no deadline ends a cut-over": (
        "domain.cutover",
        "lambda case: case.now_ms >= case.move.deadline_ms,",
        "lambda case: False,",
        held_up,
    ),
    "an old home is forgotten at the same epoch": (
        "domain.retiring",
        "tenant=raised(case, replace(case.tenant, leaving=None)), begins=True",
        "tenant=replace(case.tenant, leaving=None)",
        removed_late,
    ),
    "a new home is made active at once": (
        "flows.performing",
        "def make_standby(known: Known, action: MakeStandby) -> Flow[None]:",
        (
            "from cell_control.flows.cells import provision_home\n\n\n"
            "def make_standby(known: Known, action: MakeStandby) -> Flow[None]:\n"
            "    if action.epoch == 0:\n"
            "        here = {'epoch': known.tenant.epoch, 'stripes': known.tenant.stripes}\n"
            "        call = provision_home(action.cell, known.id, **here)\n"
            "        known.see(action.cell, (yield from do(call)))\n"
            "        return"
        ),
        created_late,
    ),
    "the cells are not believed": (
        "domain.owning",
        "return max(_epochs(case), default=0) > case.tenant.epoch",
        "return False",
        restored,
    ),
    "a home that is frozen without a record is left so": (
        "domain.owning",
        "return some(case.home, lambda f: is_frozen_at(f, case.tenant.epoch))",
        "return False",
        restored,
    ),
    "orphans are undone before they are kept": (
        "flows.orphaning",
        "yield from _keep(tenant, home, cell, stripe, fence, at.seq)\n",
        "pass\n",
        orphaned,
    ),
    "what the home holds of the orphans is not counted": (
        "flows.orphaning",
        (
            "    yield from _keep(tenant, home, cell, stripe, fence, at.seq)\n"
            "    kept, chain = yield from _kept(tenant, home, stripe, at)\n"
            "    if (kept, chain) != (count, fence.chain):\n"
            "        raise Unkept(home, stripe, max(1, count - kept))\n"
        ),
        "",
        orphaned,
    ),
    "a deadline un-freezes": (
        "domain.cutover",
        "def _roll_back(case: Case, why: str) -> Action:",
        (
            "from cell_control.domain.actions import Activate\n\n\n"
            "def _roll_back(case: Case, why: str) -> Action:\n"
            "    if case.now_ms >= case.move.deadline_ms:\n"
            "        return Activate(cell=case.tenant.home, mode='rollback')"
        ),
        held_up,
    ),
    "the old home is not the standby": (
        "domain.owning",
        "standby = before.home if swaps else before.standby",
        "standby = before.standby",
        plain,
    ),
    "usages are not given back": (
        "flows.rewriting",
        "    values += usage_writes(before, after, known.usages)\n",
        "",
        copied,
    ),
}


def test_without_a_fault_every_scene_ends_as_it_should():
    modules = Modules()

    for scene in {row[3] for row in MUTANTS.values()}:
        scene(modules)


# Mutants that never end cost seconds.
LONG = {"a deadline un-freezes", "a rollback keeps the epoch"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in MUTANTS],
)
def test_a_planted_fault_is_noticed(name: str):
    module, old, new, scene = MUTANTS[name]
    mutated = Modules(module, old, new)

    try:
        scene(mutated)
    except Exception as found:  # noqa: BLE001 - a mutant may do anything
        noticed = type(found).__name__
    else:
        noticed = ""

    assert noticed
