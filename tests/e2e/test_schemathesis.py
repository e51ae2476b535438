"""What a running cell answers is what its OpenAPI says, whatever it is asked.

`CELL_SCHEMATHESIS_CASES` says how many requests of each operation; the default is a minute's worth.
"""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cell_devstack.world import AWS, AZURE, LocalCell, World
from tests.e2e.aim import TENANT, aim_at, grant_for
from tests.e2e.caller import Caller

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e-schemathesis")]

CASES: Final = int(os.environ.get("CELL_SCHEMATHESIS_CASES", "12"))
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_BOUNDS: Final = settings(
    max_examples=CASES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
# What only a move between two cells brings about cannot be guessed.
_NEEDS_ANOTHER_CELL: Final = {"truncate", "apply_stripe", "import_stripe", "orphans_stripe", "seal"}


@pytest.fixture(scope="module", params=[AWS, AZURE])
def living(request: pytest.FixtureRequest, world: World) -> Iterator[Caller]:
    """Yield a caller of a cell in which there is something to find."""
    caller = Caller(world.cells[request.param], TENANT)
    caller.provision()
    assert caller.send("open-carol", "open_account", account="carol").status == 200
    hold = {"hold": "h1", "debit": "alice", "credit": "bob", "amount": "1"}
    assert caller.send("hold-h1", "hold", **hold).status == 200
    envelope = {"tenant_id": TENANT, "domain": "records", "command_id": "doc-1"}
    put = {"command": "put", "data": {"id": "doc", "value": {}}}
    assert caller.request("POST", "/process", {**envelope, **put}).status == 200
    yield caller
    caller.cell.client.close()


def _description(caller: Caller) -> dict[str, Any]:
    return caller.request("GET", "/openapi.json", grant=False).body


def _id(operation: APIOperation) -> str:
    return operation.definition.raw["operationId"]


def _call(case: Case, cell: LocalCell) -> schemathesis.Response:
    headers = {"Authorization": f"Bearer {grant_for(case, cell)}"}
    response = case.call(base_url=cell.base_url, headers=headers, timeout=30)
    case.validate_response(response, checks=CHECKS)
    return response


def _run(operation: APIOperation, cell: LocalCell) -> Counter[int]:
    """Send requests of one operation, well-formed ones and others; count what was answered."""
    statuses = _ask(operation, cell, GenerationMode.POSITIVE, CASES)
    if operation.body or "{" in operation.path or operation.query:
        statuses += _ask(operation, cell, GenerationMode.NEGATIVE, max(1, CASES // 4))
    return statuses


def _ask(
    operation: APIOperation, cell: LocalCell, mode: GenerationMode, count: int
) -> Counter[int]:
    statuses: Counter[int] = Counter()
    dice = random.Random(_id(operation))  # Drawn by hypothesis, seeds would mostly be equal.

    @settings(_BOUNDS, max_examples=count)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        if mode is GenerationMode.POSITIVE:
            aim_at(case, cell, dice)
        statuses[_call(case, cell).status_code] += 1

    ask()
    return statuses


def test_every_answer_is_one_that_the_openapi_describes(living: Caller):
    schema = schemathesis.openapi.from_dict(_description(living))
    statuses: dict[str, Counter[int]] = defaultdict(Counter)

    for result in schema.get_all_operations():
        operation = result.ok()
        statuses[_id(operation)] = _run(operation, living.cell)

    total = sum(statuses.values(), Counter())
    never = {name for name, found in statuses.items() if not found[200]} - _NEEDS_ANOTHER_CELL
    assert never == set(), dict(statuses)
    assert total[200] >= total.total() / 3, dict(statuses)
    assert total[400] > 0
    assert len(total) >= 5


def test_an_answer_that_the_openapi_leaves_out_is_noticed(living: Caller):
    described = _description(living)
    path = next(path for path in described["paths"] if path.endswith("/entities/{entity}"))
    del described["paths"][path]["get"]["responses"]["404"]
    operation = schemathesis.openapi.from_dict(described)[path]["GET"]
    case = operation.Case(
        path_parameters={
            "tenant": TENANT,
            "domain": "ledger",
            "stream": "main",
            "entity": "account.nobody",
        }
    )

    with pytest.raises(FailureGroup, match="Undocumented status code"):
        _call(case, living.cell)


@pytest.mark.parametrize("path", ["/process", "/v1/commands"])
def test_every_link_leads_to_what_was_just_written(living: Caller, path: str):
    described = _description(living)
    schema = schemathesis.openapi.from_dict(described)
    operations = {_id(each.ok()): each.ok() for each in schema.get_all_operations()}
    links = described["paths"][path]["post"]["responses"]["200"]["links"]
    answer = living.pay(f"linked-{path.rpartition('/')[2]}")

    for link in links.values():
        values = {
            name: answer.body[expression.removeprefix("$response.body#/")]
            for name, expression in link["parameters"].items()
        }
        followed = _call(operations[link["operationId"]].Case(path_parameters=values), living.cell)
        assert followed.status_code == 200
        assert followed.headers["x-tenant-seq"] == [answer.headers["x-tenant-seq"]]

    assert links.keys() == {"stream", "entities", "events"}
