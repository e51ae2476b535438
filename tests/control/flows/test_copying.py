"""A copy converges whatever happens, goes on from anything, and is proved before it counts."""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from random import Random

import pytest

from cell_control.domain.records import Position, StripeCopy, Tenant
from cell_control.flows.calling import Busy, Dark, Diverged, NotDone, Refused, do
from cell_control.flows.cells import activate, freeze, seal
from cell_control.flows.copying import Incomplete, Load
from cell_control.flows.effects import Ask, CellAnswer, NoAnswer
from cell_control.flows.proving import Unproven
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, log_key
from tests.control.bench import Bench
from tests.control.flows.lives import (
    AWAY,
    HOME,
    MOVED_EPOCH,
    assert_copied,
    begin_copy,
    contents,
    copying,
    follow_up,
    keep,
    plant,
    remove,
    settled,
    write,
)
from tests.control.shell import Drive, Fault, Step, run

BEFORE, AFTER = 38, 7
"""Commands before the standby was made, and before its copy is begun."""


@cache
def _begun(before: int, after: int) -> Bench:
    bench = Bench()
    settled(bench)
    write(bench, before)
    begin_copy(bench)
    write(bench, after, first=before + 1)
    return bench


def begun(before: int = BEFORE, after: int = AFTER) -> Bench:
    """Return a world in which a copy was begun and nothing is copied."""
    return _begun(before, after).copied()


class Writer:
    """Sends one more command every few steps of a copier."""

    def __init__(self, bench: Bench, every: int = 3, most: int = 30) -> None:
        self._bench, self._every, self._most = bench, every, most
        self._sent = BEFORE + AFTER

    def __call__(self, step: Step) -> None:
        if step.number % self._every == 0 and self._sent < BEFORE + AFTER + self._most:
            self._sent += 1
            write(self._bench, 1, first=self._sent)


@cache
def steps_of_a_copy(before: int = BEFORE, after: int = AFTER) -> int:
    """Return how many steps a copy takes to which nothing happens."""
    drive = Drive(world := begun(before, after), copying(world))
    drive.run()
    return len(drive.steps)


def test_a_copy_of_a_tenant_that_nobody_writes_to_is_the_same() -> None:
    bench = begun(after=0)

    run(bench, copying(bench))

    assert_copied(bench)


def test_a_tenant_that_is_empty_is_copied() -> None:
    bench = begun(0, 0)

    assert run(bench, copying(bench)).phase == "done"

    assert_copied(bench)


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_a_copy_converges_while_the_home_is_written_to(every: int) -> None:
    bench = begun()

    Drive(bench, copying(bench), before=Writer(bench, every)).run()
    follow_up(bench)

    assert_copied(bench)


def test_a_copy_is_done_only_where_the_home_stood_when_all_was_copied() -> None:
    bench = begun()

    run(bench, copying(bench))

    assert bench.cells[AWAY].fences("T-1")[0].seq == BEFORE + AFTER


def test_a_proof_follows_no_further_than_where_the_home_stood_when_all_was_copied() -> None:
    bench, later = begun(), iter([20])

    def writes_on(_step: Step) -> None:
        move = bench.tenant().move
        if move is not None and move.copied[0].phase == "proof":
            for count in later:
                write(bench, count, first=BEFORE + AFTER + 1)

    Drive(bench, copying(bench), before=writes_on).run()

    assert bench.cells[HOME].fences("T-1")[0].seq == BEFORE + AFTER + 20
    assert bench.cells[AWAY].fences("T-1")[0].seq == BEFORE + AFTER


def test_after_a_crash_at_any_step_the_copy_goes_on() -> None:
    bench, left_behind = begun(19, 4), list[Bench]()
    Drive(bench, copying(bench), before=lambda _: left_behind.append(bench.copied())).run()

    for world in left_behind:
        run(world, copying(world))

        assert_copied(world)


def test_a_proof_waits_until_the_destination_is_where_the_home_was() -> None:
    bench = begun(13, 40)
    undisturbed = Drive(world := bench.copied(), copying(world))
    undisturbed.run()
    applies = iter([None, CellAnswer(status=429, body={"code": "throttled"})])

    def refuses(ask: Ask) -> CellAnswer | NoAnswer | None:
        return next(applies, None) if ask.path.endswith("/apply") else None

    drive = Drive(bench, copying(bench), refuses=refuses)
    drive.run()

    assert_copied(bench)
    reads = [
        [s.name for s in d.steps].count("get entities aws-alpha") for d in (undisturbed, drive)
    ]
    assert reads[0] == reads[1], "nothing is copied again"


@pytest.mark.parametrize("fault", ["lost", "failed"])
def test_after_a_lost_answer_or_request_at_any_step_the_copy_goes_on(fault: Fault) -> None:
    for number in range(steps_of_a_copy(13, 4)):
        bench = begun(13, 4)
        with suppress(Dark):
            Drive(bench, copying(bench), faults={number: fault}).run()
        run(bench, copying(bench))

        assert_copied(bench)


def test_a_cursor_that_was_lost_costs_only_work() -> None:
    bench = begun()
    run(bench, copying(bench))
    before = contents(bench, AWAY)

    keep(bench, 0, StripeCopy())
    run(bench, copying(bench))

    assert contents(bench, AWAY) == before


