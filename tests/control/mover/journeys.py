"""Whole journeys of a tenant, to be disturbed at any step: how each begins, and how it goes on.

A journey is driven to its end by whichever mover is given; what holds at its end does not depend
on what was done to it on the way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from tests.control.mover.waiting import is_done
from tests.control.moves import BETA, Scene
from tests.control.shell import Fault, Step

THROTTLED = CellAnswer(status=429, body={"code": "throttled"})


@dataclass(frozen=True, slots=True)
class Journey:
    """How it begins, and what is done to its movers.

    Attributes:
        made: Makes the scene, once for all times.
        refuses: Which calls a cell answers with a refusal, at a time in ms since the scene began.
    """

    name: str
    made: Callable[[], Scene]
    refuses: Callable[[Ask, int], CellAnswer | NoAnswer | None] = lambda _ask, _ms: None

    def begin(self) -> Scene:
        """Return the scene as it begins, for this time only."""
        return self.made().copied()

    def settle(
        self, scene: Scene, faults: Mapping[int, Fault] | None = None, name: str = "m-1"
    ) -> list[Step]:
        """Drive `scene` until nothing is left to do; return the steps."""
        began_ms = scene.bench.clock.time_ms

        def refuses(ask: Ask) -> CellAnswer | NoAnswer | None:
            return self.refuses(ask, scene.bench.clock.time_ms - began_ms)

        return scene.settle(
            scene.mover(name), faults=faults, refuses=refuses, writes=True, until=is_done
        )


@cache
def _created() -> Scene:
    return Scene.new(stripes=2)


@cache
def _swapping() -> Scene:
    scene = Scene.made(stripes=2, writes=4)
    scene.begin(BETA)
    return scene


@cache
def _leaving() -> Scene:
    scene = Scene.made(standby="", writes=4)
    scene.begin(BETA)
    return scene


@cache
def _dropping() -> Scene:
    scene = Scene.made(stripes=2, standby="", writes=4)
    scene.begin(BETA)
    scene.settle()
    leaving = scene.bench.tenant().leaving
    assert leaving is not None
    scene.bench.clock.time_ms = leaving.drop_after_ms
    return scene


def _full(ask: Ask, since_ms: int) -> CellAnswer | None:
    """The destination takes nothing for longer than a cut-over may last."""
    return THROTTLED if ask.path.endswith("/apply") and since_ms < 2500 else None


CREATION = Journey("creation", _created)
SWAP = Journey("swap", _swapping)
MOVE = Journey("move", _leaving)
DROP = Journey("drop", _dropping)
ROLLBACK = Journey("rollback", _swapping, _full)
