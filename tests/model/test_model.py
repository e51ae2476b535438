"""The move protocol holds in every state of small worlds, and a broken rule is noticed.

The larger worlds are `slow`; `make model` has them all with their figures.
"""

from dataclasses import replace

import pytest

from tests.model.explore import Exploration, Packing, successors
from tests.model.mutations import MUTATIONS, PROVEN, REDUNDANT, SMALL
from tests.model.scope import Fault, Scope, initial
from tests.model.state import ACTIVE, STANDBY, next_epoch, owner

TINY = (
    Scope(name="a late mover", commands=1, routers=1, forced=False),
    Scope(name="a failover", commands=1, routers=1, moves=0, late=0),
    Scope(name="two stripes", commands=1, routers=1, stripes=2, forced=False, late=0),
    Scope(name="ack=standby", commands=1, routers=1, ack="refuse", rollbacks=0, late=0),
    Scope(name="a restored registry", commands=1, routers=1, forced=False, restored=True, late=0),
)
"""Thousands of states each, for the fast suite."""

QUICK = [mutation for mutation in MUTATIONS if mutation.quick]


def fault_name(mutation):
    return mutation.fault.name.lower()


def scope_name(scope):
    return scope.name


@pytest.mark.parametrize("scope", TINY, ids=scope_name)
def test_every_state_of_a_small_world_keeps_the_invariants_and_can_recover(scope):
    result = Exploration(scope, states_max=20_000).run()

    assert result.problem == ""
    assert result.complete


@pytest.mark.parametrize("mutation", QUICK, ids=fault_name)
def test_a_broken_rule_is_noticed(mutation):
    result = Exploration(mutation.broken, states_max=20_000).run()

    assert result.problem != ""
    assert len(result.trace) > 0


@pytest.mark.slow
@pytest.mark.parametrize("mutation", [m for m in MUTATIONS if not m.quick], ids=fault_name)
def test_a_broken_rule_is_noticed_in_a_larger_world(mutation):
    result = Exploration(mutation.broken, states_max=400_000).run()

    assert result.problem != ""


@pytest.mark.slow
@pytest.mark.parametrize("scope", PROVEN, ids=scope_name)
def test_every_state_keeps_the_invariants_and_can_recover(scope):
    result = Exploration(scope, states_max=3_000_000).run()

    assert result.problem == ""
    assert result.complete


@pytest.mark.slow
@pytest.mark.parametrize("mutation", REDUNDANT, ids=fault_name)
def test_a_rule_that_another_one_holds_too_may_be_broken(mutation):
    result = Exploration(mutation.broken, states_max=400_000).run()

    assert result.problem == ""
    assert result.complete


def test_every_fault_is_a_mutation_or_known_to_be_harmless():
    tried = [mutation.fault for mutation in (*MUTATIONS, *REDUNDANT)]

    assert sorted(tried) == sorted(set(Fault) - {Fault.NONE})


def test_an_exploration_that_met_its_limit_claims_nothing():
    result = Exploration(SMALL, states_max=100).run()

    assert result.problem == ""
    assert not result.complete


def test_a_trace_can_be_walked_again():
    broken = replace(SMALL, fault=Fault.FREEZE_WITHOUT_EPOCH)
    result = Exploration(broken, states_max=20_000).run()
    state = initial(broken)

    for label in result.trace:
        state = next(after for name, after in successors(state, broken) if name == label)

    assert state.a[0].role == "frozen"
    assert state.record.phase == ACTIVE


def test_a_packed_state_is_unpacked_as_it_was():
    packing = Packing()
    states = [initial(SMALL), *(after for _, after in successors(initial(SMALL), SMALL))]

    keys = [packing.pack(state) for state in states]

    assert [packing.unpack(key) for key in keys] == states
    assert len(set(keys)) == len(set(states))


def test_the_first_state_is_a_home_with_a_standby():
    state = initial(Scope(name="two stripes", stripes=2))

    assert [fence.role for fence in state.a] == [ACTIVE, ACTIVE]
    assert [fence.role for fence in state.b] == [STANDBY, STANDBY]


@pytest.mark.parametrize("epoch", range(1, 6))
@pytest.mark.parametrize("cell", [0, 1])
def test_the_next_epoch_is_larger_and_names_its_cell(epoch, cell):
    after = next_epoch(epoch, cell)

    assert epoch < after <= epoch + 2
    assert owner(after) == cell
