"""Every vector that the server answers, the Worker answers alike."""

import json
from urllib.parse import urlsplit

import pytest

from cell_router.auth.api_key_file import write_key_file
from tests.router.vectors import world
from tests.router.vectors.cases import CUT, Answer, Play, Request, load, request_of
from tests.router.vectors.world import headers_of
from tests.router.worker.isolate import Answered, Broken, no_cell

pytestmark = pytest.mark.xdist_group("worker_isolate")

# A Worker sees URLs that the runtime has parsed: it normalises dots and escapes what no URL may
# hold, before anybody's rule. What comes of these two there, the last tests say.
PARSED_BEFORE = {
    "a command may have no query that is not one",
    "a dot segment in a path is refused",
}
CASES = [case for case in load() if case["name"] not in PARSED_BEFORE]


@pytest.fixture
def worker(isolate, edge):
    isolate.begin(
        secrets=edge.secrets(
            SETTINGS=json.dumps(edge.settings(issuers=[], limits={"total_ms": 2000})),
            API_KEYS=write_key_file(world.key_file()).decode(),
        ),
        values=edge.snapshot(
            {},
            records=world.TENANTS,
            groups=world.GROUPS,
            cells=world.cell_records(lambda cell: f"https://{cell}.on.aws"),
            created_ms=world.NOW_S * 1000,
        ),
    )
    isolate.set_clock(world.NOW_S)
    return isolate


def _call(worker, request, cells):
    return worker.call(
        request.method,
        request.target,
        headers=list(request.headers.items()),
        body=request.body,
        cell=cells,
    )


def _cells(play):
    """Return the cells of `play` as a Worker's subrequests meet them."""

    def cells(request):
        url = urlsplit(request.url)
        target = f"{url.path}?{url.query}" if url.query else url.path
        cell = url.netloc.removesuffix(".on.aws")
        answer = play.ask(cell, Request(request.method, target, request.headers, request.body))
        if answer == CUT:
            return Broken()
        return Answered(answer.status, answer.body, list(answer.headers.items()))

    return cells


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_worker_answers_as_the_vectors_say(case, worker):
    play = Play(case)

    reply = _call(worker, request_of(case), _cells(play))

    assert play.judge(Answer(reply.status, reply.headers, reply.body)) == []


def test_no_vector_is_left_out_but_those_that_the_runtime_decides():
    assert {case["name"] for case in load()} - {case["name"] for case in CASES} == PARSED_BEFORE


def test_a_query_that_the_runtime_had_to_escape_is_refused(worker):
    case = next(one for one in load() if one["name"].startswith("a command may have no query"))

    reply = _call(worker, request_of(case), no_cell)

    assert (reply.status, reply.json["code"]) == (400, "invalid_path")


def test_a_path_whose_dots_the_runtime_resolved_is_judged_and_sent_as_it_is_now(worker):
    headers = headers_of("T-100")
    climbing = Request("GET", "/v1/tenants/T-100/../T-200/domains", headers, b"")

    reply = _call(worker, climbing, no_cell)

    assert (reply.status, reply.json["code"]) == (403, "tenant_forbidden")
