"""Every write of the registry is audited, in the very commit that makes it."""

import asyncio
from pathlib import Path
from typing import Any

from cell_control.adapters.registry_memory import MemoryRegistry
from tests.control.server.plane import Plane, running

SILENT = {
    "ring_doorbells",  # a hint: nothing is written
    "verify_tenant",  # reads
    "probe_cell",  # audited when it finds something else than before
}


class Commits:
    """Every commit of a registry, as the kinds of its records and who is named."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry
        self.made: list[tuple[set[str], list[str]]] = []

    def commit(self, writes: list[Any]) -> int:
        rev = self._registry.commit(writes)
        audits = [write.body or "" for write in writes if write.kind == "audit"]
        self.made.append(({write.kind for write in writes}, audits))
        return int(rev)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


async def _everything(plane: Plane) -> set[str]:
    """Make every kind of write; return the ids of the rows that were asked."""
    home = await plane.declare(1)
    away = await plane.declare(2)
    await plane.ok("PATCH", f"/v1/cells/{home}", {"weight": 50, "reason": "why-not"})
    tenant = {"id": "T-1", "home": home, "standby": away, "reason": "why-not"}
    await plane.ok("POST", "/v1/tenants", tenant)
    for path, body in (
        ("pin", {}),
        ("unpin", {}),
        ("quarantine", {}),
        ("release", {}),
        ("policy", {"policy": {"priority": 1}}),
    ):
        await plane.ok("POST", f"/v1/tenants/T-1/{path}", {**body, "reason": "why-not"})
    operation = {"id": "op-1", "kind": "move", "tenants": ["T-1"], "dest": away}
    await plane.ok("POST", "/v1/operations", {**operation, "reason": "why-not"})
    await plane.ok("POST", "/v1/operations/op-1/abort", {"reason": "why-not"})
    await plane.ok("POST", "/v1/recovery/without", {"cells": [away], "reason": "why-not"})
    await plane.ok("POST", "/v1/recovery", {"reason": "why-not"})
    return {row.id for row in plane.control.rows if row.writes} - SILENT


def test_every_write_is_audited_in_its_own_commit(tmp_path: Path):
    commits = Commits(MemoryRegistry())

    async def scenario() -> tuple[list[Any], set[str]]:
        async with running(tmp_path, registry=commits) as plane:
            rows = await _everything(plane)
            return (await plane.ok("GET", "/v1/audit"))["audits"], rows

    audits, rows = asyncio.run(scenario())

    actions = [row["audit"]["action"] for row in audits]
    assert {row["audit"]["by"] for row in audits} == {"admin", "probe"}
    assert len(set(actions)) >= len(rows)
    # Members that had not begun are given up in parts, after the abort was written.
    assert all(named for kinds, named in commits.made if kinds != {"member"})


def test_what_changes_nothing_is_not_audited(tmp_path: Path):
    async def scenario() -> tuple[int, int]:
        async with running(tmp_path) as plane:
            await plane.declare(1)
            await plane.ok("POST", "/v1/tenants", {"id": "T-1", "standby": False})
            before = len((await plane.ok("GET", "/v1/audit"))["audits"])
            await plane.ok("POST", "/v1/tenants", {"id": "T-1", "standby": False})
            await plane.ok("POST", "/v1/tenants/T-1/unpin", {})
            return before, len((await plane.ok("GET", "/v1/audit"))["audits"])

    before, after = asyncio.run(scenario())

    assert before == after


def test_audits_are_read_on_from_where_a_page_ended(tmp_path: Path):
    async def scenario() -> tuple[list[str], list[str]]:
        async with running(tmp_path) as plane:
            await plane.declare(1)
            whole = (await plane.ok("GET", "/v1/audit"))["audits"]
            pages, after = [], ""
            while after is not None:
                page = await plane.ok("GET", f"/v1/audit?limit=1&after={after}")
                pages += page["audits"]
                after = page["after"]
            return [row["key"] for row in whole], [row["key"] for row in pages]

    whole, pages = asyncio.run(scenario())

    assert whole == pages == sorted(whole)
