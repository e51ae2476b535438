"""The scanner finds nothing; what it is told to skip is counted, and each skip says why."""

import pytest

from tests.terraform import scanner, tree

SKIPPED = {
    "CKV_AWS_18": 2,
    "CKV_AWS_144": 2,
    "CKV_AWS_272": 1,
    "CKV_AWS_309": 1,
    "CKV_AZURE_33": 2,
    "CKV_AZURE_59": 1,
    "CKV_AZURE_140": 1,
    "CKV_AZURE_206": 1,
    "CKV_AZURE_212": 1,
    "CKV2_AZURE_1": 1,
    "CKV2_AZURE_21": 2,
    "CKV2_AZURE_33": 1,
}
"""For how many resources, in modules and bootstrap; the reasons stand next to the resources."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> scanner.Scan:
    return scanner.scan(tree.copied(tmp_path_factory.mktemp("scanned")))


def test_the_scanner_finds_nothing(everything):
    assert everything.failed == set()
    assert everything.failed_through_roots == set()
    assert everything.passed > 400


def test_the_scanner_finds_nothing_in_a_module_by_itself(tmp_path):
    modules = scanner.scan(tree.copied(tmp_path) / "modules")

    assert modules.failed == set()


def test_nothing_is_skipped_that_nobody_knows_of(everything):
    assert everything.skipped == SKIPPED
