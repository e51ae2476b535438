"""Random lives of a tenant - moves, failovers, orphans, cuts - under relays that die at random.

At the end the lake filtered by lineage is the home's journal, whatever happened (I9). A walk that
fails names its seed, which is all that it takes to see it again.
"""

import random

import pytest

from cell_core.domain.errors import CellError
from cell_core.domain.ids import next_epoch
from tests.contract.cell_samples import EPOCH
from tests.contract.cell_samples import Stripe as Home
from tests.lake.bench import Crashed, Fault, Side, drive
from tests.lake.test_moving import STRIPE, Two

STEPS = 40
FAULTS = [None, None, *Fault]


class Walk:
    """One tenant in two cells, and everything that may happen to it next."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.two = Two()
        self.places: list[tuple[Side, Home]] = [
            (self.two.alpha, self.two.home),
            (self.two.beta, self.two.away),
        ]
        self.at, self.epoch = 0, EPOCH
        self.zombie_epoch = 0
        self.orphans = self.moves = self.cuts = 0

    @property
    def home(self) -> Home:
        return self.places[self.at][1]

    @property
    def other(self) -> Home:
        return self.places[1 - self.at][1]

    def step(self) -> None:
        """Let one thing happen."""
        deeds = [self.write, self.write, self.publish, self.publish]
        if self.zombie_epoch:
            deeds += [self.write_an_orphan, self.cut]
        else:
            deeds += [self.follow, self.move, self.fail_over]
        self.chance.choice(deeds)()

    def write(self) -> None:
        self.two.write(self.home, self.chance.randrange(1, 4), self.epoch)

    def follow(self) -> None:
        self.two.follow(self.home, self.other, self.epoch)

    def move(self) -> None:
        to, name = self._next()
        self.two.move(self.home, self.other, epoch=self.epoch, to=to, name=name)
        self.at, self.epoch, self.moves = 1 - self.at, to, self.moves + 1

    def fail_over(self) -> None:
        to, name = self._next()
        self.two.fail_over(self.other, to=to, name=name)
        self.zombie_epoch = self.epoch
        self.at, self.epoch = 1 - self.at, to

    def write_an_orphan(self) -> None:
        self.two.write(self.other, 1, self.zombie_epoch)
        self.orphans += 1

    def cut(self) -> None:
        """Take the old home back."""
        side = self.places[1 - self.at][0]
        name = self.places[self.at][0].origin.cell
        self.two.take_back(side, self.other, to=self.epoch, name=name)
        self.zombie_epoch, self.cuts = 0, self.cuts + 1

    def publish(self) -> None:
        """Let one relay work, and perhaps die."""
        side = self.chance.choice(self.places)[0]
        fault = self.chance.choice(FAULTS)
        faults = {self.chance.randrange(9): fault} if fault else {}
        flush = drive(side, [STRIPE], faults).run()
        assert flush.error is None or isinstance(flush.error, CellError | Crashed)

    def finish(self) -> None:
        """Bring all to rest and compare."""
        if self.zombie_epoch:
            self.cut()
        self.follow()
        self.two.settle()
        self.two.check(self.home)

    def _next(self) -> tuple[int, str]:
        origin = self.places[1 - self.at][0].origin
        return next_epoch(self.epoch, origin.ordinal), origin.cell


def walk(seed: int) -> Walk:
    made = Walk(seed)
    made.write()
    for _ in range(STEPS):
        made.step()
    made.finish()
    return made


def walks(seeds: range) -> None:
    """Walk each seed; assert that all that may happen did in some of them."""
    made = []
    for seed in seeds:
        try:
            made.append(walk(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}: walk({seed})") from error
    assert all(sum(getattr(one, name) for one in made) for name in ("orphans", "moves", "cuts"))


def test_twelve_lives_are_published_exactly() -> None:
    walks(range(8, 20))


@pytest.mark.slow
def test_a_thousand_lives_are_published_exactly() -> None:
    walks(range(1000, 2000))
