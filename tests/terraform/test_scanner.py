"""The scanner finds nothing; what it is told to skip is counted, and each skip says why."""

from collections import Counter

import pytest

from tests.terraform import scanner, tree
from tools import terraform_skips

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


def test_what_is_skipped_is_what_the_table_lists(everything):
    listed = Counter(skip.rule for skip in terraform_skips.skips(tree.SOURCE))

    assert everything.skipped == listed
