"""A store connects when it must, gives up in time, and comes back by itself."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cell_adapters_azure.documents import fence_item
from cell_adapters_azure.store import CosmosCellStore
from cell_core.domain.errors import (
    BackendError,
    Unavailable,
)
from cell_devstack.cosmos import CosmosGateway, serve
from tests.adapters_azure.wire import LocalCosmos, Wire
from tests.contract.samples import FENCE, log, stand, step

BOUND_S = 1.0
SLACK_S = 3.0  # The machine that runs the tests may be busy.
PROMPT = {"CELL_STORE_CONNECT_TIMEOUT_S": 0.5, "CELL_STORE_READ_TIMEOUT_S": 0.8}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        return closing.getsockname()[1]


def test_nothing_is_asked_before_the_first_call():
    asked: list[str] = []

    def connect():
        asked.append("connect")
        raise Unavailable

    store = CosmosCellStore(connect)
    assert asked == []
    with pytest.raises(Unavailable):
        store.ping()
    assert asked == ["connect"]


def test_a_store_whose_database_is_down_says_so_soon_and_serves_once_it_is_up(partition):
    port = free_port()
    with CosmosGateway() as gateway:
        wire = Wire(gateway)
        down = LocalCosmos(wire, f"http://127.0.0.1:{port}/")
        store = down.open_store(**PROMPT)
        for call in (lambda: store.read(partition, []), lambda: stand(store, partition)):
            began_s = time.perf_counter()
            with pytest.raises(Unavailable):
                call()
            assert time.perf_counter() - began_s < BOUND_S + SLACK_S

        with serve(wire, port) as server:
            down.create()
            assert server.url == down.url
            stand(store, partition)
            assert store.read(partition, []).fence == FENCE


def test_a_store_outlives_a_restart_of_its_database(partition):
    with CosmosGateway() as gateway:
        wire = Wire(gateway)
        with serve(wire) as server:
            here = LocalCosmos(wire, server.url)
            here.create()
            store = here.open_store()
            stand(store, partition)
        port = int(here.url.rstrip("/").rpartition(":")[2])

        began_s = time.perf_counter()
        with pytest.raises(Unavailable):
            store.read(partition, [])
        with pytest.raises(BackendError):
            store.commit(step(partition, 1, log(1)))
        assert time.perf_counter() - began_s < 2 * BOUND_S + SLACK_S

        with serve(wire, port):
            store.commit(step(partition, 1, log(1)))
            assert store.read(partition, []).fence.seq == 1


def test_a_database_that_takes_connections_and_is_silent_is_given_up_in_time(partition):
    with socket.create_server(("127.0.0.1", 0), backlog=50) as deaf:
        store = LocalCosmos(None, f"http://127.0.0.1:{deaf.getsockname()[1]}/").open_store(**PROMPT)
        began_s = time.perf_counter()

        with pytest.raises(Unavailable):
            store.read(partition, [])

        assert time.perf_counter() - began_s < BOUND_S + SLACK_S


def test_callers_that_waited_for_a_connection_share_its_failure():
    attempts: list[threading.Event] = []
    entered = threading.Event()

    def connect():
        attempts.append(threading.Event())
        entered.set()
        attempts[0].wait(10)
        raise Unavailable

    store = CosmosCellStore(connect)
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(store.ping)]
        assert entered.wait(5)
        calls += [pool.submit(store.ping) for _ in range(4)]
        while not all(call.running() for call in calls):
            time.sleep(0.001)
        attempts[0].set()
        errors = [type(call.exception(5)) for call in calls]

    assert errors == [Unavailable] * 5
    # One that was slow to reach the queue may have been the first of another attempt.
    assert len(attempts) < 5


def test_callers_do_not_wait_for_ever_behind_an_attempt_to_connect():
    stuck, entered = threading.Event(), threading.Event()

    def connect():
        entered.set()
        stuck.wait(10)
        raise Unavailable

    store = CosmosCellStore(connect)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.ping)
        assert entered.wait(5)
        began_s = time.perf_counter()
        with pytest.raises(Unavailable):
            store.ping()
        waited_s = time.perf_counter() - began_s
        stuck.set()
        assert type(first.exception(5)) is Unavailable

    assert waited_s < BOUND_S + SLACK_S


def test_a_wrong_key_is_no_outage(cosmos):
    settings = cosmos.settings(CELL_COSMOS_KEY="d3Jvbmc=")

    with pytest.raises(BackendError) as refused:
        CosmosCellStore(lambda: cosmos.connect(settings)).ping()

    assert type(refused.value) is BackendError


def test_no_client_is_used_by_two_threads_at_once_and_each_is_used_again(partition):
    made: list[object] = []

    class Exclusive:
        def __init__(self) -> None:
            self.busy = threading.Lock()
            made.append(self)

        def read_item(self, item: str, partition_key: str) -> dict[str, object]:
            assert self.busy.acquire(blocking=False)
            time.sleep(0.001)
            self.busy.release()
            return fence_item(partition_key, FENCE)

    store = CosmosCellStore(Exclusive)
    with ThreadPoolExecutor(4) as pool:
        for call in [pool.submit(store.ping) for _ in range(100)]:
            call.result(10)

    assert 1 <= len(made) <= 4
