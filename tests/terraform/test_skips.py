"""What the scanner is told to leave out is listed once, with a reason, and does not grow unseen."""

import pytest

from tests.terraform import tree
from tests.terraform.tree import Fault
from tools import terraform_contract, terraform_docs, terraform_skips

BUCKET = 'resource "aws_s3_bucket" "cell" {\n'


def said(copy) -> list[str]:
    check = terraform_contract.what_the_scanner_skips_has_a_reason
    return [drift.text for drift in terraform_contract.drifts(copy, [check])]


def planted(folder, comment: str):
    copy = tree.copied(folder)
    file = "modules/cell_aws/main.bucket.tf"
    tree.plant(copy, Fault(file=file, old=BUCKET, new=f"{BUCKET}  # checkov:skip={comment}\n"))
    return copy


def test_each_skip_is_known_with_its_resource_and_its_reason():
    for skip in terraform_skips.skips(tree.SOURCE):
        assert skip.resource, skip
        assert skip.reason.endswith("."), skip


def test_the_table_has_a_row_for_each():
    rows = terraform_skips.table(tree.SOURCE).splitlines()[2:]

    assert len(rows) == len(terraform_skips.skips(tree.SOURCE)) == 16


def test_no_rule_is_explained_that_is_not_skipped():
    skipped = {skip.rule for skip in terraform_skips.skips(tree.SOURCE)}

    assert skipped == terraform_skips.WANTED.keys()


@pytest.mark.parametrize(
    ("comment", "complaint"),
    [
        ("CKV_AWS_18:Because.", "without a reason"),
        ("CKV_AWS_999:One that nobody ever heard of.", "nothing says what that rule asks for"),
        ("CKV_AWS_18:One more than was agreed.", "10 rules are skipped in modules, of 9"),
    ],
    ids=["without a reason", "unknown", "one too many"],
)
def test_a_skip_more_is_refused(comment, complaint, tmp_path):
    assert any(complaint in text for text in said(planted(tmp_path, comment)))


def test_a_skip_that_the_table_lacks_makes_it_stale(tmp_path):
    copy = planted(tmp_path, "CKV_AWS_18:One more than the table has.")

    assert list(terraform_docs.stale_readmes(copy)) == ["SCANNER.md"]