@pytest.mark.parametrize("seed", range(6))
def test_two_copiers_and_a_replicator_in_any_order_converge(seed: int) -> None:
    bench, draw = begun(), Random(seed)
    drives = [Drive(bench, copying(bench), before=Writer(bench, 4)) for _ in range(2)]
    while any(not drive.is_over for drive in drives):
        if draw.random() < 0.05:
            follow_up(bench, budget=7)
        draw.choice([drive for drive in drives if not drive.is_over]).step()

    follow_up(bench)

    assert_copied(bench)


@pytest.mark.parametrize("seed", range(4))
def test_a_copier_that_wakes_after_the_move_changes_nothing(seed: int) -> None:
    bench, draw = begun(), Random(seed)
    zombie = Drive(bench, copying(bench))
    for _ in range(draw.randrange(1, steps_of_a_copy() - 1)):
        zombie.step()
    run(bench, copying(bench))
    switch_over(bench)
    before = (contents(bench, HOME), contents(bench, AWAY), bench.cells[AWAY].fences("T-1"))

    with pytest.raises(NotDone):
        zombie.run()

    after = (contents(bench, HOME), contents(bench, AWAY), bench.cells[AWAY].fences("T-1"))
    assert after == before


def test_what_diverged_is_never_overwritten() -> None:
    bench = begun(after=0)
    other = other_life()
    for document in contents(other, HOME)[-3:]:
        plant(bench, AWAY, document)
    before = contents(bench, AWAY)

    with pytest.raises(Diverged):
        run(bench, copying(bench, Load(pages=1, in_flight=1, documents=80)))

    planted = {document.key: document for document in before}
    assert all(planted.get(d.key, d) == d for d in contents(bench, AWAY))


def test_a_home_whose_journal_has_no_beginning_cannot_be_copied() -> None:
    bench = begun()
    remove(bench, HOME, log_key(1), log_key(2))

    with pytest.raises(Incomplete):
        run(bench, copying(bench))


def test_a_home_whose_journal_has_a_hole_cannot_be_copied() -> None:
    bench = begun()
    remove(bench, HOME, log_key(20))

    with pytest.raises(Incomplete):
        run(bench, copying(bench))


@pytest.mark.parametrize("prefix", [ENTITY, IDEMPOTENCY])
def test_a_document_that_is_missing_in_the_end_is_copied_again(prefix: str) -> None:
    bench = begun()
    lost = bench.cells[HOME].documents("T-1", 0, prefix)[3]

    Drive(bench, copying(bench), before=Thief(bench, lost.key)).run()

    assert_copied(bench)


def test_a_document_that_is_altered_at_the_destination_is_an_alarm() -> None:
    bench = begun()
    right = next(d for d in bench.cells[HOME].documents("T-1", 0, ENTITY) if d.body)
    plant(bench, AWAY, replace(right, body='{"forged":1}'))

    with pytest.raises(Unproven):
        run(bench, copying(bench))

    assert bench.tenant().move.copied[0].tries == 3  # type: ignore[union-attr]


def test_a_source_that_is_not_the_home_any_more_is_not_copied_from() -> None:
    bench = begun()
    bench.change(epoch=MOVED_EPOCH)

    with pytest.raises(Refused):
        run(bench, copying(bench))

    assert contents(bench, AWAY) == []


@pytest.mark.parametrize(("code", "kind"), [("throttled", Busy), ("", Dark)])
def test_a_destination_that_refuses_is_told_and_what_was_copied_is_kept(
    code: str, kind: type[NotDone]
) -> None:
    bench = begun()
    refused = iter([None] * 3)

    def refuses(ask: Ask) -> CellAnswer | NoAnswer | None:
        if not ask.path.endswith("/import"):
            return None
        return next(refused, CellAnswer(status=429 if code else 507, body={"code": code}))

    with pytest.raises(kind):
        Drive(bench, copying(bench), refuses=refuses).run()

    assert bench.tenant().move.copied[0].after  # type: ignore[union-attr]
    run(bench, copying(bench))
    assert_copied(bench)


def test_every_stripe_of_a_tenant_is_copied() -> None:
    bench = Bench()
    settled(bench, stripes=2)
    write(bench, 30)
    begin_copy(bench)

    for stripe in range(2):
        run(bench, copying(bench, stripe=stripe))

    assert_copied(bench)


class Thief:
    """Takes a document from the destination just before the proof begins, once."""

    def __init__(self, bench: Bench, key: str) -> None:
        self._bench, self._key, self._has_it = bench, key, False

    def __call__(self, _step: Step) -> None:
        move = self._bench.tenant().move
        if move and move.copied[0].phase == "proof" and not self._has_it:
            self._has_it = True
            remove(self._bench, AWAY, self._key)


def other_life() -> Bench:
    """Return a world in which the same tenant lived otherwise."""
    bench = Bench()
    settled(bench)
    write(bench, BEFORE, first=1001)
    return bench


def switch_over(bench: Bench) -> Tenant:
    """Move the tenant to AWAY, as a mover would."""
    source = run(bench, do(freeze(HOME, "T-1", epoch=17, op="op-1.1")))
    follow_up(bench)
    positions = [Position(seq=fence.seq, chain=fence.chain) for fence in source]
    run(bench, do(activate(AWAY, "T-1", epoch=MOVED_EPOCH, mode="planned", positions=positions)))
    run(bench, do(seal(HOME, "T-1", epoch=MOVED_EPOCH, home=AWAY)))
    return bench.tenant()
