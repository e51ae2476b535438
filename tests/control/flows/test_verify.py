"""A verification finds whatever was planted, and never calls equal what it could not look at."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from cell_control.domain.proof import Report, Step
from cell_control.flows.verify import verify
from cell_core.domain.canonical import canonical
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, Document, log_key
from cell_core.domain.fence import Fence
from cell_core.domain.ids import partition_of
from tests.control import shell
from tests.control.bench import Bench
from tests.control.flows.lives import (
    AWAY,
    HOME,
    follow_up,
    plant,
    remove,
    settled,
    write,
)
from tests.control.shell import Drive, run

ENTRIES = 40


@cache
def _level() -> Bench:
    bench = Bench()
    settled(bench, standby=AWAY)
    write(bench, ENTRIES)
    follow_up(bench)
    return bench


def level() -> Bench:
    """Return a world whose standby holds all that its home holds."""
    return _level().copied()


def verified(bench: Bench, **options: object) -> Report:
    """Return the report on T-1."""
    return run(bench, verify(bench.tenant(), AWAY, **options))  # type: ignore[arg-type]


def found(bench: Bench, cell: str, prefix: str, place: int = 5) -> Document:
    """Return one of a cell's documents."""
    return bench.cells[cell].documents("T-1", 0, prefix)[place]


def alter(bench: Bench, cell: str, fence: Callable[[Fence], Fence]) -> None:
    """Change a fence, as no cell would."""
    held = bench.cells[cell].backend.partition(partition_of("T-1", 0))
    assert held.fence is not None
    held.fence = fence(held.fence)


def test_a_standby_that_is_level_is_proved_equal() -> None:
    report = verified(level())

    assert (report.verdict, report.findings, report.notes) == ("equal", (), ())
    assert report.counts.entries == 2 * ENTRIES
    assert report.counts.records == 2 * ENTRIES
    assert "same journal up to" in report.proof


def test_a_standby_that_is_behind_is_proved_up_to_where_it_is() -> None:
    bench = level()
    write(bench, 7, first=ENTRIES + 1)

    report = verified(bench)

    assert report.verdict == "equal"
    [proof] = report.stripes
    assert (proof.seq, proof.home_seq, proof.other_seq) == (ENTRIES, ENTRIES + 7, ENTRIES)


def test_every_stripe_is_proved() -> None:
    bench = Bench()
    settled(bench, stripes=2, standby=AWAY)
    write(bench, 20)
    for stripe in range(2):
        follow_up(bench, stripe=stripe)

    report = verified(bench)

    assert report.verdict == "equal"
    assert [proof.stripe for proof in report.stripes] == [0, 1]


def _missing_entry(bench: Bench, cell: str) -> str:
    remove(bench, cell, log_key(17))
    return "entry_missing"


def _missing_first_entries(bench: Bench, cell: str) -> str:
    remove(bench, cell, log_key(1), log_key(2))
    return "entry_missing"


def _missing_last_entry(bench: Bench, cell: str) -> str:
    remove(bench, cell, log_key(ENTRIES))
    return "journal_short"


def _altered_entry(bench: Bench, cell: str) -> str:
    entry = json.loads(found(bench, cell, LOG).body)
    entry["time_ms"] += 1
    plant(bench, cell, replace(found(bench, cell, LOG), body=canonical(entry)))
    return "chain_broken"


def _broken_entry(bench: Bench, cell: str) -> str:
    plant(bench, cell, replace(found(bench, cell, LOG), body="{}"))
    return "entry_broken"


def _altered_entity(bench: Bench, cell: str) -> str:
    entity = next(d for d in bench.cells[cell].documents("T-1", 0, ENTITY) if not d.deleted)
    plant(bench, cell, replace(entity, body='{"forged":1}'))
    return "entity_altered"


def _older_entity(bench: Bench, cell: str) -> str:
    entity = found(bench, cell, ENTITY)
    plant(bench, cell, replace(entity, version=entity.version - 1))
    return "entity_stale"


def _missing_entity(bench: Bench, cell: str) -> str:
    remove(bench, cell, found(bench, cell, ENTITY).key)
    return "entity_missing"


def _revived_entity(bench: Bench, cell: str) -> str:
    dead = next(d for d in bench.cells[cell].documents("T-1", 0, ENTITY) if d.deleted)
    plant(bench, cell, replace(dead, deleted=False, body="{}"))
    return "entity_altered"


def _doubled_entity(bench: Bench, cell: str) -> str:
    entity = found(bench, cell, ENTITY)
    plant(bench, cell, replace(entity, key=entity.key + "-2"))
    return "entity_unknown"


def _missing_record(bench: Bench, cell: str) -> str:
    remove(bench, cell, found(bench, cell, IDEMPOTENCY).key)
    return "record_missing"


def _doubled_record(bench: Bench, cell: str) -> str:
    record = found(bench, cell, IDEMPOTENCY)
    plant(bench, cell, replace(record, key=record.key + "-2"))
    return "record_wrong"


def _other_fingerprint(bench: Bench, cell: str) -> str:
    record = found(bench, cell, IDEMPOTENCY)
    plant(bench, cell, replace(record, body='{"fingerprint":"%s"}' % ("0" * 64)))
    return "record_wrong"


