"""Security faults planted into the AWS cell: each is caught by a check with a name."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.terraform import scanner, tree
from tests.terraform.aws_faults import BY_CONTRACT, BY_SCANNER, BY_TESTS, MODULE, Planted
from tests.terraform.running import Outcome, Terraform

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("terraform-faults-aws")]


def tried(folder: Path, faults: Mapping[str, Planted]) -> Outcome:
    """Return what the module's tests say of all `faults` at once."""
    copy = tree.copied(folder)
    for planted in faults.values():
        tree.plant(copy, planted.fault)
    terraform = Terraform(copy / MODULE, folder)
    terraform.init()
    return terraform.failed_runs()


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return tried(tmp_path_factory.mktemp("refused"), BY_CONTRACT)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return tried(tmp_path_factory.mktemp("faults"), BY_TESTS)


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> scanner.Scan:
    """Return what the scanner says of all the second group's faults at once."""
    copy = tree.copied(tmp_path_factory.mktemp("scanned"))
    for planted in BY_SCANNER.values():
        tree.plant(copy, planted.fault)
    return scanner.scan(copy / MODULE)


@pytest.mark.parametrize("name", BY_CONTRACT)
def test_a_planted_fault_breaks_the_contract(name, refused):
    said = " ".join("\n".join(refused.said).split())

    assert BY_CONTRACT[name].caught_by in said


@pytest.mark.parametrize("name", BY_TESTS)
def test_a_planted_fault_fails_the_modules_tests(name, outcome):
    said = " ".join("\n".join(outcome.said).split())

    assert BY_TESTS[name].caught_by in said


@pytest.mark.parametrize("name", BY_SCANNER)
def test_a_planted_fault_is_found_by_the_scanner(name, scanned):
    assert BY_SCANNER[name].caught_by in scanned.failed


def test_no_two_faults_wait_for_the_same_check():
    for group in (BY_CONTRACT, BY_TESTS, BY_SCANNER):
        checks = [planted.caught_by for planted in group.values()]
        assert len(set(checks)) == len(checks)
