"""A plan is read for what it would do; what it would lose comes first."""

from pathlib import Path

import pytest

from tools.deploy_plan import KEEPERS, read_plan


def _shown(*changes: tuple[str, str, list[str]]) -> dict:
    return {
        "resource_changes": [
            {"address": f"module.cell.{kind}.{name}", "type": kind, "change": {"actions": actions}}
            for kind, name, actions in changes
        ]
    }


def test_it_counts_what_would_happen():
    shown = _shown(
        ("aws_sqs_queue", "a", ["create"]),
        ("aws_sqs_queue", "b", ["update"]),
        ("aws_sqs_queue", "c", ["no-op"]),
        ("aws_lambda_function", "d", ["create", "delete"]),
    )

    plan = read_plan(Path("p"), shown)

    assert plan.summary() == "1 to create, 1 to change, 1 to replace, 0 to destroy"
    assert plan.lines()[0] == "replace module.cell.aws_lambda_function.d"
    assert plan.losses() == []


def test_a_plan_without_changes_says_so():
    assert read_plan(Path("p"), {}).summary() == "nothing to change"


@pytest.mark.parametrize("kind", sorted(KEEPERS))
@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["create", "delete"]])
def test_a_keeper_that_goes_is_a_loss(kind, actions):
    plan = read_plan(Path("p"), _shown((kind, "state", actions)))

    assert plan.losses() == [f"module.cell.{kind}.state"]


def test_an_action_that_nobody_knows_is_no_plan():
    with pytest.raises(ValueError, match="unknown actions forget"):
        read_plan(Path("p"), _shown(("aws_sqs_queue", "a", ["forget"])))


def test_a_plan_shows_no_values():
    shown = _shown(("aws_sqs_queue", "a", ["create"]))
    shown["resource_changes"][0]["change"]["after"] = {"password": "hunter2"}

    plan = read_plan(Path("p"), shown)

    assert "hunter2" not in " ".join([plan.summary(), *plan.lines()])
