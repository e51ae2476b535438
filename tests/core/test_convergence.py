"""A copy converges in whatever order its parts arrive: pages new and stale, the tail, duplicates.

All orders are tried, on the reference store; what each store makes of them is the contract's
business.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from itertools import combinations, permutations

import pytest

from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, Document
from cell_core.domain.errors import Gap, InvalidInput
from cell_core.domain.fence import Fence, Role
from cell_core.domain.journal import Entry
from cell_core.memory import MemoryCellStore
from cell_core.ports import CellStore
from tests.contract.cell_samples import (
    AWAY,
    DEADLINE_MS,
    EPOCH,
    LocalCell,
    Stripe,
    ask,
    backwards,
    delete,
    open_account,
    patch,
    put,
    transfer,
    untagged,
)
from tests.core.interleaving import Interleaver

TENANT = "T-1"
BEGUN, NOTED = 3, 6
"""Where the home stood when the copy was begun, and when pages were read a second time."""

_COMMANDS = [
    put("a", 1),
    put("b", {"n": 1}),
    open_account("x"),
    delete("a"),
    patch("b", {"m": 2}),
    delete("missing"),
    put("a", 2),
    delete("b"),
    put("c"),
    transfer("x", "nobody"),
    ask("records", ("put", {"id": "d", "value": 1}), ("delete", {"id": "d"})),
]
_END = len(_COMMANDS)

Pages = Mapping[int, Sequence[Document]]


class History:
    """A home that lived, and what was exported from it while it did."""

    def __init__(self) -> None:
        self.home = LocalCell(MemoryCellStore()).provision(TENANT)
        self.entities: dict[int, list[Document]] = {}
        self.records: dict[int, list[Document]] = {}
        self.fences: dict[int, Fence] = {}
        for seq, command in enumerate(_COMMANDS, start=1):
            self.home.one(command)
            self.entities[seq] = self.home.exported(ENTITY)
            self.records[seq] = self.home.exported(IDEMPOTENCY)
            self.fences[seq] = self.home.fence()
        self.journal = self.home.journal()
        self.log = self.home.exported(LOG)

    def standby(self, seq: int, store: CellStore | None = None) -> Stripe:
        """Return an empty standby that begins at `seq`."""
        at = self.fences[seq] if seq else Fence(role=Role.ACTIVE, epoch=EPOCH)
        fence = Fence(role=Role.STANDBY, epoch=EPOCH, seq=at.seq, chain=at.chain, digest=at.digest)
        cell = LocalCell(store or MemoryCellStore(), AWAY)
        cell.controller.provision(TENANT, [fence], DEADLINE_MS)
        return cell.at(TENANT)


@cache
def history() -> History:
    return History()


def apply(entries: Sequence[Entry], standby: Stripe) -> None:
    """Append what fits; a gap is answered and otherwise nothing."""
    with suppress(Gap):
        standby.apply(entries)


def take(documents: Sequence[Document], standby: Stripe) -> None:
    """Import a page; journal pages wait for the ones behind them."""
    try:
        standby.take(documents)
    except InvalidInput:
        assert any(document.key.startswith(LOG) for document in documents)


Step = Callable[[Stripe], None]


def _steps(seen: History, begun: int) -> dict[str, Step]:
    journal = seen.journal
    return {
        "entities at first": partial(take, seen.entities[begun]),
        "entities later, in another order": partial(take, seen.entities[NOTED][::-1]),
        "records, early and late": partial(take, [*seen.records[begun], *seen.records[_END][:4]]),
        "the tail": partial(apply, journal[begun : begun + 3]),
        "more of it": partial(apply, journal[begun + 3 : begun + 6]),
        "a part of both": partial(apply, journal[begun + 1 : begun + 4]),
    }


def complete(standby: Stripe, begun: int) -> None:
    """Do what a copier does in the end, whatever happened before."""
    seen = history()
    standby.take(seen.entities[begun])
    standby.take(seen.records[begun])
    standby.apply(seen.journal[begun:])
    if begun:
        standby.take(backwards(seen.log[:begun]))


def check(standby: Stripe, order: Sequence[str]) -> None:
    home = history().home
    there, here = home.fence(), standby.fence()
    assert (here.seq, here.chain, here.digest) == (there.seq, there.chain, there.digest), order
    assert standby.scanned() == here.digest, order
    assert untagged(standby.contents()) == untagged(home.contents()), order


def versions(standby: Stripe) -> Mapping[str, int]:
    return {document.key: document.version for document in standby.exported(ENTITY)}


def test_every_order_of_copy_and_tail_converges() -> None:
    seen = history()
    orders = list(permutations(_steps(seen, BEGUN)))
    for order in orders:
        standby, steps = seen.standby(BEGUN), _steps(seen, BEGUN)
        for name in order:
            steps[name](standby)
        complete(standby, BEGUN)
        check(standby, order)
    assert len(orders) == 720


@pytest.mark.parametrize("begun", [1, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_nothing_goes_back_on_the_way_and_the_log_stays_a_prefix(begun: int) -> None:
    seen = history()
    for order in permutations(_steps(seen, begun), 4):
        standby, steps = seen.standby(begun), _steps(seen, begun)
        before = versions(standby)
        for name in (*order, *order[:2]):
            steps[name](standby)
            after, fence = versions(standby), standby.fence()
            assert all(after[key] >= version for key, version in before.items()), order
            assert fence.chain == seen.fences[fence.seq].chain, order
            assert standby.journal() == seen.journal[begun : fence.seq], order
            before = after


def test_every_cut_of_the_log_into_two_batches_and_any_repetition_converges() -> None:
    seen = history()
    for first, second in combinations(range(1, _END), 2):
        standby = seen.standby(0)
        batches = [
            seen.journal[:second],
            seen.journal[first:],
            seen.journal[:first],
            seen.journal[second - 1 :],
        ]
        for batch in batches:
            apply(batch, standby)
        check(standby, (str(first), str(second)))


def test_every_order_of_journal_pages_leaves_no_hole_before_what_is_held() -> None:
    seen = history()
    log = seen.log
    cuts = {"end": log[8:], "middle": log[5:9], "earlier": log[2:6], "first": log[:2]}
    for order in permutations(cuts):
        standby = seen.standby(_END)
        for name in order:
            take(cuts[name], standby)
            held = [entry.seq for entry in standby.journal()]
            assert held == list(range(_END - len(held) + 1, _END + 1)), order
        for page in cuts.values():
            take(page, standby)
        assert standby.journal() == seen.journal, order


def test_two_copiers_at_once_converge() -> None:
    seen = history()
    for order in permutations(_steps(seen, BEGUN), 3):
        standby, steps = seen.standby(BEGUN), _steps(seen, BEGUN)
        other = LocalCell(standby.here.store, AWAY).at(TENANT)
        for number, name in enumerate((*order, *order[::-1])):
            steps[name]((standby, other)[number % 2])
        complete(other, BEGUN)
        check(standby, order)


def test_copier_and_applier_may_meet_at_any_call() -> None:
    seen = history()
    held: list[MemoryCellStore] = []
    runs = 0

    def start() -> tuple[CellStore, list[Callable[[CellStore], object]]]:
        held[:] = [MemoryCellStore()]
        seen.standby(BEGUN, held[0])
        return held[0], [
            lambda store: LocalCell(store, AWAY).at(TENANT).take(seen.entities[NOTED]),
            lambda store: LocalCell(store, AWAY).at(TENANT).apply(seen.journal[BEGUN : BEGUN + 4]),
        ]

    with Interleaver(2, faults=0, torn=False) as interleaver:
        for ended in interleaver.explore(start):
            runs += 1
            copy = LocalCell(held[0], AWAY).at(TENANT)
            fence = copy.fence()
            assert fence.chain == seen.fences[fence.seq].chain, ended.choices
            complete(copy, BEGUN)
            check(copy, [str(choice) for choice in ended.choices])
    assert runs > 100
