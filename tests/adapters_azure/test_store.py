"""What only the Cosmos store can get wrong: requests on the wire, time, and the SDK's retries."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from cell_adapters_azure.store import CosmosCellStore
from cell_core.domain.documents import (
    Advance,
    Batch,
    Create,
    Delete,
    Document,
    Put,
    Remove,
)
from cell_core.domain.errors import (
    BackendError,
    CellError,
    Fenced,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)
from cell_core.domain.fence import Fence, Guard, Role
from cell_devstack.cosmos import CosmosGateway, serve
from cell_devstack.cosmos.errors import ConnectionCut, CosmosError
from cell_devstack.cosmos.exchange import Request, Response
from tests.adapters_azure.wire import LocalCosmos, Wire, local_cosmos
from tests.contract.samples import EPOCH, FENCE, GUARD, document, log, new_partition, stand, step

BOUND_S = 1.0
HASTE_S = 0.2
SLACK_S = 0.5  # The machine that runs the tests may be busy.


@pytest.fixture(scope="module")
def cosmos() -> Iterator[LocalCosmos]:
    with local_cosmos(partitions=4) as cosmos:
        yield cosmos


@pytest.fixture(scope="module")
def connected(cosmos: LocalCosmos) -> CosmosCellStore:
    store = cosmos.open_store()
    store.ping()
    return store


@pytest.fixture
def store(connected: CosmosCellStore, cosmos: LocalCosmos) -> Iterator[CosmosCellStore]:
    cosmos.wire.seen.clear()
    yield connected
    cosmos.wire.disturbance = None


@pytest.fixture(scope="module")
def hasty(cosmos: LocalCosmos) -> CosmosCellStore:
    """Return a store with a read timeout that a test can wait for."""
    settings = cosmos.settings(CELL_STORE_READ_TIMEOUT_S=HASTE_S)
    store = CosmosCellStore(lambda: cosmos.connect(settings))
    store.ping()
    return store


@pytest.fixture
def partition() -> str:
    return new_partition()


def standing(store: CosmosCellStore, cosmos: LocalCosmos, partition: str) -> None:
    stand(store, partition, document("ENT:a:b:c"))
    cosmos.wire.seen.clear()


def always(status: int, sub_status: int | None = None, **headers: str):
    def answer(_request: Request, _serve: object) -> Response:
        raise CosmosError(status, "as told", sub_status=sub_status, headers=headers)

    return answer


def says(text: str, status: int = 200):
    return lambda _request, _serve: Response(status=status, text=text)


def cut(_request: Request, _serve: object) -> Response:
    raise ConnectionCut


# ── One round trip ────────────────────────────────────────────────────────────────────────────


def test_a_commit_is_one_request(store, cosmos, partition):
    standing(store, cosmos, partition)
    read = store.read(partition, ["ENT:a:b:c"]).documents["ENT:a:b:c"]
    cosmos.wire.seen.clear()

    store.commit(step(partition, 1, log(1), Put(document(read.key, 2), read)))

    assert cosmos.wire.seen == ["POST docs"]


@pytest.mark.parametrize("keys", [["ENT:a:b:c"], [f"ENT:a:b:{n}" for n in range(100)]])
def test_a_read_of_documents_is_one_request(store, cosmos, partition, keys):
    standing(store, cosmos, partition)

    store.read(partition, keys)

    assert cosmos.wire.seen == ["POST docs"]


def test_a_read_of_the_fence_alone_is_one_point_read(store, cosmos, partition):
    standing(store, cosmos, partition)

    assert store.read(partition, []).fence == FENCE

    assert cosmos.wire.seen == ["GET FENCE"]


def test_a_page_is_one_request_however_many_follow(store, cosmos, partition):
    stand(store, partition, *(log(seq).document for seq in range(1, 30)))
    cosmos.wire.seen.clear()

    page = store.page(partition, "LOG:", after=None, limit=7)

    assert len(page.documents) == 7
    assert page.after == page.documents[-1].key
    assert cosmos.wire.seen == ["POST docs"]


def test_a_refused_commit_costs_one_point_read_more(store, cosmos, partition):
    standing(store, cosmos, partition)

    with pytest.raises(LostRace):
        store.commit(step(partition, 7, log(7)))

    assert cosmos.wire.seen == ["POST docs", "GET FENCE"]


def test_a_ping_is_one_request(store, cosmos):
    store.ping()

    assert cosmos.wire.seen == ["GET FENCE"]


def test_an_empty_commit_asks_nobody(store, cosmos, partition):
    store.commit(Batch(partition=partition, fence=None))

    assert cosmos.wire.seen == []


# ── No retries ────────────────────────────────────────────────────────────────────────────────

FAULTS = {
    "cut": (cut, OutcomeUnknown),
    "408": (always(408), OutcomeUnknown),
    "410": (always(410), OutcomeUnknown),
    "429": (always(429, 3200, **{"x-ms-retry-after-ms": "5"}), Throttled),
    "449": (always(449), LostRace),
    "500": (always(500), OutcomeUnknown),
    "502": (always(502), OutcomeUnknown),
    "503": (always(503), OutcomeUnknown),
    "504": (always(504), OutcomeUnknown),
    "401": (always(401), BackendError),
    "403, write region moved": (always(403, 3), Unavailable),
    "403, account moved": (always(403, 1008), Unavailable),
    "404, no session": (always(404, 1002), BackendError),
    "404, no container": (always(404, 1003), BackendError),
    "413": (always(413), BackendError),
    "an empty body": (says(""), OutcomeUnknown),
    "half a body": (says('[{"statusCode":2'), OutcomeUnknown),
    "HTML": (says("<html></html>"), OutcomeUnknown),
    "null": (says("null"), OutcomeUnknown),
    "an empty list": (says("[]"), OutcomeUnknown),
    "an object": (says("{}"), OutcomeUnknown),
    "one result of two": (says('[{"statusCode":200}]'), OutcomeUnknown),
    "results without a status": (says("[{},{}]"), OutcomeUnknown),
    "a status that is no number": (says('[{"statusCode":"x"}]'), OutcomeUnknown),
}
each_fault = pytest.mark.parametrize(("fault", "error"), FAULTS.values(), ids=FAULTS)


@each_fault
def test_a_commit_in_trouble_is_sent_once_and_told_honestly(store, cosmos, partition, fault, error):
    standing(store, cosmos, partition)
    cosmos.wire.disturbance = fault

    with pytest.raises(CellError) as raised:
        store.commit(step(partition, 1, log(1)))

    assert type(raised.value) is error
    assert cosmos.wire.seen == ["POST docs"]


@each_fault
@pytest.mark.parametrize("keys", [[], ["ENT:a:b:c"]], ids=["fence", "documents"])
def test_a_read_in_trouble_is_sent_once_and_never_unknown(
    store, cosmos, partition, keys, fault, error
):
    standing(store, cosmos, partition)
    cosmos.wire.disturbance = fault

    with pytest.raises(BackendError) as raised:
        store.read(partition, keys)

    assert type(raised.value) is {OutcomeUnknown: Unavailable, LostRace: Unavailable}.get(
        error, error
    )
    assert len(cosmos.wire.seen) == 1


def test_a_read_that_goes_on_for_ever_is_given_up(store, cosmos, partition):
    def endless(_request: Request, _serve: object) -> Response:
        text = json.dumps({"_rid": "", "Documents": [], "_count": 0})
        return Response(status=200, text=text, headers={"x-ms-continuation": "more"})

    cosmos.wire.disturbance = endless

    with pytest.raises(Unavailable):
        store.read(partition, ["k"])

    assert len(cosmos.wire.seen) < 50


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda store, partition: store.commit(step(partition, 1, log(1))), OutcomeUnknown),
        (lambda store, partition: store.read(partition, []), Unavailable),
        (lambda store, partition: store.read(partition, ["k"]), Unavailable),
        (lambda store, _partition: store.ping(), Unavailable),
    ],
    ids=["commit", "read of the fence", "read", "ping"],
)
def test_silence_is_given_up_after_the_read_timeout(store, hasty, cosmos, partition, call, error):
    hush = threading.Event()

    def silent(_request: Request, _serve: object) -> Response:
        hush.wait(5)
        raise ConnectionCut

    cosmos.wire.disturbance = silent
    began_s = time.perf_counter()

    with pytest.raises(error):
        call(hasty, partition)

    hush.set()
    assert time.perf_counter() - began_s < HASTE_S + SLACK_S
    assert len(cosmos.wire.seen) == 1


# ── What a refusal means ──────────────────────────────────────────────────────────────────────


def test_a_fence_that_admits_the_guard_again_is_a_lost_race(store, cosmos, partition):
    standing(store, cosmos, partition)

    def moved_back(request: Request, serve) -> Response:
        if request.verb == "POST":
            refused = json.dumps([{"statusCode": 412}, {"statusCode": 424}])
            return Response(status=207, text=refused)
        return serve(request)

    cosmos.wire.disturbance = moved_back

    with pytest.raises(LostRace) as lost:
        store.commit(step(partition, 1, log(1)))

    assert lost.value.fields["fence"]["seq"] == 0


def test_a_refusal_whose_reason_cannot_be_read_is_unavailable(store, cosmos, partition):
    standing(store, cosmos, partition)

    def blind(request: Request, serve) -> Response:
        return serve(request) if request.verb == "POST" else cut(request, serve)

    cosmos.wire.disturbance = blind

    with pytest.raises(Unavailable):
        store.commit(step(partition, 7, log(7)))


@pytest.mark.parametrize("index", [1, 2])
@pytest.mark.parametrize("status", [404, 409, 412])
def test_a_refused_document_is_a_lost_race_without_another_request(
    store, cosmos, partition, status, index
):
    results = [{"statusCode": status if n == index else 424} for n in range(3)]
    cosmos.wire.disturbance = says(json.dumps(results), 207)

    with pytest.raises(LostRace):
        store.commit(step(partition, 1, log(1), log(2)))

    assert cosmos.wire.seen == ["POST docs"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BackendError),
        (413, BackendError),
        (429, Throttled),
        (449, LostRace),
        (408, OutcomeUnknown),
        (500, OutcomeUnknown),
        (503, OutcomeUnknown),
    ],
)
def test_an_operation_in_trouble_is_told_like_a_request_in_trouble(
    store, cosmos, partition, status, error
):
    results = [{"statusCode": 424}, {"statusCode": status}]
    cosmos.wire.disturbance = says(json.dumps(results), 207)

    with pytest.raises(CellError) as raised:
        store.commit(step(partition, 1, log(1)))

    assert type(raised.value) is error


def test_a_remove_is_refused_as_one(store, partition):
    stand(store, partition, fence=Fence(role=Role.FROZEN, epoch=EPOCH))

    with pytest.raises(Fenced):
        store.commit(Batch(partition=partition, fence=Remove(GUARD)))

    assert store.read(partition, []).fence is not None


# ── Documents that carry no ETag ──────────────────────────────────────────────────────────────


def test_what_was_not_read_here_is_replaced_if_its_version_holds(store, partition):
    stand(store, partition, document("ENT:a:b:c", 3))
    after = Document("ENT:a:b:c", 4, '{"a":2}')

    store.commit(step(partition, 1, Put(after, document("ENT:a:b:c", 3))))

    assert store.read(partition, [after.key]).documents == {after.key: after}


def test_what_was_not_read_here_is_buried_and_raised_again(store, partition):
    alive, dead = document("ENT:a:b:c", 3), Document("ENT:a:b:c", 4, "", deleted=True)
    stand(store, partition, alive)

    store.commit(step(partition, 1, Put(dead, alive)))
    assert store.read(partition, [dead.key]).documents == {dead.key: dead}
    store.commit(step(partition, 2, Put(document(alive.key, 5), dead)))

    assert store.read(partition, [dead.key]).documents == {dead.key: document(alive.key, 5)}


@pytest.mark.parametrize(
    "write", [Put(document("k", 9), document("k", 2)), Delete(document("k", 2))]
)
def test_what_was_not_read_here_is_kept_if_its_version_is_another(store, partition, write):
    stand(store, partition, document("k", 3))

    with pytest.raises(LostRace):
        store.commit(step(partition, 1, write))

    snapshot = store.read(partition, ["k"])
    assert snapshot.documents == {"k": document("k", 3)}
    assert snapshot.fence == FENCE


def test_what_was_not_read_here_is_deleted_if_its_version_holds(store, partition):
    stand(store, partition, document("k", 3))

    store.commit(step(partition, 1, Delete(document("k", 3))))

    assert store.read(partition, ["k"]).documents == {}


# ── Connecting ────────────────────────────────────────────────────────────────────────────────


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
        store = down.open_store()
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
        store = LocalCosmos(None, f"http://127.0.0.1:{deaf.getsockname()[1]}/").open_store()
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


def test_many_threads_share_one_connection(cosmos, partition):
    made: list[str] = []

    def connect():
        made.append("connect")
        return cosmos.connect()

    store = CosmosCellStore(connect)
    with ThreadPoolExecutor(6) as pool:
        for call in [pool.submit(store.ping) for _ in range(6)]:
            call.result(10)

    assert made == ["connect"]


def test_one_thread_s_page_is_not_ended_by_another_s_answer(store, cosmos, partition):
    # The SDK keeps the last answer's continuation in a field that all threads share.
    stand(store, partition, *(log(seq).document for seq in range(1, 5)))

    def meanwhile(request: Request, serve) -> Response:
        answer = serve(request)
        cosmos.wire.disturbance = None
        store.ping()
        return answer

    cosmos.wire.disturbance = meanwhile

    assert store.page(partition, "LOG:", after=None, limit=2).after is not None


def test_a_create_of_what_exists_is_a_lost_race_without_another_request(store, cosmos, partition):
    standing(store, cosmos, partition)

    with pytest.raises(LostRace):
        store.commit(Batch(partition=partition, fence=Create(FENCE)))

    assert cosmos.wire.seen == ["POST docs"]


def test_an_advance_of_no_fence_needs_no_second_look(store, cosmos, partition):
    with pytest.raises(CellError) as missing:
        store.commit(
            Batch(partition=partition, fence=Advance(Guard(role=Role.ACTIVE, epoch=1), {}))
        )

    assert missing.value.code == "tenant_not_found"
    assert cosmos.wire.seen == ["POST docs"]
