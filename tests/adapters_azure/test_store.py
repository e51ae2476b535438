"""What only the Cosmos store can get wrong: requests on the wire, and what a refusal means."""

import json

import pytest

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
from cell_devstack.cosmos.exchange import Request, Response
from tests.adapters_azure.wire import cut, says, standing
from tests.contract.samples import EPOCH, FENCE, GUARD, document, log, stand, step


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


def test_one_caller_s_page_is_not_ended_by_another_s_answer(store, cosmos, partition):
    stand(store, partition, *(log(seq).document for seq in range(1, 5)))

    def meanwhile(request: Request, serve) -> Response:
        answer = serve(request)
        cosmos.wire.disturbance = None
        store.ping()
        return answer

    cosmos.wire.disturbance = meanwhile

    assert store.page(partition, "LOG:", after=None, limit=2).after is not None


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
