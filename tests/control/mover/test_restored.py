"""A registry that was restored from an older backup, at every stage of a move.

Whatever it forgot, the fences did not: the tenant ends settled at one home, whose epoch is above
every one that was ever told to an edge, and nothing that was acknowledged is without a trace.
"""

from collections.abc import Iterator

import pytest

from tests.control.bench import Records
from tests.control.mover.waiting import is_done
from tests.control.moves import BETA, Scene, orphans_in


def stages(standby: str, stride: int) -> Iterator[tuple[Scene, list[Records]]]:
    """Yield the world as it is before each step of a move, and every backup taken until then."""
    scene = Scene.made(stripes=2, standby=standby, writes=4)
    backups = [scene.bench.registry.copied()]
    scene.begin(BETA)
    backups.append(scene.bench.registry.copied())
    drive = scene.drive(scene.mover())
    while not drive.is_over:
        if len(drive.steps) % stride == 0:
            yield scene.copied(), list(backups)
        rev = scene.bench.registry.rev()
        drive.step()
        if scene.bench.registry.rev() != rev:
            backups.append(scene.bench.registry.copied())
    yield scene.copied(), list(backups)


def restored(scene: Scene, backup: Records, *, serves: bool) -> str:
    """Restore `backup`, let movers look, and check the end; return where it was.

    With `serves` an edge that still knows the newer epoch sends a request before anybody looks.
    """
    world = scene.copied()
    world.bench.registry.restore(backup)
    if world.bench.tenant().settled:
        # Which is what a recovery does to whatever is not as its record says.
        world.bench.change(settled=False)
    if serves:
        world.client.write()
    highest = max(
        (f.epoch for cell in world.bench.cells.values() for f in cell.fences("T-1")), default=0
    )
    world.settle(world.mover("m-7"), until=is_done)
    assert world.bench.tenant().epoch >= highest
    # A copy that no record names any more is found by a recovery alone.
    world.check_end(orphans=orphans_in(world, world.bench.tenant().home), remains=True)
    return world.bench.tenant().home


@pytest.mark.parametrize(
    ("standby", "stride"),
    [
        (BETA, 3),
        pytest.param(BETA, 1, marks=pytest.mark.slow),
        pytest.param("", 1, marks=pytest.mark.slow),
    ],
)
def test_a_restored_registry_strands_no_tenant_at_any_stage(standby: str, stride: int):
    homes = set()
    for scene, backups in stages(standby, stride):
        for number, backup in enumerate(backups):
            for serves in (False, True):
                where = f"backup {number} of {len(backups)}, serves {serves}"
                try:
                    homes.add(restored(scene, backup, serves=serves))
                except AssertionError as wrong:
                    raise AssertionError(f"{scene.bench.tenant()}, {where}: {wrong}") from wrong
    assert len(homes) == 2


def test_a_move_that_was_committed_behind_the_backup_is_believed():
    scene = Scene.made(stripes=2)
    scene.begin(BETA)
    backup = scene.bench.registry.copied()
    scene.settle(writes=True)
    scene.bench.registry.restore(backup)

    scene.settle(scene.mover("m-2"))

    scene.check_end(BETA)
    assert "raise" in scene.rows()
    assert scene.member().status == "done"
    assert scene.bench.tenant().epoch == 18


def test_a_home_that_was_frozen_behind_the_backup_serves_again():
    scene = Scene.made(stripes=2)
    backup = scene.bench.registry.copied()
    scene.begin(BETA)
    drive = scene.drive(scene.mover())
    while "freeze" not in scene.rows():
        drive.step()
    scene.bench.registry.restore(backup)
    scene.bench.change(settled=False)

    scene.settle(scene.mover("m-2"))

    scene.check_end()
    assert "find_intent" in scene.rows()
