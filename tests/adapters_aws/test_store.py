"""What is DynamoDB's own in the store: one call each, tokens, leftovers and cancellations.

What every store promises is in the contract suite, which runs over this one too.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from cell_adapters_aws.documents import document_item, fence_item, key_of
from cell_adapters_aws.store import DynamoCellStore
from cell_core.domain.documents import (
    FENCE,
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
    Fenced,
    InvariantBroken,
    LostRace,
    NotFound,
    OutcomeUnknown,
    Throttled,
)
from cell_core.domain.fence import Fence, Guard, Role

_TABLE = "cell-table"
_PARTITION = "T-1/00"
_FENCE = Fence(role=Role.ACTIVE, epoch=17, seq=4)
_GUARD = Guard(role=Role.ACTIVE, epoch=17, seq=4)
_ALICE = Document("ENT:ledger:main:account.alice", 3, "{}")
_LOG = Document("LOG:00000000000000000005", 5, "{}")


@pytest.fixture(scope="module")
def client() -> Any:
    session = botocore.session.Session()
    session.set_credentials("nobody", "nothing")
    config = Config(retries={"total_max_attempts": 1})
    return session.create_client("dynamodb", region_name="eu-west-1", config=config)


@pytest.fixture
def service(client: Any) -> Any:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def store(client: Any) -> DynamoCellStore:
    return DynamoCellStore(client, table=_TABLE)


def batch(fence: Any = Advance(_GUARD, {"seq": 5}), **more: Any) -> Batch:  # noqa: B008 - frozen
    return Batch(partition=_PARTITION, fence=fence, **{"writes": (Put(_LOG),), **more})


def cancel(service: Any, *reasons: str | dict[str, Any]) -> None:
    """Let the next commit be cancelled for `reasons`, one an operation."""
    full = [{"Code": reason} if isinstance(reason, str) else reason for reason in reasons]
    service.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        http_status_code=400,
        modeled_fields={"CancellationReasons": full} if full else {},
    )


def fence_fails(fence: Fence | None) -> dict[str, Any]:
    found = {} if fence is None else {"Item": fence_item(_PARTITION, fence)}
    return {"Code": "ConditionalCheckFailed", **found}


# ── Reading ──────────────────────────────────────────────────────────────────


def test_a_read_is_one_consistent_batch_with_the_fence_first(store, service):
    service.add_response(
        "batch_get_item",
        {
            "Responses": {
                _TABLE: [document_item(_PARTITION, _ALICE), fence_item(_PARTITION, _FENCE)]
            },
            "UnprocessedKeys": {},
        },
        {
            "RequestItems": {
                _TABLE: {
                    "Keys": [key_of(_PARTITION, FENCE), key_of(_PARTITION, _ALICE.key)],
                    "ConsistentRead": True,
                }
            }
        },
    )

    snapshot = store.read(_PARTITION, [_ALICE.key])

    assert snapshot.fence == _FENCE
    assert dict(snapshot.documents) == {_ALICE.key: _ALICE}


def test_a_read_of_a_hundred_documents_is_two_batches(store, service):
    nothing = {"Responses": {_TABLE: []}, "UnprocessedKeys": {}}
    service.add_response("batch_get_item", nothing)
    service.add_response("batch_get_item", nothing)

    with requests_of(service.client, "BatchGetItem") as requests:
        store.read(_PARTITION, [f"LOG:{seq:020d}" for seq in range(100)])

    assert [len(each["RequestItems"][_TABLE]["Keys"]) for each in requests] == [100, 1]


def test_what_a_batch_leaves_over_is_asked_for_again(store, service):
    left = {_TABLE: {"Keys": [key_of(_PARTITION, _ALICE.key)], "ConsistentRead": True}}
    service.add_response(
        "batch_get_item",
        {"Responses": {_TABLE: [fence_item(_PARTITION, _FENCE)]}, "UnprocessedKeys": left},
    )
    service.add_response(
        "batch_get_item",
        {"Responses": {_TABLE: [document_item(_PARTITION, _ALICE)]}, "UnprocessedKeys": {}},
        {"RequestItems": left},
    )

    snapshot = store.read(_PARTITION, [_ALICE.key])

    assert snapshot.fence == _FENCE
    assert dict(snapshot.documents) == {_ALICE.key: _ALICE}


def test_what_is_left_over_again_and_again_is_a_throttled_read(store, service):
    left = {_TABLE: {"Keys": [key_of(_PARTITION, FENCE)], "ConsistentRead": True}}
    for _ in range(6):
        service.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})

    with pytest.raises(Throttled):
        store.read(_PARTITION, [])


def test_an_item_of_someone_else_s_is_not_taken_for_a_fence(store, service):
    item = {**key_of(_PARTITION, FENCE), "role": {"S": "active"}}
    service.add_response("batch_get_item", {"Responses": {_TABLE: [item]}, "UnprocessedKeys": {}})

    with pytest.raises(InvariantBroken):
        store.read(_PARTITION, [])


def test_a_page_is_one_consistent_query_between_two_bounds(store, service):
    service.add_response(
        "query",
        {
            "Items": [document_item(_PARTITION, _LOG), document_item(_PARTITION, _LOG)],
            "LastEvaluatedKey": key_of(_PARTITION, _LOG.key),
        },
        {
            "TableName": _TABLE,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":pk": {"S": _PARTITION},
                ":low": {"S": "LOG:00000000000000000004!"},
                ":high": {"S": "LOG:\x7f"},
            },
            "ConsistentRead": True,
            "Limit": 2,
        },
    )

    page = store.page(_PARTITION, "LOG:", after="LOG:00000000000000000004", limit=1)

    assert page.documents == (_LOG,)
    assert page.after == _LOG.key


def test_a_page_behind_everything_is_empty_without_a_call(store, service):
    page = store.page(_PARTITION, "ENT:", after="LOG:5", limit=10)

    assert (page.documents, page.after) == ((), None)


def test_a_ping_needs_no_permission_but_to_get_an_item(store, service):
    service.add_response("get_item", {}, {"TableName": _TABLE, "Key": key_of("~ping", "~ping")})

    store.ping()


# ── Committing ───────────────────────────────────────────────────────────────


@contextmanager
def requests_of(client: Any, operation: str) -> Iterator[list[dict[str, Any]]]:
    """Collect the parameters with which `operation` is called."""
    requests: list[dict[str, Any]] = []

    def collect(params: dict[str, Any], **_more: Any) -> None:
        requests.append(params.copy())

    event = f"before-parameter-build.dynamodb.{operation}"
    client.meta.events.register(event, collect)
    yield requests
    client.meta.events.unregister(event, collect)


def sent(store: DynamoCellStore, service: Any, what: Batch) -> dict[str, Any]:
    """Commit `what` and return the request that was sent."""
    service.add_response("transact_write_items", {})
    with requests_of(service.client, "TransactWriteItems") as requests:
        store.commit(what)
    return requests[0]


def test_a_commit_is_one_transaction_with_the_fence_as_its_first_operation(store, service):
    guard = Guard(role=Role.STANDBY, epoch=17, seq=4, chain="ab")
    new = Document(_ALICE.key, 5, "{}")

    request = sent(
        store,
        service,
        batch(Advance(guard, {"seq": 5}), writes=(Put(_LOG), Put(new, _ALICE), Delete(_ALICE))),
    )

    fence, log, entity, gone = request["TransactItems"]
    assert fence["Update"]["Key"] == key_of(_PARTITION, FENCE)
    assert fence["Update"]["ConditionExpression"] == (
        "#role = :old_role AND #epoch = :old_epoch AND #seq = :old_seq AND #chain = :old_chain"
    )
    assert fence["Update"]["UpdateExpression"] == "SET #epoch = :new_epoch, #seq = :new_seq"
    assert fence["Update"]["ExpressionAttributeValues"] == {
        ":old_role": {"S": "standby"},
        ":old_epoch": {"N": "17"},
        ":old_seq": {"N": "4"},
        ":old_chain": {"S": "ab"},
        ":new_epoch": {"N": "17"},
        ":new_seq": {"N": "5"},
    }
    assert fence["Update"]["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"
    assert log["Put"]["ConditionExpression"] == "attribute_not_exists(pk)"
    assert entity["Put"]["ConditionExpression"] == "version = :version"
    assert entity["Put"]["ExpressionAttributeValues"] == {":version": {"N": "3"}}
    assert gone["Delete"]["ExpressionAttributeValues"] == {":version": {"N": "3"}}


@pytest.mark.parametrize("change", [Create(_FENCE), Advance(_GUARD, {}), Remove(_GUARD)])
def test_no_change_of_a_fence_is_without_a_condition(store, service, change):
    request = sent(store, service, batch(change))

    [operation] = request["TransactItems"][0].values()
    assert operation["ConditionExpression"]


def test_a_batch_without_a_fence_writes_documents_alone(store, service):
    request = sent(store, service, batch(None))

    assert [list(operation) for operation in request["TransactItems"]] == [["Put"]]


def test_equal_batches_have_equal_tokens_that_dynamodb_takes(store, service):
    first = sent(store, service, batch(token="x" * 64))["ClientRequestToken"]
    second = sent(store, service, batch(token="x" * 64))["ClientRequestToken"]

    assert first == second
    assert 1 <= len(first) <= 36


@pytest.mark.parametrize(
    ("table", "partition", "word"),
    [("other", _PARTITION, "a"), (_TABLE, "T-1/01", "a"), (_TABLE, _PARTITION, "b")],
)
def test_a_token_is_of_one_table_partition_and_batch(client, service, table, partition, word):
    mine, other = batch(token="a"), replace(batch(token=word), partition=partition)

    tokens = {
        sent(DynamoCellStore(client, table=where), service, what)["ClientRequestToken"]
        for where, what in [(_TABLE, mine), (table, other)]
    }

    assert len(tokens) == 2


def test_without_a_token_dynamodb_is_asked_anew_each_time(store, service):
    assert "ClientRequestToken" not in sent(store, service, batch(token=None))


@pytest.mark.parametrize(
    ("found", "error"),
    [
        pytest.param(None, NotFound, id="there is none"),
        pytest.param(Fence(role=Role.FROZEN, epoch=17, seq=4), Fenced, id="another role"),
        pytest.param(Fence(role=Role.ACTIVE, epoch=33, seq=4), Fenced, id="another epoch"),
        pytest.param(Fence(role=Role.ACTIVE, epoch=17, seq=5), LostRace, id="another position"),
    ],
)
@pytest.mark.parametrize("change", [Advance(_GUARD, {"seq": 5}), Remove(_GUARD)])
def test_the_fence_that_refuses_says_why(store, service, change, found, error):
    cancel(service, fence_fails(found), "None")

    with pytest.raises(error) as raised:
        store.commit(batch(change))

    assert type(raised.value) is error
    if found is not None:
        assert raised.value.fields["fence"]["epoch"] == found.epoch


def test_the_fence_s_verdict_comes_before_every_other_reason(store, service):
    moved = Fence(role=Role.STANDBY, epoch=33, seq=9)
    cancel(service, fence_fails(moved), "ConditionalCheckFailed")

    with pytest.raises(Fenced):
        store.commit(batch())


def test_a_fence_that_exists_already_is_a_lost_race(store, service):
    cancel(service, "ConditionalCheckFailed", "None")

    with pytest.raises(LostRace):
        store.commit(batch(Create(_FENCE)))


def test_in_the_directory_the_first_operation_is_no_fence(store, service):
    cancel(service, "ConditionalCheckFailed")

    with pytest.raises(LostRace):
        store.commit(batch(None))


def test_a_fence_that_is_not_ours_breaks_an_invariant(store, service):
    foreign = {**key_of(_PARTITION, FENCE), "role": {"S": "active"}}
    cancel(service, {"Code": "ConditionalCheckFailed", "Item": foreign}, "None")

    with pytest.raises(InvariantBroken):
        store.commit(batch())


@pytest.mark.parametrize(
    ("reasons", "error"),
    [
        (["None", "ConditionalCheckFailed"], LostRace),
        (["TransactionConflict", "None"], LostRace),
        (["None", "TransactionConflict"], LostRace),
        (["None", "DuplicateItem"], LostRace),
        (["TransactionConflict", "ThrottlingError"], LostRace),
        (["None", "ThrottlingError"], Throttled),
        (["ProvisionedThroughputExceeded", "None"], Throttled),
        (["None", "ItemCollectionSizeLimitExceeded"], BackendError),
        (["None", "ValidationError"], BackendError),
        (["None", "SomethingNew"], BackendError),
        ([], BackendError),
    ],
)
def test_each_reason_of_a_cancellation_becomes_one_error(store, service, reasons, error):
    cancel(service, *reasons)

    with pytest.raises(error) as raised:
        store.commit(batch())

    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("TransactionInProgressException", 400, OutcomeUnknown),
        ("IdempotentParameterMismatchException", 400, LostRace),
        ("InternalServerError", 500, OutcomeUnknown),
        ("ThrottlingException", 400, Throttled),
        ("ResourceNotFoundException", 400, BackendError),
    ],
)
def test_a_commit_that_is_not_cancelled_but_refused_becomes_one_error(
    store, service, code, status, error
):
    service.add_client_error("transact_write_items", code, http_status_code=status)

    with pytest.raises(error) as raised:
        store.commit(batch())

    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("batch_get_item", lambda store: store.read(_PARTITION, [])),
        ("query", lambda store: store.page(_PARTITION, "LOG:", after=None, limit=1)),
        ("transact_write_items", lambda store: store.commit(batch())),
        ("get_item", lambda store: store.ping()),
    ],
)
def test_nothing_here_retries(store, service, method: str, call: Callable[[Any], object]):
    service.add_client_error(method, "ThrottlingException", http_status_code=400)

    with pytest.raises(Throttled):
        call(store)
