"""Every vector through the server and through `route_request`; the Worker's are in ../worker."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from cell_core.wire.grants import GrantSigner
from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.authenticator import Authenticator
from cell_router.auth.jwt import TokenVerifier
from cell_router.direct import Direct, Embedding
from cell_router.direct_transport import HttpTransport
from cell_router.edge import Edge
from cell_router.grants import GrantBook
from cell_router.limits import Limits
from cell_router.ports import Credentials
from cell_router.registry import Registry
from cell_router.server.addresses import AddressPolicy
from tests.router.framing.edge import edge_key, serving_edge
from tests.router.vectors import world
from tests.router.vectors.cases import Answer, Play, Request, is_direct, load, request_of
from tests.router.vectors.scripted_cells import ScriptedCells, scripted_cells

CASES = load()
NAMES = [case["name"] for case in CASES]
DOUBTS_MAX = 3
"""A busy machine may take a request's last 50 ms once; a router that leaves doubts does always."""


@pytest.fixture(scope="module")
def cells() -> Iterator[ScriptedCells]:
    with scripted_cells() as running:
        yield running


def edge_of(cells: ScriptedCells, credentials: Credentials, new_id: Callable[[], str]) -> Edge:
    """Return an edge with the registry of the vectors."""
    return Edge(
        registry=Registry(world.store_of(cells.url_of)),
        credentials=credentials,
        grants=GrantBook(GrantSigner(edge_key(), issuer="edge"), new_id),
        limits=Limits(total_s=2.0),
        generator=random.Random(1),
        new_command_id=new_id,
    )


def keys() -> Authenticator:
    """Return what knows the API keys of the vectors."""
    return Authenticator(TokenVerifier({}), ApiKeys(world.key_file()))


def test_there_are_enough_vectors_and_each_has_a_name_of_its_own():
    assert len(CASES) >= 150
    assert len(set(NAMES)) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_server_answers_as_the_vectors_say(case: Mapping[str, Any], cells: ScriptedCells):
    for _ in range(DOUBTS_MAX):
        play = cells.play = Play(case)
        with serving_edge(lambda new_id: edge_of(cells, keys(), new_id)) as running:
            answer = asyncio.run(fetch(running.port, request_of(case)))
        if not is_doubt_at_a_deadline(case, answer):
            break

    assert play.judge(answer) == []


def is_doubt_at_a_deadline(case: Mapping[str, Any], answer: Answer) -> bool:
    """Say whether a certain no became a doubt, as when the machine stood still in the last try."""
    is_timed = "x-deadline-ms" in case["request"].get("headers", {})
    return is_timed and answer.code == "outcome_unknown" != case["reply"].get("code")


@pytest.mark.parametrize(
    "case", [c for c in CASES if is_direct(c)], ids=[c["name"] for c in CASES if is_direct(c)]
)
def test_route_request_answers_as_the_vectors_say(case: Mapping[str, Any], cells: ScriptedCells):
    play = cells.play = Play(case)
    edge = edge_of(cells, Embedding(), iter(map("id-{}".format, range(99))).__next__)
    direct = Direct(
        edge,
        HttpTransport(AddressPolicy(local=True), None, edge.limits),
        ask=lambda tenant: False,
        now=time.monotonic,
        now_s=lambda: world.NOW_S,
        new_id=lambda: "request-1",
    )

    shown = direct.route_request(request_of(case).body.decode())

    headers = {name.lower(): value for name, value in shown["headers"].items()}
    assert play.judge(_answered(shown, headers)) == []


def test_a_vector_that_is_not_so_is_seen(cells: ScriptedCells):
    case = next(case for case in CASES if case["name"] == "the body names the tenant")
    play = cells.play = Play({**case, "calls": [{"cell": "azure-beta", "epoch": 18}]})

    with serving_edge(lambda new_id: edge_of(cells, keys(), new_id)) as running:
        answer = asyncio.run(fetch(running.port, request_of(case)))

    [problem] = play.judge(answer)
    assert problem.startswith("asked {'cell': 'aws-alpha', 'epoch': '17'}")


def _answered(shown: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
    if "code" in shown:
        # The edge's own words are a sentence here; the code stands beside them.
        return Answer(shown["status"], headers, json.dumps({"code": shown["code"]}).encode())
    return Answer(shown["status"], headers, shown["body"].encode())


async def fetch(port: int, request: Request) -> Answer:
    """Send a request to the edge at `port` and return its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = {"host": "edge", **request.headers}
    if request.body or request.method == "POST":
        headers["content-length"] = str(len(request.body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"{request.method} {request.target} HTTP/1.1\r\n{lines}\r\n"
    writer.write(head.encode("latin-1") + request.body)
    raw = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    answered = {n.lower(): v for n, v in (line.split(": ", 1) for line in raw[1:-2])}
    body = await reader.readexactly(int(answered["content-length"]))
    writer.close()
    return Answer(int(raw[0].split(" ")[1]), answered, body)
