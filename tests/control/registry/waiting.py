"""What `Registry.wait` promises: it wakes for a commit, whoever made it, and never for nothing."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cell_control.ports import Registry
from tests.contract.contract import Contract
from tests.control.registry.samples import FullRegistry, OnOneBackend, OpenRegistry, put

_LONG_S = 30.0


class WaitPromises(OnOneBackend, Contract):
    """Promises to who waits."""

    def test_a_rev_that_was_reached_is_not_waited_for(self, registry: FullRegistry) -> None:
        registry.commit([put("a"), put("b")])

        assert registry.wait(0, _LONG_S) == 2
        assert registry.wait(1, _LONG_S) == 2

    @pytest.mark.parametrize("timeout_s", [0.0, 0.01])
    def test_a_wait_ends_with_its_time(self, registry: FullRegistry, timeout_s: float) -> None:
        registry.commit([put("a")])

        assert registry.wait(1, timeout_s) == 1

    def test_a_wait_that_has_no_time_still_tells_of_another_s_commit(
        self, open_registry: OpenRegistry
    ) -> None:
        open_registry().commit([put("a")])

        assert open_registry().wait(0, 0.0) == 1

    def test_a_commit_wakes_all_who_wait_on_the_same_registry(self, registry: FullRegistry) -> None:
        assert _woken(registry, registry, waiters=5) == {1}

    def test_another_registry_s_commit_wakes_who_waits(self, open_registry: OpenRegistry) -> None:
        assert _woken(open_registry(), open_registry(), waiters=3) == {1}

    def test_closing_a_registry_lets_who_waits_go(self, open_registry: OpenRegistry) -> None:
        registry = open_registry()
        began_s = time.monotonic()

        with ThreadPoolExecutor(2) as threads:
            waits = [threads.submit(registry.wait, 0, _LONG_S) for _ in range(2)]
            registry.close()

        assert [wait.result() for wait in waits] == [0, 0]
        assert time.monotonic() - began_s < _LONG_S / 2


def _woken(waited_on: Registry, written_to: Registry, *, waiters: int) -> set[int]:
    """Return what waits returned that began before a commit; fail if they did not wake."""
    began = threading.Barrier(waiters + 1, timeout=_LONG_S)

    def wait() -> int:
        began.wait()
        return waited_on.wait(0, _LONG_S)

    began_s = time.monotonic()
    with ThreadPoolExecutor(waiters) as threads:
        waits = [threads.submit(wait) for _ in range(waiters)]
        began.wait()
        written_to.commit([put("a")])
        woken = {one.result() for one in waits}
    assert time.monotonic() - began_s < _LONG_S / 2
    return woken
