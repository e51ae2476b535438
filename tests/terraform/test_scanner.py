"""The scanner finds nothing; what it is told to skip is counted, and each skip says why."""

import pytest

from tests.terraform import scanner, tree

SKIPPED_IN_MODULES = {
    "CKV_AWS_18": 2,
    "CKV_AWS_144": 2,
    "CKV_AWS_272": 1,
    "CKV_AWS_309": 1,
}
"""Of the AWS side; the reasons stand next to the resources."""

WRONG_THROUGH_A_ROOT = {
    # It cannot compute a name that holds a hash, and calls what is left of it a bad name.
    "CKV_AZURE_43 azurerm_storage_account.account",
    # It loses the private endpoint, which is made for each account by a `for_each`.
    "CKV2_AZURE_33 azurerm_storage_account.account",
}
"""What the scanner finds only when a root calls the module; in the module alone it does not."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> scanner.Scan:
    return scanner.scan(tree.copied(tmp_path_factory.mktemp("scanned")))


def test_the_scanner_finds_nothing(everything):
    assert everything.failed == set()
    assert everything.failed_through_roots - WRONG_THROUGH_A_ROOT == set()
    assert everything.passed > 400


def test_the_scanner_finds_nothing_in_a_module_by_itself(tmp_path):
    modules = scanner.scan(tree.copied(tmp_path) / "modules")

    assert modules.failed == set()


def test_nothing_is_skipped_that_nobody_knows_of(everything):
    skipped = {rule: n for rule, n in everything.skipped.items() if not rule.startswith("CKV_AZ")}
    skipped = {rule: n for rule, n in skipped.items() if not rule.startswith("CKV2_AZ")}

    assert skipped == SKIPPED_IN_MODULES
