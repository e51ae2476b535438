"""Faults that the machine has to find by itself, within the walk of the `ci` profile."""

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.control.fresh import Modules
from tests.control.machine.machine import ControlMachine, machine_of, sized
from tests.control.mover.test_mutants import MUTANTS
from tests.router import fresh

pytestmark = pytest.mark.slow

SEARCH = settings(sized("ci"), phases=[Phase.generate], report_multiple_bugs=False)

MOVERS = (
    "a record is put without a comparison",
    "a rollback keeps the epoch",
    "the home is frozen before that is on record",
    "what was frozen is sealed wherever it ends",
    "an old home that is active is left alone",
    "what is behind is committed",
    "the old home is not the standby",
    "usages are not given back",
)
"""By their names among the mover's."""


def is_found(machine: type[ControlMachine]) -> bool:
    try:
        run_state_machine_as_test(machine, settings=SEARCH)
    except (AssertionError, LookupError):
        return True
    return False


@pytest.mark.parametrize("name", MOVERS)
def test_the_walk_finds_a_faulty_mover(name: str):
    module, old, new, _ = MUTANTS[name]

    assert is_found(machine_of(movers=Modules(module, old, new).mover.Mover))


def test_the_walk_finds_a_router_that_forgets_what_it_learned():
    faulty = fresh.Modules("registry", "if learned > epoch:", "if learned < 0:")

    assert is_found(machine_of(edge=faulty))
