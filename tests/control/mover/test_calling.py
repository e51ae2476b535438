"""What a cell answers becomes a value, or says by its kind what may be done now."""

import pytest

from cell_control.domain.pace import Timings, pause_ms, retry_ms
from cell_control.flows import calling
from cell_control.flows.calling import outcome_of
from cell_control.flows.cells import fences
from cell_control.flows.effects import CellAnswer, NoAnswer
from cell_core.domain.fence import Fence, Role, fence_fields

CALL = fences("aws-alpha", "T-1")
FENCE = Fence(role=Role.FROZEN, epoch=17, stripes=1)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, {"code": "tenant_not_found"}, calling.Absent),
        (409, {"code": "fence_refused", "fence": fence_fields(FENCE)}, calling.Refused),
        (409, {"code": "gap", "have": 4}, calling.Gap),
        (409, {"code": "diverged", "seq": 4}, calling.Diverged),
        (409, {"code": "contention"}, calling.Busy),
        (429, {"code": "throttled"}, calling.Busy),
        (503, {"code": "outcome_unknown"}, calling.Busy),
        (401, {"code": "grant_expired"}, calling.Busy),
        (403, {"code": "grant_scope"}, calling.Wrong),
        (413, {"code": "payload_too_large"}, calling.Wrong),
        (500, {"code": "internal"}, calling.Dark),
        (502, "<html>", calling.Dark),
        (404, None, calling.Dark),
        (409, {"code": "fence_refused"}, calling.Dark),
        (200, {"fences": []}, calling.Dark),
        (200, {"fences": [fence_fields(FENCE)] * 2}, calling.Dark),
        (200, None, calling.Dark),
    ],
)
def test_an_answer_that_is_no_success_has_a_kind(status: int, body: object, kind: type):
    assert type(outcome_of(CALL, CellAnswer(status=status, body=body))) is kind


def test_no_answer_is_dark_and_an_answer_is_a_value():
    right = CellAnswer(status=200, body={"fences": [fence_fields(FENCE)]})

    assert isinstance(outcome_of(CALL, NoAnswer(reason="timeout")), calling.Dark)
    assert outcome_of(CALL, right) == (FENCE,)


def test_a_refusal_shows_the_fence_and_no_secret():
    body = {"code": "fence_refused", "fence": fence_fields(FENCE), "secret": "xyz"}

    refused = outcome_of(CALL, CellAnswer(status=409, body=body))

    assert isinstance(refused, calling.Refused)
    assert refused.fence == FENCE
    assert str(refused) == "aws-alpha: fence is frozen at epoch 17"


def test_pauses_grow_and_end():
    assert [pause_ms(n) for n in (0, 1, 2, 3, 7, 1000)] == [100, 100, 200, 400, 5000, 5000]
    assert [retry_ms(n) for n in (1, 2, 3, 7, 1000)] == [500, 1000, 2000, 30_000, 30_000]


def test_a_freeze_is_predicted_from_the_medians_of_its_parts_and_only_from_fresh_ones():
    timings = Timings()
    for part, took in (("freeze", 10), ("freeze", 30), ("freeze", 11), ("tail", 5)):
        timings.note(part, took, now_ms=1000)  # type: ignore[arg-type]
    assert timings.predicted_ms(1000) is None
    timings.note("commit", 2, now_ms=1000)
    timings.note("activate", 3, now_ms=1000)

    assert timings.predicted_ms(1000) == 11 + 5 + 2 + 3
    assert timings.predicted_ms(61_001) is None
