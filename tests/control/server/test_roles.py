"""Who may ask what: every row of the API with every role, against a table written down here."""

import asyncio
from pathlib import Path

import pytest

from cell_control.server.roles import Role
from cell_control.server.routing import Route
from tests.control.server.plane import Plane, running, token

ALL, OPS, ADMIN, FEED, RING = (frozenset(s) for s in ("voa", "oa", "a", "voae", "oaec"))
MAY = {
    "list_cells": ALL, "show_cell": ALL, "declare_cell": ADMIN, "change_cell": ADMIN,
    "change_cell_lifecycle": ADMIN, "probe_cell": OPS,
    "list_tenants": ALL, "show_tenant": ALL, "explain_tenant": ALL, "tenant_lag": ALL,
    "create_tenant": OPS, "pin_tenant": OPS, "unpin_tenant": OPS, "quarantine_tenant": OPS,
    "release_tenant": OPS, "policy_tenant": OPS, "verify_tenant": OPS, "show_verification": ALL,
    "begin_operation": OPS, "list_operations": ALL, "show_operation": ALL, "list_members": ALL,
    "abort_operation": OPS,
    "headroom": ALL, "replication": ALL, "audit": ALL, "status": ALL,
    "show_recovery": ALL, "begin_recovery": ADMIN, "recover_without": ADMIN,
    "list_lineage": ALL, "tenant_positions": ALL,
    "registry_snapshot": FEED, "registry_changes": FEED, "registry_tenant": FEED,
    "ring_doorbells": RING,
}  # fmt: skip
OPEN = {"healthz", "readyz", "metrics", "openapi"}
LETTERS = {Role.VIEWER: "v", Role.OPERATOR: "o", Role.ADMIN: "a", Role.EDGE: "e", Role.CELL: "c"}


def _path(route: Route) -> str:
    return route.path.replace("{", "").replace("}", "")


async def _ask(plane: Plane, route: Route, role: str) -> int:
    body = {"nonsense": 1} if route.body else None
    return (await plane.ask(route.method, _path(route), body, role=role)).status_code


def test_every_row_is_in_the_table_of_this_test(tmp_path: Path):
    async def scenario() -> set[str]:
        async with running(tmp_path) as plane:
            return {route.id for route in plane.control.rows}

    assert asyncio.run(scenario()) == MAY.keys() | OPEN


@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_the_table_says_and_nothing_else(tmp_path: Path, role: Role):
    async def scenario() -> dict[str, int]:
        async with running(tmp_path) as plane:
            return {r.id: await _ask(plane, r, role.value) for r in plane.control.rows}

    statuses = asyncio.run(scenario())

    refused = {name for name, status in statuses.items() if status == 403}
    assert refused == {name for name, may in MAY.items() if LETTERS[role] not in may}
    assert 401 not in statuses.values()


def test_nobody_may_anything_without_a_token_but_what_is_open(tmp_path: Path):
    async def scenario() -> dict[str, int]:
        async with running(tmp_path) as plane:
            return {r.id: await _ask(plane, r, "") for r in plane.control.rows}

    statuses = asyncio.run(scenario())

    assert {name for name, status in statuses.items() if status == 401} == set(MAY)
    assert {statuses[name] for name in OPEN} == {200}


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Bearer cc_local_none_nothing",
        "bearer " + token("admin")[:-1] + "!",
        "Bearer " + token("admin") + "x",
        "Bearer " + token("admin").replace("cc_", "ck_"),
        "Bearer " + "x" * 5000,
        token("admin"),
        "Bearer \u00e9",
    ],
)
def test_a_mutant_of_a_token_is_refused(tmp_path: Path, header: str):
    async def scenario() -> tuple[int, str, str | None]:
        async with running(tmp_path) as plane:
            answer = await plane.ask(
                "GET", "/v1/cells", role="", headers={"authorization": header.encode()}
            )
            return answer.status_code, answer.json()["code"], answer.headers.get("www-authenticate")

    assert asyncio.run(scenario()) == (401, "credential_invalid", "Bearer")


def test_a_token_in_lower_case_scheme_is_as_good(tmp_path: Path):
    async def scenario() -> int:
        async with running(tmp_path) as plane:
            headers = {"authorization": f"bearer {token('viewer')}"}
            return (await plane.ask("GET", "/v1/cells", role="", headers=headers)).status_code

    assert asyncio.run(scenario()) == 200
