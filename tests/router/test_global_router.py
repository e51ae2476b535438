"""The tutorial's face: `global_router.route_request(request_body)`, over a team's own files."""

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cell_core.wire.registry import CellRecord, TenantRecord
from cell_devstack.local_keys import LocalKeys
from cell_devstack.local_router import LocalRouter
from cell_router import bootstrap_direct
from cell_router.config import load
from cell_router.config_findings import ConfigError
from tests.router.vectors.cases import Play
from tests.router.vectors.scripted_cells import ScriptedCells, scripted_cells

ROOT = Path(__file__).parents[2]
CALL = {"cell": "aws-alpha", "epoch": 17}


@pytest.fixture(scope="module")
def cells() -> Iterator[ScriptedCells]:
    with scripted_cells() as running:
        yield running


@pytest.fixture(scope="module")
def route(
    cells: ScriptedCells, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], dict[str, Any]]]:
    files = LocalRouter(tmp_path_factory.mktemp("router"), LocalKeys().edge_jwk)
    record = CellRecord(
        id="aws-alpha", ordinal=1, cloud="aws", region="r", base_url=cells.url_of("aws-alpha")
    )
    files.publish([record], [TenantRecord(tenant="T-100", epoch=17)])
    try:
        yield bootstrap_direct.build(load(files.config_path)).route_request
    finally:
        files.close()


def test_the_file_is_the_tutorials_and_opens_nothing_when_it_is_imported():
    path = ROOT / "packages" / "router" / "global_router.py"
    spec = importlib.util.spec_from_file_location("global_router", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    spec.loader.exec_module(module)

    assert module.route_request is bootstrap_direct.route_request
    assert len(path.read_text().splitlines()) <= 5


def test_a_known_tenant_is_served_and_the_cloud_is_named(route, cells):
    cells.play = Play({"calls": [CALL], "reply": {}})

    answer = route('{"tenant_id":"T-100","domain":"ledger","command":"x","data":{}}')

    assert answer["status"] == 200
    assert answer["headers"]["X-Processed-By-Cloud"] == "aws"
    assert json.loads(answer["body"]) == {"status": "applied"}
    assert cells.play.problems == []


@pytest.mark.parametrize("body", ["{}", '{"tenant_id":""}', '{"domain":"ledger"}'])
def test_a_request_without_a_tenant_is_told_so(route, body: str):
    answer = route(body)

    assert (answer["status"], answer["body"]) == (400, "Missing tenant_id")


def test_a_tenant_of_no_cell_is_told_so(route):
    answer = route('{"tenant_id":"T-999"}')

    assert (answer["status"], answer["body"]) == (404, "Tenant not allocated to any cell")


@pytest.mark.parametrize("body", ["", "[", "not json", "\ud800"])
def test_nonsense_is_an_answer_and_never_a_traceback(route, body: str):
    answer = route(body)

    assert answer["status"] == 400
    assert "Traceback" not in answer["body"]


def test_a_cell_that_says_no_is_passed_on(route, cells):
    no = {"status": 422, "code": "insufficient_funds"}
    cells.play = Play({"calls": [{**CALL, "answer": no}], "reply": {}})

    answer = route('{"tenant_id":"T-100","domain":"ledger","command":"x","data":{}}')

    assert answer["status"] == 422
    assert json.loads(answer["body"])["code"] == "insufficient_funds"


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError):
        load(tmp_path / "router.toml")
