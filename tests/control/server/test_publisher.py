"""The loop that keeps a target current: at a change, not too often, whatever the target does."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.codec import write_of
from cell_control.domain.records import Group
from cell_control.domain.recovery import JUMP
from cell_control.errors import Unavailable
from cell_control.server.config import Loops, Publish
from cell_control.server.publishers import Publisher, Sources
from cell_control.service.publishing import Published, put_newer
from cell_core.wire.registry_changes import Batch
from tests.control.server.plane import QUICK, Plane, ready, running
from tests.core.registering import signer


class Shelf:
    """A target in memory that a test lets fail; `kind` says what it takes."""

    def __init__(self, kind: str = "plain") -> None:
        self.kind = kind
        self.snapshots: list[int] = []
        self.batches: list[Batch] = []
        self.fails = ""
        self.whole = kind == "whole"
        self.changed = asyncio.Event()

    @property
    def feed(self) -> "Shelf | None":
        return None if self.kind == "plain" else self

    def rev(self) -> int:
        return self.snapshots[-1] if self.snapshots else -1

    def after(self) -> int:
        if self.whole or not self.batches:
            return self.rev()
        return self.batches[-1].rev

    def put_snapshot(self, rev: int, data: bytes) -> bool:
        if self.fails:
            raise Unavailable(self.fails)
        if self.rev() >= rev:
            return False
        self.snapshots.append(rev)
        return True

    def put_changes(self, batch: Batch, data: bytes, fresh_after: int, seal: Any) -> None:
        if self.fails:
            raise Unavailable(self.fails)
        self.batches.append(batch)

    def close(self) -> None:
        pass


def _put(registry: MemoryRegistry, count: int) -> int:
    names = [f"g-{registry.rev() + n}" for n in range(count)]
    return registry.commit([write_of(Group(id=name, epoch=1), 0) for name in names])


def _publisher(plane: Plane, shelf: Shelf, snapshot_s: float = 3600.0) -> Publisher:
    reach = plane.control.reach
    sources = Sources(
        threads=reach.threads,
        watcher=reach.watcher,
        snapshots=reach.snapshots,
        signer=signer(),
        now_ms=lambda: 5,
    )
    return Publisher(
        "shelf",
        shelf,
        sources,
        plane.control._given.machine.log,
        every_s=0.0,
        snapshot_s=snapshot_s,
        on_result=lambda _name, _result: None,
    )


def _scenario(
    tmp_path: Path, kind: str, act: Callable[[Publisher, Shelf, MemoryRegistry, Plane], Any]
) -> Any:
    async def run() -> Any:
        registry = MemoryRegistry()
        _put(registry, 2)
        async with running(tmp_path, registry=registry) as plane:
            await plane.until(_at(plane, 2), "the first rev")
            shelf = Shelf(kind)
            return await act(_publisher(plane, shelf), shelf, registry, plane)

    return asyncio.run(run())


def _at(plane: Plane, rev: int) -> Any:
    async def at() -> bool:
        return plane.control.reach.watcher.rev >= rev

    return at


def test_a_target_without_a_feed_gets_a_snapshot_and_each_rev_once(tmp_path: Path):
    async def act(
        publisher: Publisher, shelf: Shelf, registry: MemoryRegistry, plane: Plane
    ) -> list[int]:
        await publisher.publish()
        await publisher.publish()
        rev = _put(registry, 1)
        await plane.until(_at(plane, rev), "the next rev")
        await publisher.publish()
        return shelf.snapshots

    assert _scenario(tmp_path, "plain", act) == [2, 3]


@pytest.mark.parametrize(
    ("kind", "expected"), [("stream", [(2, 3), (3, 4)]), ("whole", [(2, 3), (2, 4)])]
)
def test_a_target_with_a_feed_gets_changes_that_fit_what_it_holds(
    tmp_path: Path, kind: str, expected: list[tuple[int, int]]
):
    async def act(
        publisher: Publisher, shelf: Shelf, registry: MemoryRegistry, plane: Plane
    ) -> tuple[list[int], list[tuple[int, int]]]:
        await publisher.publish()
        for _ in range(2):
            rev = _put(registry, 1)
            await plane.until(_at(plane, rev), "the next rev")
            await publisher.publish()
        return shelf.snapshots, [(one.after, one.rev) for one in shelf.batches]

    assert _scenario(tmp_path, kind, act) == ([2], expected)


def test_more_changes_than_fit_since_the_head_are_a_new_head(tmp_path: Path):
    async def act(
        publisher: Publisher, shelf: Shelf, registry: MemoryRegistry, plane: Plane
    ) -> tuple[list[int], int]:
        await publisher.publish()
        rev = 0
        for _ in range(2):
            rev = _put(registry, 600)
        await plane.until(_at(plane, rev), "the last rev")
        await publisher.publish()
        return shelf.snapshots, len(shelf.batches)

    assert _scenario(tmp_path, "whole", act) == ([2, 1202], 0)


def test_a_target_that_fails_is_said_once_and_well_again_once(tmp_path: Path):
    async def act(
        publisher: Publisher, shelf: Shelf, registry: MemoryRegistry, plane: Plane
    ) -> tuple[list[bool], list[Any]]:
        shelf.fails = "target_denied"
        results = [await publisher.publish() for _ in range(3)]
        shelf.fails = ""
        results.append(await publisher.publish())
        return results, [line["error"] for line in plane.lines("publishing")]

    assert _scenario(tmp_path, "plain", act) == (
        [False, False, False, True],
        ["target_denied", None],
    )


def test_a_target_that_is_ahead_is_left_alone_and_said(tmp_path: Path):
    async def act(
        publisher: Publisher, shelf: Shelf, registry: MemoryRegistry, plane: Plane
    ) -> tuple[bool, list[int], list[Any]]:
        shelf.snapshots.append(99)
        done = await publisher.publish()
        return done, shelf.snapshots, [line["error"] for line in plane.lines("publishing")]

    assert _scenario(tmp_path, "plain", act) == (False, [99], ["target_ahead"])


@pytest.mark.parametrize(("known", "is_ahead"), [(2, True), (9, False)])
def test_a_target_is_ahead_only_of_what_the_registry_holds_by_now(known: int, *, is_ahead: bool):
    shelf, made = Shelf(), Published(rev=2, created_ms=0, tenants=0, data=b"")
    shelf.snapshots.append(9)  # As another process has put it meanwhile, or a lost past.

    with pytest.raises(Unavailable, match="target_ahead") if is_ahead else nullcontext():
        assert not put_newer(shelf, made, lambda: known)
    assert shelf.snapshots == [9]


def test_a_target_that_was_ahead_is_published_to_after_a_recovery_that_an_operator_began(
    tmp_path: Path,
):
    registry, shelf = MemoryRegistry(), Shelf()
    _put(registry, 2)
    shelf.snapshots.append(99)

    async def run() -> tuple[bool, bool, bool]:
        async with running(tmp_path, registry=registry, loops=QUICK) as plane:
            await plane.until(_at(plane, 2), "the first rev")
            publisher = _publisher(plane, shelf)
            before = await publisher.publish()
            asked = await plane.ok("POST", "/v1/recovery", {"reason": "set back"})
            await plane.until(ready(plane.control), "the recovery is over")
            await plane.until(_at(plane, registry.rev()), "the last rev")
            return before, asked["running"], await publisher.publish()

    assert asyncio.run(run()) == (False, True, True)
    assert shelf.snapshots[-1] > JUMP


def test_an_empty_registry_is_nothing_to_publish(tmp_path: Path):
    async def run() -> tuple[bool, list[int]]:
        async with running(tmp_path) as plane:
            shelf = Shelf()
            return await _publisher(plane, shelf).publish(), shelf.snapshots

    assert asyncio.run(run()) == (True, [])


def test_a_running_plane_publishes_after_its_start_and_at_a_change(tmp_path: Path):
    async def run() -> list[int]:
        registry, shelf = MemoryRegistry(), Shelf()
        _put(registry, 2)
        settings = Publish(name="shelf", url="file:///unused", every_s=0.05)
        given: Any = {"targets": [(settings, shelf)], "loops": Loops(sweep_s=1.0)}
        async with running(tmp_path, registry=registry, **given) as plane:
            await plane.until(_holds(shelf, 2), "the first")
            _put(registry, 1)
            await plane.until(_holds(shelf, 3), "the change")
            await plane.until(_came_to(plane, "ok"), "it is said")
            shelf.fails = "target_denied"
            _put(registry, 1)
            await plane.until(_came_to(plane, "target_denied"), "the failure is said")
            return shelf.snapshots

    assert asyncio.run(run()) == [2, 3]


def _came_to(plane: Plane, result: str) -> Any:
    async def came_to() -> bool:
        status = await plane.ok("GET", "/v1/status")
        return bool(status["targets"] == {"shelf": result})

    return came_to


def _holds(shelf: Shelf, rev: int) -> Any:
    async def holds() -> bool:
        return shelf.rev() == rev

    return holds
