"""A cell that was just deployed is probed as the control plane does it, over HTTP."""

import dataclasses
import json
from itertools import count

import httpx
import pytest

from cell_control.domain.records import Cell
from cell_core.app import App
from cell_core.domains import DOMAINS
from cell_core.memory import MemoryBackend, MemoryCellStore
from cell_core.service import control
from cell_core.wire.grants import GrantVerifier
from cell_core.wire.message import Request
from tests.control.services.probed_cell import CELL, Clock, Hasty
from tests.core.granting import control_key, edge_key, jwks
from tools.deploy_probe import GrantedProbe

DOCUMENT = {
    "contract": 1,
    "id": CELL.id,
    "ordinal": CELL.ordinal,
    "cloud": "aws",
    "region": "eu-central-1",
    "base_url": "https://alpha.example/api",
    "grant_header": "authorization",
}


def _serving(clock: Clock, cell: Cell = CELL) -> httpx.MockTransport:
    app = App(
        control.Cell(id=cell.id, ordinal=cell.ordinal),
        MemoryCellStore(MemoryBackend()),
        DOMAINS,
        GrantVerifier(jwks(control_key()), audience=cell.id),
        clock=clock,
        patience=Hasty(),
        new_id=lambda: "r-1",
    )

    def handle(request: httpx.Request) -> httpx.Response:
        answer = app.handle(
            Request(
                method=request.method,
                path=request.url.path.removeprefix("/api"),
                query=request.url.query.decode(),
                headers=dict(request.headers),
                body=request.read(),
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    return httpx.MockTransport(handle)


def _probe(transport: httpx.BaseTransport, clock: Clock, key=None) -> GrantedProbe:
    ids = count(1)
    private = json.dumps((key or control_key()).private_jwk())
    return GrantedProbe(private, clock, new_id=lambda: f"id-{next(ids)}", transport=transport)


def test_a_sound_cell_has_no_problems():
    clock = Clock()

    assert list(_probe(_serving(clock), clock).problems(DOCUMENT)) == []


def test_a_cell_with_another_name_is_found_out():
    clock = Clock()
    other = dataclasses.replace(CELL, id="aws-omega")

    problems = _probe(_serving(clock, other), clock).problems(DOCUMENT)

    assert any("another cell answers" in problem for problem in problems)


def test_a_cell_that_does_not_trust_the_key_is_found_out():
    clock = Clock()

    assert _probe(_serving(clock), clock, edge_key()).problems(DOCUMENT)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.ConnectError("down"), id="none"),
        pytest.param(httpx.Response(307, headers={"location": "https://x.example"}), id="away"),
    ],
)
def test_a_cell_that_is_not_there_is_found_out(answer):
    asked = []

    def handle(request):
        asked.append(request.url.host)
        if isinstance(answer, Exception):
            raise answer
        return answer

    problems = _probe(httpx.MockTransport(handle), Clock()).problems(DOCUMENT)

    assert problems
    assert set(asked) == {"alpha.example"}


def test_a_public_key_cannot_probe():
    with pytest.raises(ValueError, match="private key"):
        GrantedProbe(json.dumps(control_key().public_jwk()), Clock(), new_id=lambda: "x")
