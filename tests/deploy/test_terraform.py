"""Terraform applies the plan that was shown, and what it made is published."""

import json
from pathlib import Path

import pytest

from tools.deploy_terraform import Terraform
from tools.deploy_waves import Failed

PLAN = {"resource_changes": []}
CELL = {"id": "alpha", "base_url": "https://alpha.example.com"}


class Program:
    """Stands for `terraform`: answers by verb, and remembers what it was asked."""

    def __init__(self, **answers: tuple[int, str, str]) -> None:
        self.answers = {
            "init": (0, "", ""),
            "plan": (0, "", ""),
            "show": (0, json.dumps(PLAN), ""),
            "apply": (0, "", ""),
            "output": (0, json.dumps(CELL), ""),
            **answers,
        }
        self.asked: list[list[str]] = []

    def __call__(self, command):
        self.asked.append(list(command))
        return self.answers[command[2]]


@pytest.fixture
def roots(tmp_path) -> Path:
    root = tmp_path / "roots" / "alpha-aws"
    root.mkdir(parents=True)
    (root / "backend.hcl").write_text("")
    return root.parent


def test_what_is_applied_is_the_file_that_was_planned(roots, tmp_path):
    program = Program()
    terraform = Terraform(roots, tmp_path / "cells", program)

    terraform.apply("alpha-aws", terraform.plan("alpha-aws"))

    assert [command[2] for command in program.asked] == ["init", "plan", "show", "apply", "output"]
    assert program.asked[1][-1] == "-out=deploy.tfplan"
    assert program.asked[3][-1] == "deploy.tfplan"
    assert not any("-auto-approve" in command for command in program.asked)


def test_the_cells_document_is_published_for_the_edge(roots, tmp_path):
    terraform = Terraform(roots, tmp_path / "cells", Program())

    document = terraform.apply("alpha-aws", terraform.plan("alpha-aws"))

    assert document == CELL
    assert json.loads((tmp_path / "cells" / "alpha.json").read_text()) == CELL


def test_a_root_without_its_backend_is_not_planned(roots, tmp_path):
    (roots / "alpha-aws" / "backend.hcl").unlink()
    program = Program()

    with pytest.raises(Failed, match=r"copy backend\.hcl\.example"):
        Terraform(roots, tmp_path, program).plan("alpha-aws")

    assert program.asked == []


@pytest.mark.parametrize("verb", ["init", "plan", "show"])
def test_a_failure_says_which_command_it_was(roots, tmp_path, verb):
    program = Program(**{verb: (1, "", "no credentials")})

    with pytest.raises(Failed, match=f"terraform {verb} in alpha-aws failed:\nno credentials"):
        Terraform(roots, tmp_path, program).plan("alpha-aws")


def test_a_cell_that_does_not_exist_yet_has_no_document(roots, tmp_path):
    program = Program(output=(1, "", 'Error: Output "cell" not found'))

    assert Terraform(roots, tmp_path, program).document("alpha-aws") is None


def test_a_state_that_cannot_be_read_is_not_taken_for_an_empty_one(roots, tmp_path):
    program = Program(output=(1, "", "Error: state data could not be read"))

    with pytest.raises(Failed, match="could not be read"):
        Terraform(roots, tmp_path, program).document("alpha-aws")


def test_an_apply_that_leaves_no_cell_has_failed(roots, tmp_path):
    program = Program(output=(1, "", 'Error: Output "cell" not found'))
    terraform = Terraform(roots, tmp_path / "cells", program)

    with pytest.raises(Failed, match="yet there is no cell"):
        terraform.apply("alpha-aws", terraform.plan("alpha-aws"))


def test_a_program_that_is_not_installed_is_said_to_be_missing(roots, tmp_path):
    terraform = Terraform(roots, tmp_path)

    with pytest.raises(Failed):
        terraform.document("no-such-root")
