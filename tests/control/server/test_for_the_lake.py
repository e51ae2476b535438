"""What an auditor of the lake is told: lineage page by page, and positions as the cells say."""

import asyncio
from pathlib import Path
from typing import Any

from tests.control.server.plane import QUICK, CellsTransport, Plane, running


async def _made(plane: Plane, *tenants: str) -> tuple[str, str]:
    home, away = await plane.declare(1), await plane.declare(2)
    for tenant in tenants:
        body = {"id": tenant, "home": home, "standby": away, "stripes": 2}
        await plane.ok("POST", "/v1/tenants", body)
    for tenant in tenants:
        await plane.until(_settled(plane, tenant), "it is made")
    return home, away


def _settled(plane: Plane, tenant: str) -> Any:
    async def settled() -> Any:
        return (await plane.ok("GET", f"/v1/tenants/{tenant}"))["settled"]

    return settled


def test_lineage_comes_in_pages_that_can_be_gone_on_from(tmp_path: Path):
    async def scenario() -> tuple[Any, Any]:
        async with running(tmp_path, transport=CellsTransport(), loops=QUICK) as plane:
            await _made(plane, "T-1", "T-2")
            first = await plane.ok("GET", "/v1/lineage?limit=1")
            rest = await plane.ok("GET", f"/v1/lineage?limit=100&after={first['after']}")
            return first, rest

    first, rest = asyncio.run(scenario())

    shown = [one["lineage"]["tenant"] for one in (*first["lineage"], *rest["lineage"])]
    assert shown == ["T-1", "T-2"]
    assert rest["after"] is None
    assert 0 < first["lineage"][0]["rev"] <= first["rev"]


def test_positions_are_told_of_each_stripe_at_home_and_standby(tmp_path: Path):
    async def scenario() -> tuple[Any, str, str]:
        async with running(tmp_path, transport=CellsTransport(), loops=QUICK) as plane:
            home, away = await _made(plane, "T-1")
            return await plane.ok("GET", "/v1/tenants/T-1/positions"), home, away

    told, home, away = asyncio.run(scenario())

    places = {(each["cell"], each["stripe"], each["role"]) for each in told["positions"]}
    assert told["home"] == home
    assert places == {(home, 0, "active"), (home, 1, "active"), (away, 0, "standby"),
                      (away, 1, "standby")}  # fmt: skip
    assert told["unknown"] == []


def test_of_a_cell_that_does_not_answer_nothing_is_said(tmp_path: Path):
    transport = CellsTransport()

    async def scenario() -> tuple[Any, str]:
        async with running(tmp_path, transport=transport, loops=QUICK) as plane:
            _, away = await _made(plane, "T-1")
            transport.cells[away].is_dark = True
            return await plane.ok("GET", "/v1/tenants/T-1/positions"), away

    told, away = asyncio.run(scenario())

    assert told["unknown"] == [away]
    assert away not in {each["cell"] for each in told["positions"]}
