"""The workflows that users copy: no stored keys, reading apart from changing, cells in turn."""

import re
from typing import Any

import pytest
import yaml

from tests.terraform import tree

WORKFLOWS = tree.SOURCE / "workflows"
JOBS = [
    pytest.param(name, job, id=f"{name} {job}")
    for name in ("plan", "deploy")
    for job in ("alpha", "beta")
]


def _workflow(name: str) -> dict[Any, Any]:
    return yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text())


@pytest.mark.parametrize(("name", "job"), JOBS)
def test_a_job_runs_only_what_the_makefile_offers(name, job):
    makefile = (tree.ROOT / "Makefile").read_text()

    commands = " ".join(step.get("run", "") for step in _workflow(name)["jobs"][job]["steps"])

    targets = re.findall(r"\bmake ([a-z-]+)", commands)
    assert targets == ["build", name]
    assert f"CELL={job}" in commands
    assert [t for t in targets if not re.search(rf"^{t}:", makefile, flags=re.MULTILINE)] == []


@pytest.mark.parametrize("name", ["plan", "deploy"])
def test_a_workflow_may_read_the_code_and_ask_for_a_token(name):
    assert _workflow(name)["permissions"] == {"contents": "read", "id-token": "write"}


@pytest.mark.parametrize("name", ["plan", "deploy"])
def test_no_clouds_key_is_stored(name):
    stored = re.findall(r"secrets\.(\w+)", (WORKFLOWS / f"{name}.yml").read_text())

    assert set(stored) == (set() if name == "plan" else {"CONTROL_KEY"})


def test_planning_and_applying_are_other_roles():
    plan, deploy = ((WORKFLOWS / f"{name}.yml").read_text() for name in ("plan", "deploy"))

    assert "APPLY" not in plan
    assert "PLAN" not in deploy


def test_nothing_is_applied_without_somebodys_consent():
    jobs = _workflow("deploy")["jobs"].values()

    assert {job["environment"] for job in jobs} == {"production"}
    assert all("environment" not in job for job in _workflow("plan")["jobs"].values())


def test_the_second_cell_waits_for_the_first_and_two_deployments_never_overlap():
    deploy = _workflow("deploy")

    assert deploy["jobs"]["beta"]["needs"] == "alpha"
    assert deploy["concurrency"] == {"group": "deploy", "cancel-in-progress": False}


def test_a_pull_request_applies_nothing():
    # YAML 1.1 reads the word `on` as true.
    assert _workflow("plan")[True].keys() == {"pull_request"}
    assert "pull_request" not in _workflow("deploy")[True]