@pytest.mark.parametrize("cell", [HOME, AWAY])
@pytest.mark.parametrize(
    "corrupt",
    [
        _missing_entry,
        _missing_first_entries,
        _missing_last_entry,
        _altered_entry,
        _broken_entry,
        _altered_entity,
        _older_entity,
        _missing_entity,
        _revived_entity,
        _doubled_entity,
        _missing_record,
        _doubled_record,
        _other_fingerprint,
    ],
    ids=lambda corrupt: corrupt.__name__.strip("_"),
)
def test_what_was_planted_is_found_where_it_is(
    corrupt: Callable[[Bench, str], str], cell: str
) -> None:
    bench = level()
    code = corrupt(bench, cell)

    report = verified(bench)

    assert report.verdict == "differs"
    assert code in {finding.code for finding in report.findings}
    assert {finding.cell for finding in report.findings} == {cell}


@pytest.mark.parametrize(
    "corrupt", [_altered_entity, _older_entity, _missing_entity, _revived_entity, _doubled_entity]
)
def test_digests_alone_find_every_fault_of_an_entity(
    corrupt: Callable[[Bench, str], str],
) -> None:
    bench = level()
    corrupt(bench, AWAY)

    report = verified(bench, depth="digests")

    assert [(f.code, f.cell) for f in report.findings] == [("digest_wrong", AWAY)]


def test_positions_alone_find_journals_that_differ() -> None:
    bench = level()
    alter(bench, AWAY, lambda fence: replace(fence, chain="f" * 64))

    report = verified(bench, depth="positions")

    assert [finding.code for finding in report.findings] == ["chains_differ"]


def test_positions_of_a_standby_that_is_behind_are_compared_with_the_homes_journal() -> None:
    bench = level()
    write(bench, 3, first=ENTRIES + 1)
    alter(bench, AWAY, lambda fence: replace(fence, digest="f" * 64))

    report = verified(bench, depth="positions")

    assert [finding.code for finding in report.findings] == ["digests_differ"]


def test_events_that_give_something_else_are_found_by_running_them_again() -> None:
    bench = level()
    report = run(bench, verify(bench.tenant(), AWAY, domains=[Forgetful()]))

    assert {"replay_differs", "domain_unknown"} <= {f.code for f in report.findings}


@pytest.mark.parametrize("cell", [HOME, AWAY])
def test_a_dark_cell_leaves_the_tenant_unproven(cell: str) -> None:
    bench = level()
    bench.cells[cell].is_dark = True

    report = verified(bench)

    assert report.verdict == "unproven"
    assert cell in report.notes[0]


def test_a_cell_that_goes_dark_meanwhile_leaves_the_tenant_unproven() -> None:
    bench = level()
    whole = Drive(bench, verify(bench.tenant(), AWAY))
    whole.run()

    for number in range(2, len(whole.steps)):
        world = level()
        drive = Drive(world, verify(world.tenant(), AWAY), faults={number: "lost"})

        assert drive.run().verdict == "unproven"


class Writes:
    """Sends a command before each step at the home, and lets something be done to the world."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._sent = bench, ENTRIES
        self.meanwhile: Callable[[shell.Step], None] = lambda _: None

    def __call__(self, step: shell.Step) -> None:
        if step.number > 1 and "aws-alpha" in step.name:
            self._sent += 1
            write(self._bench, 1, first=self._sent)
        self.meanwhile(step)


def test_the_digest_of_a_tenant_that_is_written_to_is_not_proved() -> None:
    bench = level()
    flow = verify(bench.tenant(), AWAY, depth="digests")

    report = Drive(bench, flow, before=Writes(bench)).run()

    assert (report.findings, report.verdict) == ((), "unproven")
    assert report.notes == ("digest not proved: aws-alpha stripe 0 is written to",)


def test_a_tenant_that_is_written_to_is_proved_by_running_its_journal_again() -> None:
    bench = level()

    report = Drive(bench, verify(bench.tenant(), AWAY), before=Writes(bench)).run()

    assert (report.findings, report.verdict) == ((), "equal")
    assert report.counts.newer > 0


def test_an_entity_that_was_written_and_spoilt_meanwhile_is_found() -> None:
    bench = level()
    writes = Writes(bench)

    def spoil(step: shell.Step) -> None:
        if step.name == "get entities aws-alpha":
            records = bench.cells[HOME].documents("T-1", 0, f"{ENTITY}records:")
            newest = max(records, key=lambda document: document.version)
            plant(bench, HOME, replace(newest, body='{"forged":1}', deleted=False))

    writes.meanwhile = spoil

    report = Drive(bench, verify(bench.tenant(), AWAY), before=writes).run()

    assert [finding.code for finding in report.findings] == ["entity_altered"]


def test_progress_is_told_for_each_part_of_each_side() -> None:
    told: list[Step] = []

    verified(level(), progress=told.append)

    parts = {(step.cell, step.part) for step in told}
    assert parts == {
        (cell, part)
        for cell in (HOME, AWAY)
        for part in ("digest", "journal", "idempotency", "entities")
    }
    assert all(step.done <= step.total for step in told)


class Forgetful:
    """The domain of records, but for one that forgets what it was told."""

    name = "records"
    commands: dict[str, type] = {}  # noqa: RUF012 - as a domain declares it
    rejections: dict[str, int] = {}  # noqa: RUF012 - as a domain declares it

    def touches(self, command: object) -> list[str]:
        return []

    def decide(self, entities: object, command: object, context: object) -> list[object]:
        return []

    def evolve(self, entities: object, event: object) -> dict[str, object]:
        return {}
