"""Every module and root is formatted, valid, and does what its own tests say."""

import shutil
import subprocess

import pytest

from tests.terraform import tree
from tests.terraform.running import MISSING, Terraform

every_configuration = pytest.mark.parametrize("name", tree.configurations(), ids=str)


def test_every_file_is_formatted():
    program = shutil.which("terraform") or pytest.skip(MISSING)

    done = subprocess.run(
        [program, "fmt", "-check", "-recursive", str(tree.SOURCE)],
        capture_output=True,
        text=True,
        check=False,
        env={"TF_CLI_CONFIG_FILE": "/dev/null", "CHECKPOINT_DISABLE": "1"},
    )

    assert done.returncode == 0, done.stdout


@every_configuration
def test_every_configuration_has_tests_of_its_own(name):
    assert list((tree.SOURCE / name / "tests").glob("*.tftest.hcl"))


@pytest.mark.slow
@every_configuration
def test_every_configuration_is_valid_and_its_tests_pass(name, tmp_path, said):
    terraform = Terraform(tree.copied(tmp_path) / name, tmp_path)
    terraform.init()

    valid = terraform.run("validate")
    outcome = terraform.failed_runs()

    said(terraform.providers)
    assert valid.code == 0, valid.text
    assert outcome.code == 0, "\n".join(outcome.said)
    assert outcome.failed == []
    assert outcome.passed
