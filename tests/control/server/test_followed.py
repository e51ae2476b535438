"""The router's own source and loop against the real server: snapshot, changes, find, a restart."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cell_control.adapters.registry_memory import MemoryRecords, MemoryRegistry
from cell_control.codec import write_of
from cell_control.domain.records import Cell, Tenant
from cell_control.domain.recovery import JUMP
from cell_router.ports import SourceGone, SourceUnavailable
from cell_router.sources.backoff import Patience
from cell_router.sources.http import HttpSource
from cell_router.sources.sync import RegistrySync
from cell_router.stores.memory import MemoryStore
from tests.control.server.plane import QUICK, SEEN_S, token
from tests.control.server.serving_plane import served
from tests.core.registering import verifier

CELL = Cell(
    id="aws-alpha", ordinal=1, cloud="aws", region="local", base_url="https://aws-alpha.example"
)


class Router:
    """What a router does with its registry, a step at a time."""

    def __init__(self, url: str, folder: Path, role: str = "edge") -> None:
        credential = folder / "credential"
        credential.write_text(token(role))
        self.store = MemoryStore()
        self.source = HttpSource(url, credential_file=credential)
        self.sync = RegistrySync(
            self.store,
            self.source,
            verifier(),
            draw=lambda: 0.0,
            patience=Patience(wait_s=SEEN_S),
        )

    def step(self) -> str:
        self.sync.step(1)
        return self.sync.status().error

    def row(self, tenant: str) -> bytes | None:
        return self.store.get(f"t:{tenant}".encode())


def _put(registry: MemoryRegistry, tenant: str, epoch: int, rev: int = 0) -> int:
    return registry.commit(
        [write_of(Tenant(id=tenant, epoch=epoch, home="aws-alpha", settled=True), rev)]
    )


def _started(records: MemoryRecords) -> MemoryRegistry:
    registry = MemoryRegistry(records)
    registry.commit([write_of(CELL, 0)])
    _put(registry, "T-1", 17)
    return registry


def _in_thread(ask: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    return thread, answers


def test_a_router_follows_across_a_restart_of_the_control_plane(tmp_path: Path):
    records = MemoryRecords()
    with served(tmp_path, _started(records)) as plane:
        router = Router(plane.url, tmp_path)
        assert router.step() == ""
        assert router.row("T-1") == b"17"

        waiting, errors = _in_thread(router.step)
        registry = MemoryRegistry(records)
        registry.commit(
            [write_of(Tenant(id="T-1", epoch=33, home="aws-alpha"), 2), write_of(CELL, 1)]
        )
        waiting.join(SEEN_S)
        assert (errors, router.row("T-1")) == ([""], b"33")
        port = plane.log.port

    assert router.step() == "source_unreachable"
    assert router.row("T-1") == b"33"

    with served(tmp_path, MemoryRegistry(records), port=port):
        _put(MemoryRegistry(records), "T-2", 17)
        assert router.step() == ""
        assert router.row("T-2") == b"17"


def test_a_router_finds_a_tenant_that_it_was_not_told_of_yet(tmp_path: Path):
    with served(tmp_path, _started(MemoryRecords())) as plane:
        router = Router(plane.url, tmp_path)

        assert router.sync.find("T-1")
        assert not router.sync.find("T-404")
        assert router.row("T-1") == b"17"


@pytest.mark.parametrize("role", ["cell", ""])
def test_a_token_of_another_role_is_a_source_that_denies(tmp_path: Path, role: str):
    with served(tmp_path, _started(MemoryRecords())) as plane:
        router = Router(plane.url, tmp_path, role=role or "nobody-has-this")

        with pytest.raises(SourceUnavailable, match="source_denied"):
            router.source.snapshot(-1)


def test_a_router_that_holds_more_keeps_it_and_says_so(tmp_path: Path):
    with served(tmp_path, _started(MemoryRecords())) as plane:
        router = Router(plane.url, tmp_path)

        with pytest.raises(SourceGone):
            router.source.changes(99, 0.0)


def test_a_router_follows_a_registry_that_was_put_back_as_an_older_copy(tmp_path: Path):
    records = MemoryRecords()
    with served(tmp_path, _started(records)) as plane:
        copy = _copied(records)
        lost = _put(MemoryRegistry(records), "T-lost", 17)
        lost = _put(MemoryRegistry(records), "T-lost", 33, lost)
        router = Router(plane.url, tmp_path)
        assert router.step() == ""
        assert router.sync.status().rev == lost
        port = plane.log.port
    # At a rev that the router has had already.
    assert _put(MemoryRegistry(copy), "T-new", 17) < lost

    with served(tmp_path, MemoryRegistry(copy), port=port, loops=QUICK):
        errors = _stepped_until(router, lambda: router.row("T-new") == b"17")
        _put(MemoryRegistry(copy), "T-later", 17)
        later = _stepped_until(router, lambda: router.row("T-later") == b"17")

    assert set(errors) <= {"", "source_status", "registry_rolled_back", "feed_gone"}
    assert set(later) == {""}
    assert router.row("T-lost") is None
    assert router.sync.status().rev > lost + JUMP


def _copied(records: MemoryRecords) -> MemoryRecords:
    copy = MemoryRecords()
    for record in list(records.records.values()):
        copy.put(record)
    return copy


def _stepped_until(router: Router, holds: Callable[[], bool]) -> list[str]:
    """Return the error of each step until something holds."""
    errors: list[str] = []
    until_s = time.monotonic() + SEEN_S
    while not holds():
        assert time.monotonic() < until_s, errors[-9:]
        errors.append(router.step())
    return errors


def test_a_stop_lets_a_waiting_router_go_and_ends_in_order(tmp_path: Path):
    with served(tmp_path, _started(MemoryRecords())) as plane:
        router = Router(plane.url, tmp_path)
        assert router.step() == ""
        waiting, errors = _in_thread(router.step)

    waiting.join(SEEN_S)
    assert not waiting.is_alive()
    # An empty batch, a refusal that it is stopping, or a connection that ends: none is an old rev.
    assert errors[0] in ("", "source_status", "source_unreachable")
    assert plane.log.getvalue().splitlines()[-1].count('"event":"stopped"') == 1
