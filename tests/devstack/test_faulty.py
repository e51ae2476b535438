"""A store that fails on purpose fails exactly as planned, and otherwise keeps the contract."""

from dataclasses import dataclass
from random import Random

import pytest

from cell_core.domain.documents import Batch, Create, log_key
from cell_core.domain.errors import LostRace, OutcomeUnknown, Throttled, Unavailable
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.ports import CellStore
from cell_devstack.faulty import (
    CRASHES,
    FAILURES,
    Crashed,
    Fault,
    FaultyStore,
    Plan,
    always,
    scripted,
    seeded,
)
from tests.contract.failing import Broken
from tests.contract.samples import FENCE, OpenStore, log
from tests.contract.suite import CellStoreContract, FailingStoreContract

_PARTITION = "T-100/00"
_CREATE = Batch(partition=_PARTITION, fence=Create(FENCE), writes=(log(1),))


@dataclass
class Given:
    store: FaultyStore
    inner: CellStore

    @property
    def written(self) -> bool:
        return log_key(1) in self.inner.read(_PARTITION, [log_key(1)]).documents


def given(plan: Plan) -> Given:
    inner = MemoryCellStore()
    return Given(FaultyStore(inner, plan), inner)


class TestFaultyStoreWithoutFaults(CellStoreContract):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        backend = MemoryBackend()
        return lambda: FaultyStore(MemoryCellStore(backend), always(Fault.NONE))


def broken(fault: Fault) -> Broken:
    backend = MemoryBackend()
    return Broken(FaultyStore(MemoryCellStore(backend), always(fault)), MemoryCellStore(backend))


class TestFaultyStoreFails(FailingStoreContract):
    @pytest.fixture
    def throttled(self) -> Broken:
        return broken(Fault.THROTTLED)

    @pytest.fixture
    def refused(self) -> Broken:
        return broken(Fault.UNAVAILABLE)

    @pytest.fixture
    def dies_before(self) -> Broken:
        return broken(Fault.REQUEST_LOST)

    @pytest.fixture
    def dies_after(self) -> Broken:
        return broken(Fault.ANSWER_LOST)

    @pytest.fixture
    def errs_after(self) -> Broken:
        return broken(Fault.ANSWER_LOST)

    @pytest.fixture
    def garbled(self) -> Broken:
        return broken(Fault.ANSWER_LOST)


@pytest.mark.parametrize(
    ("fault", "error", "written"),
    [
        (Fault.UNAVAILABLE, Unavailable, False),
        (Fault.THROTTLED, Throttled, False),
        (Fault.REQUEST_LOST, OutcomeUnknown, False),
        (Fault.ANSWER_LOST, OutcomeUnknown, True),
        (Fault.CRASH_BEFORE, Crashed, False),
        (Fault.CRASH_AFTER, Crashed, True),
    ],
)
def test_each_fault_fails_a_commit_in_its_own_way(
    fault: Fault, error: type[BaseException], *, written: bool
) -> None:
    shop = given(scripted(fault))

    with pytest.raises(error) as raised:
        shop.store.commit(_CREATE)

    assert type(raised.value) is error
    assert shop.written is written


def test_every_fault_is_either_none_a_failure_or_a_crash() -> None:
    assert {Fault.NONE, *FAILURES, *CRASHES} == set(Fault)


def test_a_script_deals_its_faults_in_order_and_then_none() -> None:
    shop = given(scripted(Fault.NONE, Fault.THROTTLED))

    shop.store.ping()
    with pytest.raises(Throttled):
        shop.store.read(_PARTITION, [])
    shop.store.commit(_CREATE)
    shop.store.page(_PARTITION, "LOG:", after=None, limit=1)

    assert shop.store.dealt == [
        ("ping", Fault.NONE),
        ("read", Fault.THROTTLED),
        ("commit", Fault.NONE),
        ("page", Fault.NONE),
    ]


def test_a_plan_can_name_the_methods_it_breaks() -> None:
    shop = given(always(Fault.UNAVAILABLE, "commit"))

    shop.store.ping()
    with pytest.raises(Unavailable):
        shop.store.commit(_CREATE)


@pytest.mark.parametrize("fault", CRASHES)
def test_a_crashed_store_does_nothing_more(fault: Fault) -> None:
    shop = given(scripted(fault))
    with pytest.raises(Crashed):
        shop.store.ping()

    with pytest.raises(Crashed):
        shop.store.commit(_CREATE)

    assert not shop.written
    assert shop.store.dealt == [("ping", fault)]


def test_a_crash_is_not_caught_as_an_exception() -> None:
    assert not issubclass(Crashed, Exception)


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.ANSWER_LOST, OutcomeUnknown), (Fault.CRASH_AFTER, Crashed)]
)
def test_a_refusal_is_lost_like_any_answer(fault: Fault, error: type[BaseException]) -> None:
    shop = given(scripted(Fault.NONE, fault))
    shop.store.commit(_CREATE)

    with pytest.raises(error):
        shop.store.commit(_CREATE)


def test_without_a_fault_the_inner_store_s_refusal_is_the_answer() -> None:
    shop = given(always(Fault.NONE))
    shop.store.commit(_CREATE)

    with pytest.raises(LostRace):
        shop.store.commit(_CREATE)


def test_a_seed_deals_the_same_faults_again() -> None:
    one, again, other = (
        [plan("commit") for _ in range(200)]
        for plan in (seeded(Random(seed), share=0.3) for seed in (7, 7, 8))
    )

    assert one == again
    assert one != other
    assert set(one) == {Fault.NONE, *FAILURES}
    assert 30 <= 200 - one.count(Fault.NONE) <= 90


def test_a_seed_may_deal_crashes_only() -> None:
    plan = seeded(Random(7), share=1.0, faults=CRASHES)

    assert {plan("read") for _ in range(50)} == set(CRASHES)
