"""Transactional batches: all of it or none of it, and the SDK learns which operation failed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from tests.devstack.cosmos_account import local_account, status_of


@pytest.fixture(scope="module", params=[1, 4], ids=["1 partition", "4 partitions"])
def account(request):
    with local_account(request.param) as opened:
        yield opened


@pytest.fixture
def container(account):
    return account.new_container()


def refused(container, operations, key="a"):
    with pytest.raises(CosmosBatchOperationError) as caught:
        container.execute_item_batch(operations, partition_key=key)
    return caught.value


def statuses(results):
    return [result["statusCode"] for result in results]


def test_a_batch_performs_every_kind_of_operation(container):
    container.create_item({"id": "old", "pk": "a", "v": 0})
    container.create_item({"id": "doomed", "pk": "a"})

    results = container.execute_item_batch(
        [
            ("create", ({"id": "new", "pk": "a", "v": 1},)),
            ("upsert", ({"id": "up", "pk": "a"},)),
            ("replace", ("old", {"id": "old", "pk": "a", "v": 5})),
            ("read", ("old",)),
            ("delete", ("doomed",)),
            ("patch", ("new", [{"op": "incr", "path": "/v", "value": 10}])),
        ],
        partition_key="a",
    )

    assert statuses(results) == [201, 201, 200, 200, 204, 200]
    assert results[3]["resourceBody"]["v"] == 5
    assert results[0]["eTag"] == results[0]["resourceBody"]["_etag"]
    assert container.read_item("new", "a")["v"] == 11


def test_a_failed_operation_undoes_the_whole_batch(container):
    container.create_item({"id": "there", "pk": "a", "v": 0})

    error = refused(
        container,
        [
            ("upsert", ({"id": "there", "pk": "a", "v": 77},)),
            ("create", ({"id": "new", "pk": "a"},)),
            ("create", ({"id": "there", "pk": "a"},)),
            ("delete", ("there",)),
        ],
    )

    assert statuses(error.operation_responses) == [424, 424, 409, 424]
    assert (error.error_index, error.status_code) == (2, 409)
    assert container.read_item("there", "a")["v"] == 0
    assert status_of(lambda: container.read_item("new", "a")) == 404


def test_a_stale_etag_undoes_the_whole_batch(container):
    stale = container.create_item({"id": "1", "pk": "a", "v": 0})["_etag"]
    container.upsert_item({"id": "1", "pk": "a", "v": 1})

    error = refused(
        container,
        [
            ("create", ({"id": "2", "pk": "a"},)),
            ("replace", ("1", {"id": "1", "pk": "a", "v": 2}), {"if_match_etag": stale}),
        ],
    )

    assert statuses(error.operation_responses) == [424, 412]
    assert status_of(lambda: container.read_item("2", "a")) == 404


def test_a_fence_that_does_not_hold_undoes_the_whole_batch(container):
    container.create_item({"id": "FENCE", "pk": "a", "role": "active", "epoch": 1, "seq": 5})

    def commit(seq):
        return [
            (
                "patch",
                ("FENCE", [{"op": "set", "path": "/seq", "value": seq}]),
                {"filter_predicate": f"from c where c.role='active' and c.seq={seq - 1}"},
            ),
            ("create", ({"id": f"LOG:{seq}", "pk": "a"},)),
        ]

    container.execute_item_batch(commit(6), partition_key="a")
    error = refused(container, commit(6))

    assert (error.error_index, error.status_code) == (0, 412)
    assert container.read_item("FENCE", "a")["seq"] == 6


def test_of_concurrent_commits_at_one_position_exactly_one_succeeds(container):
    container.create_item({"id": "FENCE", "pk": "a", "seq": 0})

    def commit(writer):
        operations = [
            (
                "patch",
                ("FENCE", [{"op": "incr", "path": "/seq", "value": 1}]),
                {"filter_predicate": "from c where c.seq=0"},
            ),
            ("create", ({"id": f"LOG:{writer}", "pk": "a"},)),
        ]
        try:
            container.execute_item_batch(operations, partition_key="a")
        except CosmosBatchOperationError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        winners = sum(pool.map(commit, range(16)))

    assert winners == 1
    assert len(list(container.query_items("SELECT * FROM c", partition_key="a"))) == 2


def test_a_batch_has_at_most_a_hundred_operations(container):
    def upserts(number):
        return [("upsert", ({"id": f"{i}", "pk": "a"},)) for i in range(number)]

    container.execute_item_batch(upserts(100), partition_key="a")

    with pytest.raises(CosmosHttpResponseError) as caught:
        container.execute_item_batch(upserts(101), partition_key="a")
    assert caught.value.status_code == 400


def test_a_batch_has_at_most_two_megabytes(container):
    halves = [("upsert", ({"id": f"{i}", "pk": "a", "b": "x" * 1_050_000},)) for i in range(2)]

    assert status_of(lambda: container.execute_item_batch(halves, partition_key="a")) == 413


def test_an_operation_of_another_logical_partition_is_refused(container):
    error = refused(container, [("create", ({"id": "1", "pk": "b"},))])

    assert error.status_code == 400
    assert status_of(lambda: container.read_item("1", "b")) == 404


def test_a_batch_costs_the_sum_of_its_operations(container):
    results = container.execute_item_batch(
        [("create", ({"id": f"{i}", "pk": "a"},)) for i in range(3)], partition_key="a"
    )

    total = float(container.client_connection.last_response_headers["x-ms-request-charge"])
    assert total == pytest.approx(sum(result["requestCharge"] for result in results))


def test_a_batch_shows_in_the_change_feed_in_its_order(container):
    container.execute_item_batch(
        [("create", ({"id": i, "pk": "a"},)) for i in "zyx"], partition_key="a"
    )

    feed = container.query_items_change_feed(start_time="Beginning", partition_key="a")

    assert [item["id"] for item in feed] == ["z", "y", "x"]
