"""The shell performs what flows ask, throws what the registry raises, and drops what is stopped."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cell_control.adapters.registry_memory import MemoryRegistry
from cell_control.codec import write_of
from cell_control.domain.records import Group
from cell_control.flows.effects import (
    Ask,
    Commit,
    Flow,
    Get,
    ListRecords,
    NoAnswer,
    Pause,
    Together,
)
from cell_control.ports import Key, RegistryConflict, RegistryUnavailable, Write
from cell_control.server.runtime import TOGETHER_MAX
from tests.control.server.plane import CellsTransport, running

GROUP = Group(id="pilot", epoch=18)
ASK = Ask(cell="aws-alpha", method="GET", path="/T-1")


def _run(tmp_path: Path, flow: Flow[Any], registry: Any = None, **given: Any) -> Any:
    async def run() -> Any:
        async with running(tmp_path, registry=registry or MemoryRegistry()) as plane:
            return await plane.control.reach.runtime.run(flow, **given)

    return asyncio.run(run())


def test_each_effect_of_the_registry_gives_its_result(tmp_path: Path):
    def flow() -> Flow[Any]:
        rev = yield Commit((write_of(GROUP, 0),))
        got = yield Get((Key(kind="group", key="pilot"), Key(kind="group", key="none")))
        listed = yield ListRecords(kind="group", limit=5)
        yield Pause(0)
        return rev, [r and r.key for r in got], [r.key for r in listed]

    assert _run(tmp_path, flow()) == (1, ["pilot", None], ["pilot"])


def test_a_conflict_is_thrown_into_the_flow_where_it_asked(tmp_path: Path):
    def flow() -> Flow[str]:
        yield Commit((write_of(GROUP, 0),))
        try:
            yield Commit((write_of(GROUP, 0),))
        except RegistryConflict as lost:
            yield Pause(0)
            return lost.key
        return "won"

    assert _run(tmp_path, flow()) == "pilot"


class Down:
    """A registry that cannot be read."""

    def __init__(self) -> None:
        self._inner = MemoryRegistry()
        self.down = False

    def get(self, keys: Sequence[Key]) -> Any:
        if any(key.kind == "group" for key in keys):
            raise RegistryUnavailable
        return self._inner.get(keys)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_what_a_flow_does_not_catch_comes_out(tmp_path: Path):
    def flow() -> Flow[None]:
        yield Get((Key(kind="group", key="pilot"),))

    with pytest.raises(RegistryUnavailable):
        _run(tmp_path, flow(), registry=Down())


def test_requests_together_answer_in_their_order(tmp_path: Path):
    def flow() -> Flow[Any]:
        other = Ask(cell="nobody", method="GET", path="/T-1")
        return (yield Together((ASK, other, ASK)))

    async def run() -> Any:
        transport = CellsTransport()
        async with running(tmp_path, transport=transport) as plane:
            await plane.declare(1)
            return await plane.control.reach.runtime.run(flow())

    first, second, third = asyncio.run(run())

    assert (first.status, first.code) == (404, "tenant_not_found")
    assert second == NoAnswer(reason="unknown_cell")
    assert third == first


def test_more_requests_together_than_may_are_a_bug(tmp_path: Path):
    def flow() -> Flow[Any]:
        return (yield Together((ASK,) * (TOGETHER_MAX + 1)))

    with pytest.raises(ValueError, match="at most 64"):
        _run(tmp_path, flow())


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_flow_may_compute_in_a_thread_of_its_own(
    tmp_path: Path,
    in_thread: bool,  # noqa: FBT001 - a parameter of the test
):
    def flow() -> Flow[int]:
        rev = yield Commit((write_of(GROUP, 0),))
        return int(rev) + 1

    assert _run(tmp_path, flow(), in_thread=in_thread) == 2


def test_a_flow_that_is_cancelled_is_closed_where_it_stands(tmp_path: Path):
    ended: list[str] = []

    def flow() -> Flow[None]:
        try:
            yield Pause(3_600_000)
        finally:
            ended.append("closed")

    async def run() -> None:
        async with running(tmp_path) as plane:
            task = asyncio.create_task(plane.control.reach.runtime.run(flow()))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})

    asyncio.run(run())

    assert ended == ["closed"]


def test_a_write_of_the_registry_is_one_commit(tmp_path: Path):
    writes = (write_of(GROUP, 0), Write(kind="group", key="gone", rev=7, body=None))

    def flow() -> Flow[None]:
        yield Commit(writes)

    registry = MemoryRegistry()
    with pytest.raises(RegistryConflict):
        _run(tmp_path, flow(), registry=registry)
    assert registry.rev() == 0
