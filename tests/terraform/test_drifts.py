"""The two cells are one contract, and whatever lets them drift apart is caught by name."""

import pytest

from tests.terraform import tree
from tests.terraform.drifts import DRIFTS
from tools import hcl, terraform_code, terraform_contract

CHECKS = (*terraform_contract.CHECKS, *terraform_code.CHECKS)


def test_the_cells_agree_with_each_other_and_with_the_code():
    assert terraform_contract.drifts(tree.SOURCE, CHECKS) == []


@pytest.mark.parametrize("what", DRIFTS)
def test_a_drift_is_caught_by_name(what, tmp_path):
    check, faults = DRIFTS[what]
    copy = tree.copied(tmp_path)
    for fault in faults:
        tree.plant(copy, fault)

    # The named one alone: that others object too is no proof that it does.
    [named] = [each for each in CHECKS if each.__name__ == check]
    found = terraform_contract.drifts(copy, [named])

    assert found


def test_every_check_catches_something():
    caught = {check for check, _ in DRIFTS.values()}

    assert caught == {check.__name__ for check in CHECKS}


@pytest.mark.parametrize(
    "text", ['a = "b', "a = [1", "resource x {", "}", 'a = "${b"', "1 = 2", "a b"]
)
def test_what_is_no_configuration_is_refused(text):
    with pytest.raises(hcl.NotHcl, match="line"):
        hcl.read(text)


def test_a_value_reads_the_same_however_it_was_aligned():
    one = hcl.read('a = object({ x = string, y = "}${f("q")}" }) # why\n')
    two = hcl.read('a = object({\n  x   = string\n  y   = "}${f("q")}" // why\n})\n')

    assert one.attributes["a"] == 'object({ x = string, y = "}${f("q")}" })'
    assert two.attributes["a"].replace("   ", " ") == one.attributes["a"]
