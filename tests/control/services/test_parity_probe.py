"""A healthy cell passes the probe; each planted fault of a cell fails it."""

import dataclasses
import itertools
import json
from typing import Any

import pytest

from cell_control.domain.records import Probe
from cell_control.service.parity_probe import PROBLEMS_MAX, CellUnreachable, replaces
from cell_core.wire.message import Request, Response
from tests.control.services.probed_cell import CELL, CONTRACT, Fault, ProbedCell, Serve


def _answered(response: Response, **changes: Any) -> Response:
    body = {**json.loads(response.body), **changes}
    return dataclasses.replace(response, body=json.dumps(body).encode())


def _is(request: Request, end: str) -> bool:
    return request.path.endswith(end)


def _instead(response: Response, answered: int, **body: Any) -> Response:
    return dataclasses.replace(response, status=answered, body=json.dumps(body).encode())


def answers_a_replay_as_new(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if _is(request, "/process") and b'"replayed":true' in response.body:
        return _answered(response, replayed=False)
    return response


_NUMBERS = itertools.count()


def runs_a_replay_again(serve: Serve, request: Request) -> Response:
    if _is(request, "/process") and b'"pay"' in request.body:
        renamed = f"pay-{next(_NUMBERS)}".encode()
        return serve(dataclasses.replace(request, body=request.body.replace(b"pay", renamed)))
    return serve(request)


def serves_without_a_grant(serve: Serve, request: Request) -> Response:
    response = serve(request)
    return _instead(response, 200, status="applied") if response.status == 401 else response


def serves_another_tenants_grant(serve: Serve, request: Request) -> Response:
    response = serve(request)
    return _instead(response, 200, status="applied") if response.status == 403 else response


def reads_while_frozen(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if request.method == "GET" and response.status == 503:
        return _instead(response, 200, seq=6)
    return response


def unfreezes_at_an_equal_epoch(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if _is(request, "/activate") and response.status == 409:
        return _instead(response, 200, fences=[])
    return response


def loses_a_journal_entry(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if _is(request, "/journal"):
        documents = json.loads(response.body)["documents"]
        return _answered(response, documents=documents[:3] + documents[4:])
    return response


def keeps_numbers_as_doubles(serve: Serve, request: Request) -> Response:
    response = serve(request)
    return dataclasses.replace(response, body=response.body.replace(b"40991", b"40992"))


def takes_large_entities(serve: Serve, request: Request) -> Response:
    response = serve(request)
    large = _is(request, "/process") and response.status == 413
    return _instead(response, 200, status="applied") if large else response


def applies_without_comparing(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if _is(request, "/apply") and b"diverged" in response.body:
        return _instead(response, 200, fence={})
    return response


def applies_over_a_gap(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if _is(request, "/apply") and b'"gap"' in response.body:
        return _instead(response, 200, fence={})
    return response


def never_wakes(serve: Serve, request: Request) -> Response:
    body = request.body.replace(b'"prepare"', b'"prepared"') if _is(request, "/apply") else None
    return serve(dataclasses.replace(request, body=body) if body else request)


def wakes_unprepared(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if b'"unprepared"' in request.body:
        return _instead(response, 200, status="applied")
    return response


def drops_nothing(serve: Serve, request: Request) -> Response:
    if _is(request, "/drop"):
        return Response(status=200, headers={"x-cell": CELL.id}, body=b'{"more":false}')
    return serve(request)


def is_another_cell(serve: Serve, request: Request) -> Response:
    response = serve(request)
    return dataclasses.replace(response, headers={**response.headers, "x-cell": "azure-beta"})


def keeps_an_older_contract(serve: Serve, request: Request) -> Response:
    response = serve(request)
    older = response.body.replace(b'"version":"1"', b'"version":"0"')
    return dataclasses.replace(response, body=older)


def says_other_codes(serve: Serve, request: Request) -> Response:
    response = serve(request)
    if b'"code":"fence_refused"' in response.body:
        return _answered(response, code="refused")
    return response


def does_not_answer(serve: Serve, request: Request) -> Response:
    raise CellUnreachable


FAULTS: list[Fault] = [
    answers_a_replay_as_new,
    runs_a_replay_again,
    serves_without_a_grant,
    serves_another_tenants_grant,
    reads_while_frozen,
    unfreezes_at_an_equal_epoch,
    loses_a_journal_entry,
    keeps_numbers_as_doubles,
    takes_large_entities,
    applies_without_comparing,
    applies_over_a_gap,
    never_wakes,
    wakes_unprepared,
    drops_nothing,
    is_another_cell,
    keeps_an_older_contract,
    says_other_codes,
    does_not_answer,
]


def test_a_healthy_cell_passes_and_nothing_is_left_in_it() -> None:
    cell = ProbedCell()

    probe = cell.probe()

    assert probe.problems == ()
    assert probe.contract == CONTRACT
    assert cell.tenants() == []
    assert len(cell.requests) < 80


def test_a_cell_that_takes_its_grant_in_another_header_passes() -> None:
    cell = ProbedCell(cell=dataclasses.replace(CELL, grant_header="x-cell-grant"))

    assert cell.probe().problems == ()


@pytest.mark.parametrize("ordinal", [0, 15])
def test_a_cell_of_any_ordinal_passes(ordinal: int) -> None:
    assert ProbedCell(cell=dataclasses.replace(CELL, ordinal=ordinal)).probe().problems == ()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_probe_fails_a_cell_and_leaves_nothing_in_it_that(fault: Fault) -> None:
    cell = ProbedCell(fault)

    problems = cell.probe().problems

    assert 1 <= len(problems) <= PROBLEMS_MAX
    assert cell.tenants() == [] or fault is drops_nothing


def test_a_probe_removes_what_an_older_one_left_and_not_what_a_younger_one_is_at() -> None:
    cell = ProbedCell(_dying_after(40))
    cell.probe("old")
    cell.fault = None

    younger = cell.probe("young")
    left = cell.tenants()
    cell.clock.time_ms += 11 * 60_000
    cell.probe("late")

    assert younger.problems == ()
    assert any("old" in name for name in left)
    assert cell.tenants() == []


def _dying_after(requests: int) -> Fault:
    left = iter(range(requests))

    def dies(serve: Serve, request: Request) -> Response:
        if next(left, None) is None:
            raise CellUnreachable
        return serve(request)

    return dies


def test_what_is_found_holds_no_value_of_an_answer() -> None:
    def leaks(serve: Serve, request: Request) -> Response:
        body = {"code": "s3cret", "secret": "s3cret"}
        return dataclasses.replace(serve(request), status=418, body=json.dumps(body).encode())

    problems = ProbedCell(leaks).probe().problems

    assert problems
    assert not any("s3cret" in problem for problem in problems)


def test_a_probe_that_was_too_slow_leaves_a_clean_one_in_force_and_no_other() -> None:
    cell = ProbedCell()
    clean, failed = cell.probe(), Probe(at_ms=1, contract="1", problems=("transfer: 500",))
    cell.clock.step_ms = 400
    slow = cell.probe()

    assert slow.problems
    assert not replaces(slow, clean)
    assert replaces(slow, failed)
    assert replaces(slow, None)
    assert replaces(failed, clean)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_probe_of_a_cell_that_is_too_busy_finds_nothing_wrong_and_leaves_nothing(status) -> None:
    cell = ProbedCell()
    clean, failed = cell.probe(), Probe(at_ms=1, contract="1", problems=("transfer: 500",))
    cell.fault = _busy_for_one(status, "/process")
    busy = cell.probe("busy")
    cell.fault = None

    assert [problem.partition(": ")[2] for problem in busy.problems] == [f"{status}, given up"]
    assert not replaces(busy, clean)
    assert replaces(busy, failed)
    assert replaces(busy, None)
    assert cell.tenants() == []


def test_what_a_probe_found_wrong_before_the_cell_was_busy_counts() -> None:
    cell = ProbedCell()
    clean = cell.probe()
    answers = iter((418, 503))

    def wrong_then_busy(serve: Serve, request: Request) -> Response:
        response = serve(request)
        well = response.status in (200, 201)
        return response if well else dataclasses.replace(response, status=next(answers, 503))

    cell.fault = wrong_then_busy
    found = cell.probe("wrong")

    assert len(found.problems) == 2
    assert replaces(found, clean)


def _busy_for_one(status: int, end: str) -> Fault:
    times = itertools.count()

    def busy(serve: Serve, request: Request) -> Response:
        response = serve(request)
        third = _is(request, end) and next(times) == 2
        return _instead(response, status, code="overloaded") if third else response

    return busy
