"""The feed: what routers hold is what the registry says, at once, and for as many as wait."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.codec import audit_key, write_of
from cell_control.domain.records import Audit, Cell, Group, Tenant
from cell_control.ports import Registry, Write
from cell_control.service.publishing import build_snapshot
from cell_core.wire.registry import Change, RegistryRefused
from cell_core.wire.registry_changes import CHANGES_MAX, Batch, open_batch
from cell_core.wire.registry_snapshot import open_snapshot
from tests.control.server.plane import SEEN_S, Plane, running
from tests.core.registering import signer, verifier

CELL = Cell(
    id="aws-alpha", ordinal=1, cloud="aws", region="local", base_url="https://aws-alpha.example"
)


def _tenant(number: int, epoch: int = 17) -> Tenant:
    return Tenant(id=f"T-{number:05d}", epoch=epoch, home="aws-alpha", settled=True)


def _audit(registry: Registry, number: int) -> None:
    audit = Audit(at_ms=number, by="a", action="b", subject="c")
    registry.commit([write_of(audit, 0, key=audit_key(number, "x"))])


def _registry(tenants: int = 2) -> MemoryRegistry:
    registry = MemoryRegistry()
    writes = [write_of(CELL, 0), *(write_of(_tenant(n), 0) for n in range(tenants))]
    for start in range(0, len(writes), 1000):
        registry.commit(writes[start : start + 1000])
    return registry


async def _changes(plane: Plane, after: int, wait_s: float = 0) -> Batch:
    answer = await plane.ask(
        "GET", f"/v1/registry/changes?after={after}&wait_s={wait_s}", role="edge"
    )
    assert answer.status_code == 200, answer.text
    return open_batch(answer.content, verifier())


def test_a_snapshot_holds_everyone_and_is_served_once_by_its_etag(tmp_path: Path):
    async def scenario() -> tuple[httpx.Response, httpx.Response, int]:
        async with running(tmp_path, registry=_registry()) as plane:
            first = await plane.ask("GET", "/v1/registry/snapshot", role="edge")
            again = await plane.ask(
                "GET",
                "/v1/registry/snapshot",
                role="edge",
                headers={"if-none-match": first.headers["etag"]},
            )
            return first, again, plane.control.reach.snapshots.built

    first, again, built = asyncio.run(scenario())

    snapshot = open_snapshot(first.content, verifier())
    assert [row for run in snapshot for row in run] == [(b"T-00000", b"17"), (b"T-00001", b"17")]
    assert snapshot.manifest.rev == 3
    assert "content-encoding" not in first.headers
    assert (again.status_code, again.content, built) == (304, b"", 1)


def test_a_snapshot_is_never_older_than_the_question(tmp_path: Path):
    async def scenario() -> list[int]:
        registry = _registry()
        async with running(tmp_path, registry=registry) as plane:
            revs = []
            for number in range(10, 13):
                rev = registry.commit([write_of(_tenant(number), 0)])
                await plane.until(_reached(plane, rev), "the rev")
                answer = await plane.ask("GET", "/v1/registry/snapshot", role="edge")
                revs.append(open_snapshot(answer.content, verifier()).manifest.rev - rev)
            return revs

    assert asyncio.run(scenario()) == [0, 0, 0]


def _reached(plane: Plane, rev: int) -> Any:
    async def reached() -> bool:
        return plane.control.reach.watcher.rev >= rev

    return reached


def test_an_empty_registry_says_so_and_is_ready(tmp_path: Path):
    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        async with running(tmp_path) as plane:
            return (
                await plane.ask("GET", "/v1/registry/snapshot", role="edge"),
                await plane.ask("GET", "/readyz", role=""),
            )

    snapshot, ready = asyncio.run(scenario())

    assert (snapshot.status_code, snapshot.json()["code"]) == (503, "registry_empty")
    assert snapshot.headers["retry-after"] == "1"
    assert ready.status_code == 200


def test_what_is_there_is_answered_at_once_and_nothing_is_a_sign_of_life(tmp_path: Path):
    async def scenario() -> tuple[Batch, Batch]:
        async with running(tmp_path, registry=_registry()) as plane:
            return await _changes(plane, 1, wait_s=30), await _changes(plane, 3)

    news, quiet = asyncio.run(scenario())

    assert [one.key for one in news.changes] == ["T-00000", "T-00001"]
    assert (quiet.after, quiet.rev, quiet.changes) == (3, 3, ())
    assert quiet.created_ms > 0


def test_one_change_wakes_everyone_who_waits_with_one_read(tmp_path: Path):
    registry = Counting(_registry())

    async def scenario() -> tuple[list[Batch], int]:
        async with running(tmp_path, registry=registry) as plane:
            waiting = [asyncio.create_task(_changes(plane, 3, wait_s=30)) for _ in range(200)]
            await plane.until(_waiting(plane, 200), "all of them wait")
            reads = registry.reads
            registry.commit([write_of(_tenant(9), 0)])
            async with asyncio.timeout(SEEN_S):
                return [await one for one in waiting], registry.reads - reads

    batches, reads = asyncio.run(scenario())

    assert {(one.rev, one.changes[0].key) for one in batches} == {(4, "T-00009")}
    assert reads == 1


def _waiting(plane: Plane, clients: int) -> Any:
    async def waiting() -> bool:
        return plane.control.feed.clients == clients

    return waiting


class Counting:
    """A registry that counts reads of changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.reads = 0

    def changes(self, after: int, **given: Any) -> Any:
        self.reads += 1
        return self._registry.changes(after, **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


def test_what_the_edge_is_not_told_wakes_nobody(tmp_path: Path):
    registry = _registry()

    async def scenario() -> tuple[bool, Batch]:
        async with running(tmp_path, registry=registry) as plane:
            waiting = asyncio.create_task(_changes(plane, 3, wait_s=30))
            await plane.until(_waiting(plane, 1), "it waits")
            for number in range(3):
                _audit(registry, number)
                await plane.until(_reached(plane, 4 + number), "the audit is seen")
            early = waiting.done()
            registry.commit([write_of(_tenant(9), 0)])
            async with asyncio.timeout(SEEN_S):
                return early, await waiting

    early, batch = asyncio.run(scenario())

    assert not early
    assert batch.changes == (Change(rev=7, kind="tenant", key="T-00009", value="17"),)


def test_a_timeout_answers_with_the_newest_rev_although_nothing_is_for_the_edge(tmp_path: Path):
    registry = _registry()
    _audit(registry, 1)

    async def scenario() -> Batch:
        async with running(tmp_path, registry=registry) as plane:
            return await _changes(plane, 3, wait_s=0.05)

    batch = asyncio.run(scenario())

    assert (batch.after, batch.rev, batch.changes) == (3, 4, ())


def test_more_than_a_batch_holds_comes_in_parts(tmp_path: Path):
    async def scenario() -> tuple[Batch, Batch]:
        async with running(tmp_path, registry=_registry(CHANGES_MAX + 5)) as plane:
            first = await _changes(plane, 1)
            return first, await _changes(plane, first.rev)

    first, rest = asyncio.run(scenario())

    assert (len(first.changes), len(rest.changes)) == (CHANGES_MAX, 5)
    assert first.rev == first.changes[-1].rev == rest.after


def test_groups_cells_and_tombstones_are_changes_too(tmp_path: Path):
    registry = _registry()
    registry.commit([write_of(Group(id="pilot", epoch=18), 0)])
    registry.commit([Write(kind="tenant", key="T-00000", rev=2, body=None)])

    async def scenario() -> Batch:
        async with running(tmp_path, registry=registry) as plane:
            return await _changes(plane, 0)

    changes = {(one.kind, one.key): one.value for one in asyncio.run(scenario()).changes}

    assert json.loads(changes["cell", "1"] or "")["id"] == "aws-alpha"
    assert changes["group", "pilot"] == "18"
    assert changes["tenant", "T-00000"] is None


def test_one_tenant_is_found_by_its_name_or_is_not_there(tmp_path: Path):
    async def scenario() -> tuple[httpx.Response, httpx.Response]:
        async with running(tmp_path, registry=_registry()) as plane:
            return (
                await plane.ask("GET", "/v1/registry/tenants/T-00001", role="edge"),
                await plane.ask("GET", "/v1/registry/tenants/T-404", role="edge"),
            )

    found, missing = asyncio.run(scenario())

    batch = open_batch(found.content, verifier())
    assert batch.changes == (Change(rev=3, kind="tenant", key="T-00001", value="17"),)
    assert (batch.after, batch.rev) == (2, 3)
    assert (missing.status_code, missing.json()["code"]) == (404, "tenant_not_found")


@pytest.mark.parametrize("wait_s", ["-5", "1e9", "0.0", "1"])
def test_any_wait_is_taken_as_one_within_bounds(tmp_path: Path, wait_s: str):
    async def scenario() -> int:
        async with running(tmp_path, registry=_registry()) as plane:
            path = f"/v1/registry/changes?after=1&wait_s={wait_s}"
            return (await plane.ask("GET", path, role="edge")).status_code

    assert asyncio.run(scenario()) == 200


def test_a_stop_lets_those_who_wait_go_with_what_there_is(tmp_path: Path):
    async def scenario() -> Batch:
        async with running(tmp_path, registry=_registry()) as plane:
            waiting = asyncio.create_task(_changes(plane, 3, wait_s=30))
            await plane.until(_waiting(plane, 1), "it waits")
            plane.control.drain()
            async with asyncio.timeout(SEEN_S):
                return await waiting

    assert asyncio.run(scenario()).changes == ()


def test_a_follower_that_knows_more_gets_410_and_begins_a_recovery(tmp_path: Path):
    async def scenario() -> tuple[httpx.Response, list[Any], httpx.Response, httpx.Response]:
        async with running(tmp_path, registry=_registry()) as plane:
            gone = await plane.ask("GET", "/v1/registry/changes?after=99", role="edge")
            held = await plane.until(_recovery_line(plane), "the recovery begins")
            await plane.until(_recovering(plane), "it waits for the dark cell")
            feed = await plane.ask("GET", "/v1/registry/snapshot", role="edge")
            write = await plane.ask("POST", "/v1/tenants", {"id": "T-9"})
            return gone, held, feed, write

    gone, held, feed, write = asyncio.run(scenario())

    assert (gone.status_code, gone.json()["code"], gone.json()["rev"]) == (410, "changes_gone", 3)
    assert held[0]["ahead"] == 99
    assert (feed.status_code, feed.json()["code"]) == (503, "recovering")
    assert (write.status_code, write.json()["code"]) == (503, "recovering")


def _recovery_line(plane: Plane) -> Any:
    async def line() -> list[Any]:
        return plane.lines("recovery_begins")

    return line


def _recovering(plane: Plane) -> Any:
    async def recovering() -> bool:
        return plane.control.work.recoveries.running

    return recovering


def test_a_snapshot_s_cells_are_one_an_ordinal_and_the_rows_what_the_edge_is_told():
    registry = _registry()
    again = Cell(
        id="aws-two", ordinal=1, cloud="aws", region="local", base_url="https://aws-two.example"
    )
    registry.commit([write_of(again, 0)])

    built = build_snapshot(registry, signer(), 5)

    manifest = open_snapshot(built.data, verifier()).manifest
    assert [cell.id for cell in manifest.cells] == ["aws-two"]
    assert (built.rev, manifest.rev, manifest.created_ms, built.tenants) == (4, 4, 5, 2)


def test_another_key_s_signature_is_not_the_registry_s():
    built = build_snapshot(_registry(), signer("registry-2"), 5)

    with pytest.raises(RegistryRefused, match="registry_key_unknown"):
        open_snapshot(built.data, verifier())
