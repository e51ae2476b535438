"""An old home that is no standby is kept as long as the configuration says, and then dropped."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cell_control.server.config import Loops
from tests.control.server.plane import CellsTransport, Plane, running

_SWEEP_S = 0.05


async def _move_without_standby(plane: Plane) -> tuple[str, Any]:
    """Move T-1, which has no standby; return its old home, and its record once it is settled."""
    old, new = await plane.declare(1), await plane.declare(2)
    await plane.ok("POST", "/v1/tenants", {"id": "T-1", "home": old, "standby": False})
    await plane.until(_settled(plane, old), "it is made")
    operation = {"id": "op-1", "kind": "move", "tenants": ["T-1"], "dest": new}
    await plane.ok("POST", "/v1/operations", operation)
    return old, await plane.until(_settled(plane, new), "it has moved")


def _settled(plane: Plane, home: str) -> Any:
    async def settled() -> Any:
        tenant = await plane.ok("GET", "/v1/tenants/T-1")
        is_so = tenant["settled"] and tenant["home"] == home and tenant["move"] is None
        return tenant if is_so else None

    return settled


def test_it_is_dropped_when_its_time_is_over_and_its_place_is_given_back(tmp_path: Path):
    transport = CellsTransport()

    async def scenario() -> tuple[str, Any]:
        loops = Loops(sweep_s=_SWEEP_S, keep_s=0.05)
        async with running(tmp_path, transport=transport, loops=loops) as plane:
            old, _ = await _move_without_standby(plane)

            async def free() -> Any:
                cells = (await plane.ok("GET", "/v1/cells"))["cells"]
                usage = {one["cell"]["id"]: one["usage"] for one in cells}
                return usage if usage[old]["standbys"] == 0 else None

            return old, await plane.until(free, "its place is given back")

    old, usage = asyncio.run(scenario())

    assert transport.cells[old].fences("T-1") == ()
    assert (usage[old]["homes"], usage[old]["standbys"]) == (0, 0)


def test_it_is_kept_until_then(tmp_path: Path):
    transport = CellsTransport()

    async def scenario() -> tuple[str, Any]:
        loops = Loops(sweep_s=_SWEEP_S, keep_s=3600.0)
        async with running(tmp_path, transport=transport, loops=loops) as plane:
            return await _move_without_standby(plane)

    old, tenant = asyncio.run(scenario())

    assert tenant["leaving"]["cell"] == old
    kept_ms = tenant["leaving"]["drop_after_ms"] - tenant["since_ms"]
    assert kept_ms == pytest.approx(3_600_000, abs=1000)
    assert [fence.role.value for fence in transport.cells[old].fences("T-1")] == ["standby"]
