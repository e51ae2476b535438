"""One cell proves itself before the next is touched, and the first sign of trouble stops all."""

import pytest

from tests.deploy.stage import ALPHA, BETA, LOSS, Stage
from tools.deploy_waves import Outcome


def test_the_second_cell_is_planned_after_the_first_one_answered_its_probe():
    stage = Stage()

    outcome = stage.deploy(ALPHA, BETA)

    assert outcome is Outcome.DEPLOYED
    assert stage.done == [
        *["plan alpha-aws", "ask alpha", "apply alpha-aws", "probe alpha"],
        *["plan beta-azure", "ask beta", "apply beta-azure", "probe beta"],
    ]


def test_a_cell_is_watched_for_as_long_as_it_bakes():
    stage = Stage()

    stage.deploy(ALPHA, bake_s=75)

    assert stage.waited_s == 75


def test_a_dry_run_plans_every_cell_and_applies_none():
    stage = Stage()

    outcome = stage.deploy(ALPHA, BETA, is_dry_run=True)

    assert outcome is Outcome.PLANNED
    assert stage.done == ["plan alpha-aws", "plan beta-azure"]


def test_nothing_is_applied_that_was_not_confirmed():
    stage = Stage(answers=False)

    outcome = stage.deploy(ALPHA, BETA)

    assert outcome is Outcome.DECLINED
    assert stage.done == ["plan alpha-aws", "ask alpha"]


def test_only_the_cell_that_was_named_needs_no_question():
    stage = Stage(answers=False)

    outcome = stage.deploy(ALPHA, BETA, confirmed=frozenset({"alpha"}))

    assert outcome is Outcome.DECLINED
    assert stage.done[-2:] == ["plan beta-azure", "ask beta"]


@pytest.mark.parametrize("is_dry_run", [True, False])
def test_a_plan_that_loses_what_a_cell_keeps_is_refused(is_dry_run):
    stage = Stage(changes={"alpha-aws": (LOSS,)})

    outcome = stage.deploy(ALPHA, BETA, is_dry_run=is_dry_run, confirmed=frozenset({"alpha"}))

    assert outcome is Outcome.REFUSED
    assert stage.done == ["plan alpha-aws"]
    assert any("aws_dynamodb_table.state" in line for line in stage.said)


def test_a_cell_in_trouble_is_not_changed():
    stage = Stage(rings=[["alpha-errors"]])

    outcome = stage.deploy(ALPHA, BETA)

    assert outcome is Outcome.STOPPED
    assert stage.done == ["plan alpha-aws"]


def test_a_cell_that_is_not_there_yet_has_no_alarms_to_ask():
    stage = Stage(rings=[["alpha-errors"]], stands=False)

    outcome = stage.deploy(ALPHA)

    assert outcome is Outcome.STOPPED
    assert "apply alpha-aws" in stage.done


def test_an_alarm_while_a_cell_bakes_leaves_the_next_one_alone():
    stage = Stage(rings=[[], [], ["alpha-duration"]])

    outcome = stage.deploy(ALPHA, BETA)

    assert outcome is Outcome.STOPPED
    assert stage.done[-1] == "apply alpha-aws"
    assert stage.said[-1] == "alpha: stopped. Cells left as they were: beta."


def test_a_probe_that_finds_something_leaves_the_next_cell_alone():
    stage = Stage(found={"alpha": ["replay: status 500"]})

    outcome = stage.deploy(ALPHA, BETA)

    assert outcome is Outcome.STOPPED
    assert stage.done[-1] == "probe alpha"
    assert "alpha: probe: replay: status 500" in stage.said


@pytest.mark.parametrize("broken", ["plan alpha-aws", "apply alpha-aws"])
def test_a_program_that_fails_stops_everything_behind_it(broken):
    stage = Stage(broken=broken)

    outcome = stage.deploy(ALPHA, BETA)

    assert outcome is Outcome.STOPPED
    assert stage.done[-1] == broken
