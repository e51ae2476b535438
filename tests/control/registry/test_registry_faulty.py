"""A registry that fails as planned: before, after, for a while, and the same again."""

import random

import pytest

from cell_control.adapters.registry_faulty import ChancePlan, Fault, FaultyRegistry, listed
from cell_control.adapters.registry_memory import MemoryRecords, MemoryRegistry
from cell_control.ports import (
    Key,
    Registry,
    RegistryConflict,
    RegistryError,
    RegistryUnavailable,
    RegistryUnknown,
)
from tests.control.registry.samples import OpenRegistry, found, put, tenants
from tests.control.registry.suite import RegistryContract

_READS = {
    "rev": lambda registry: registry.rev(),
    "get": lambda registry: registry.get([Key(kind="tenant", key="a")]),
    "list": lambda registry: registry.list("tenant", limit=1),
    "count": lambda registry: registry.count("tenant"),
    "changes": tenants,
    "wait": lambda registry: registry.wait(0, 0.0),
}


class _Sound(FaultyRegistry, MemoryRegistry):
    """Also has what the port has not."""

    def __init__(self, records: MemoryRecords) -> None:
        MemoryRegistry.__init__(self, records)
        FaultyRegistry.__init__(self, MemoryRegistry(records), lambda _what: Fault.NONE)


class TestFaultyRegistryWithoutFaults(RegistryContract):
    @pytest.fixture
    def make_registry(self) -> OpenRegistry:
        records = MemoryRecords()
        return lambda: _Sound(records)


def test_a_refused_commit_writes_nothing_and_says_so() -> None:
    faulty, witness = _faulty(Fault.REFUSED)

    with pytest.raises(RegistryUnavailable):
        faulty.commit([put("a")])

    assert witness.rev() == 0


def test_a_lost_commit_writes_nothing_and_does_not_know_it() -> None:
    faulty, witness = _faulty(Fault.LOST)

    with pytest.raises(RegistryUnknown):
        faulty.commit([put("a")])

    assert witness.rev() == 0


def test_a_commit_that_is_done_and_then_fails_is_unknown() -> None:
    faulty, witness = _faulty(Fault.DONE)

    with pytest.raises(RegistryUnknown):
        faulty.commit([put("a")])

    assert found(witness, "a").rev == 1


@pytest.mark.parametrize(
    ("fault", "error", "rev"),
    [
        (Fault.REFUSED, RegistryUnavailable, 0),
        (Fault.LOST, RegistryUnknown, 0),
        (Fault.DONE, RegistryUnknown, 100),
    ],
)
def test_a_skip_fails_as_a_commit_does(fault: Fault, error: type[RegistryError], rev: int) -> None:
    records = MemoryRecords()
    faulty = FaultyRegistry(MemoryRegistry(records), listed([fault], of="skip_to"))
    witness = MemoryRegistry(records)

    with pytest.raises(error):
        faulty.skip_to(100)

    assert witness.rev() == rev


def test_a_conflict_is_no_doubt_whatever_was_planned_for_after_it() -> None:
    faulty, witness = _faulty(Fault.DONE)

    with pytest.raises(RegistryConflict):
        faulty.commit([put("a", 7)])

    assert witness.rev() == 0


def test_a_plan_that_is_used_up_fails_no_more() -> None:
    faulty, _witness = _faulty(Fault.NONE, Fault.REFUSED)

    assert faulty.commit([put("a")]) == 1
    with pytest.raises(RegistryUnavailable):
        faulty.commit([put("b")])
    assert faulty.commit([put("b")]) == 2


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST, Fault.DONE])
@pytest.mark.parametrize("what", list(_READS))
def test_a_read_that_fails_is_unavailable(what: str, fault: Fault) -> None:
    faulty = FaultyRegistry(MemoryRegistry(), listed([fault], of=what))

    with pytest.raises(RegistryUnavailable):
        _READS[what](faulty)
    _READS[what](faulty)


def test_an_outage_refuses_so_many_calls_and_then_is_over() -> None:
    plan = ChancePlan(random.Random(1), outage=1.0, outage_calls=3)

    assert [plan("get") for _ in range(3)] == [Fault.REFUSED] * 3
    plan = ChancePlan(random.Random(1), outage=0.0)
    assert [plan("get") for _ in range(100)] == [Fault.NONE] * 100


def test_the_same_seed_gives_the_same_faults_and_every_kind_of_them() -> None:
    faults = [
        [plan("commit") for _ in range(500)]
        for plan in (
            ChancePlan(random.Random(seed), refused=0.1, lost=0.1, done=0.1, outage=0.01)
            for seed in (7, 7, 8)
        )
    ]

    assert faults[0] == faults[1] != faults[2]
    assert set(faults[0]) == set(Fault)


def test_who_reads_again_after_a_doubt_counts_each_commit_once() -> None:
    records = MemoryRecords()
    plan = ChancePlan(random.Random(3), refused=0.1, lost=0.2, done=0.2, outage=0.02)
    faulty, witness = FaultyRegistry(MemoryRegistry(records), plan), MemoryRegistry(records)
    witness.commit([put("count", body="0")])

    for step in range(1, 51):
        while not _stands_at(faulty, str(step)):
            pass

    assert found(witness, "count").body == "50"
    assert witness.rev() == 51


def _stands_at(registry: Registry, body: str) -> bool:
    """Try once to take the count to `body`, unless it is there already."""
    try:
        record = found(registry, "count")
        assert record is not None
        if record.body != body:
            registry.commit([put("count", record.rev, body)])
    except RegistryError:
        return False
    return True


def _faulty(*faults: Fault) -> tuple[FaultyRegistry, MemoryRegistry]:
    records = MemoryRecords()
    return FaultyRegistry(MemoryRegistry(records), listed(faults)), MemoryRegistry(records)
