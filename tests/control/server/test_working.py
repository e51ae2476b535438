"""The loops over real cells in memory: a tenant is made, followed and moved by them alone."""

import asyncio
from pathlib import Path
from typing import Any

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.codec import read
from cell_control.domain.records import Cell
from cell_control.ports import Key
from tests.control.server.plane import QUICK, CellsTransport, Plane, running


async def _two_cells(plane: Plane) -> tuple[str, str]:
    return await plane.declare(1), await plane.declare(2)


def _settled(plane: Plane, home: str, *, standby: str | None = None) -> Any:
    async def settled() -> Any:
        tenant = await plane.ok("GET", "/v1/tenants/T-1")
        is_so = tenant["settled"] and tenant["home"] == home and tenant["move"] is None
        return tenant if is_so and standby in (None, tenant["standby"]) else None

    return settled


def test_a_tenant_is_made_at_its_cells_and_moved_to_the_other(tmp_path: Path):
    transport = CellsTransport()

    async def scenario() -> tuple[Any, Any, Any, str]:
        async with running(tmp_path, transport=transport, loops=QUICK) as plane:
            home, away = await _two_cells(plane)
            await plane.ok("POST", "/v1/tenants", {"id": "T-1", "home": home, "standby": away})
            await plane.until(_settled(plane, home), "it is made")
            operation = {"id": "op-1", "kind": "move", "tenants": ["T-1"], "dest": away}
            await plane.ok("POST", "/v1/operations", operation)
            tenant = await plane.until(_settled(plane, away, standby=home), "it has moved")
            done = await plane.until(_ended(plane, "op-1"), "the operation is done")
            members = await plane.ok("GET", "/v1/operations/op-1/members")
            metrics = await plane.until(
                _counted(plane, "freeze_seconds_count 1.0"), "it is counted"
            )
            assert plane.lines("loop_error") == []
            return tenant, done, members["members"], metrics

    tenant, done, members, metrics = asyncio.run(scenario())

    fences = transport.cells["azure-beta"].fences("T-1")
    assert (fences[0].role.value, fences[0].epoch) == ("active", tenant["epoch"])
    assert (done["status"], done["finished"]) == ("done", 1)
    assert members[0]["status"] == "done"
    assert 'cell_control_members_total{result="done"} 1.0' in metrics


def _counted(plane: Plane, line: str) -> Any:
    async def counted() -> Any:
        text = (await plane.ask("GET", "/metrics", role="")).text
        return text if f"cell_control_{line}" in text else None

    return counted


def _ended(plane: Plane, operation: str) -> Any:
    async def ended() -> Any:
        found = await plane.ok("GET", f"/v1/operations/{operation}")
        return found if found["status"] != "running" else None

    return ended


def test_a_second_process_goes_on_where_the_first_was_stopped(tmp_path: Path):
    transport, registry = CellsTransport(), MemoryRegistry()

    async def scenario() -> Any:
        given: Any = {"transport": transport, "registry": registry}
        async with running(tmp_path, **given) as plane:
            home, away = await _two_cells(plane)
            await plane.ok("POST", "/v1/tenants", {"id": "T-1", "home": home, "standby": away})
        async with running(tmp_path, loops=QUICK, **given) as plane:
            return await plane.until(_settled(plane, home), "the next process makes it")

    assert asyncio.run(scenario())["settled"]


def test_a_dark_cell_holds_up_its_own_tenants_alone(tmp_path: Path):
    transport = CellsTransport()
    transport.cells["azure-beta"].is_dark = True

    async def scenario() -> tuple[Any, Any]:
        async with running(tmp_path, transport=transport, loops=QUICK) as plane:
            home, away = await _two_cells(plane)
            dark = {"id": "T-2", "home": away, "standby": False}
            await plane.ok("POST", "/v1/tenants", dark)
            await plane.ok("POST", "/v1/tenants", {"id": "T-1", "home": home, "standby": False})
            made = await plane.until(_settled(plane, home), "the one whose cell answers is made")
            waits = await plane.ok("GET", "/v1/tenants/T-2")
            transport.cells[away].is_dark = False
            return made, waits

    made, waits = asyncio.run(scenario())

    assert made["settled"]
    assert not waits["settled"]


def test_cells_are_probed_by_themselves(tmp_path: Path):
    registry = MemoryRegistry()

    async def scenario() -> Any:
        async with running(tmp_path, registry=registry, loops=QUICK) as plane:
            body = {"ordinal": 1, "cloud": "aws", "region": "local"}
            url = {"base_url": "https://aws-alpha.example"}
            await plane.ok("PUT", "/v1/cells/aws-alpha", {**body, **url})

            async def probed() -> Any:
                (record,) = registry.get([Key(kind="cell", key="aws-alpha")])
                return read(Cell, record).probe if record else None

            return await plane.until(probed, "the probe is kept")

    probe = asyncio.run(scenario())

    assert probe.problems == ()


def test_a_verification_runs_in_the_background_and_says_what_it_proved(tmp_path: Path):
    transport = CellsTransport()

    async def scenario() -> tuple[Any, Any, Any]:
        async with running(tmp_path, transport=transport, loops=QUICK) as plane:
            home, away = await _two_cells(plane)
            await plane.ok("POST", "/v1/tenants", {"id": "T-1", "home": home, "standby": away})
            await plane.until(_settled(plane, home), "it is made")
            begun = await plane.ok("POST", "/v1/tenants/T-1/verify", {"depth": "behaviour"})

            async def over() -> Any:
                found = await plane.ok("GET", f"/v1/verifications/{begun['id']}")
                return found if found["status"] != "running" else None

            lag = await plane.ok("GET", "/v1/tenants/T-1/lag")
            return begun, await plane.until(over, "it is over"), lag

    begun, found, lag = asyncio.run(scenario())

    assert begun["tenant"] == "T-1"
    assert (found["status"], found["report"]["verdict"]) == ("done", "equal")
    assert [(one["cell"], one["entries"]) for one in lag["lags"]] == [("azure-beta", 0)]


def test_a_tenant_without_a_standby_has_nothing_to_be_verified_against(tmp_path: Path):
    async def scenario() -> Any:
        async with running(tmp_path) as plane:
            await plane.declare(1)
            await plane.ok("POST", "/v1/tenants", {"id": "T-1", "standby": False})
            return await plane.ask("POST", "/v1/tenants/T-1/verify", {})

    answer = asyncio.run(scenario())

    assert (answer.status_code, answer.json()["code"]) == (409, "no_standby")
    assert answer.json()["reasons"][0]["text"].startswith("T-1 has no standby")
