"""Each module's README says what its files say."""

from tests.terraform import tree
from tools import terraform_docs


def test_the_readmes_are_current():
    assert list(terraform_docs.stale_readmes(tree.SOURCE)) == []


def test_a_changed_input_makes_its_readme_stale(tmp_path):
    copy = tree.copied(tmp_path)
    tree.plant(
        copy,
        tree.Fault(
            file="modules/cell_aws/variables.aws.tf",
            old='default     = "http_api"',
            new="default = 1",
        ),
    )

    assert list(terraform_docs.stale_readmes(copy)) == ["modules/cell_aws/README.md"]


def test_what_is_written_by_hand_stays(tmp_path):
    copy = tree.copied(tmp_path)
    path = copy / "modules" / "cell_aws" / "README.md"
    path.write_text("# By hand\n\n" + terraform_docs.MARK + "\n\nstale words\n")

    written = terraform_docs.readme(copy, "modules/cell_aws")

    assert written.startswith("# By hand\n\n")
    assert "stale words" not in written
    assert "| `aws_ingress` | `string` |" in written
