"""Items: what the SDK sees when it creates, reads, replaces, patches and deletes them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from tests.devstack.cosmos_account import local_account, status_of

IF_UNCHANGED = MatchConditions.IfNotModified


@pytest.fixture(scope="module", params=[1, 4], ids=["1 partition", "4 partitions"])
def account(request):
    with local_account(request.param) as opened:
        yield opened


@pytest.fixture
def container(account):
    return account.new_container(default_ttl=-1)


def test_a_created_item_carries_the_system_properties(container):
    item = container.create_item({"id": "1", "pk": "a", "v": 1})

    assert {"_rid", "_self", "_etag", "_ts"} <= item.keys()
    assert item.get_response_headers()["etag"] == item["_etag"]


def test_a_second_item_with_the_same_id_and_key_is_a_conflict(container):
    container.create_item({"id": "1", "pk": "a"})

    with pytest.raises(CosmosResourceExistsError):
        container.create_item({"id": "1", "pk": "a"})


def test_the_same_id_under_another_key_is_another_item(container):
    container.create_item({"id": "1", "pk": "a", "v": 1})
    container.create_item({"id": "1", "pk": "b", "v": 2})

    assert container.read_item("1", "a")["v"] == 1
    assert container.read_item("1", "b")["v"] == 2


def test_reading_what_is_not_there_is_not_found(container):
    container.create_item({"id": "1", "pk": "a"})

    with pytest.raises(CosmosResourceNotFoundError):
        container.read_item("2", "a")
    with pytest.raises(CosmosResourceNotFoundError):
        container.read_item("1", "z")


def test_a_replacement_with_the_current_etag_gives_a_new_one(container):
    old = container.create_item({"id": "1", "pk": "a", "v": 1})

    new = container.replace_item(
        "1", {"id": "1", "pk": "a", "v": 2}, etag=old["_etag"], match_condition=IF_UNCHANGED
    )

    assert new["_etag"] != old["_etag"]
    assert new["_rid"] == old["_rid"]


def test_a_stale_etag_stops_replace_upsert_patch_and_delete(container):
    stale = container.create_item({"id": "1", "pk": "a", "v": 1})["_etag"]
    container.upsert_item({"id": "1", "pk": "a", "v": 2})
    precondition = {"etag": stale, "match_condition": IF_UNCHANGED}
    item = {"id": "1", "pk": "a", "v": 3}

    with pytest.raises(CosmosAccessConditionFailedError):
        container.replace_item("1", item, **precondition)
    with pytest.raises(CosmosAccessConditionFailedError):
        container.upsert_item(item, **precondition)
    with pytest.raises(CosmosAccessConditionFailedError):
        container.patch_item("1", "a", [{"op": "incr", "path": "/v", "value": 1}], **precondition)
    with pytest.raises(CosmosAccessConditionFailedError):
        container.delete_item("1", "a", **precondition)

    assert container.read_item("1", "a")["v"] == 2


def test_replacing_or_deleting_what_is_not_there_is_not_found(container):
    with pytest.raises(CosmosResourceNotFoundError):
        container.replace_item("1", {"id": "1", "pk": "a"})
    with pytest.raises(CosmosResourceNotFoundError):
        container.delete_item("1", "a")


def test_a_deleted_item_is_gone(container):
    container.create_item({"id": "1", "pk": "a"})

    container.delete_item("1", "a")

    assert status_of(lambda: container.read_item("1", "a")) == 404


def test_a_patch_applies_all_its_operations(container):
    container.create_item({"id": "1", "pk": "a", "n": 1, "o": {"a": 1}, "l": [1], "rm": 1, "mv": 7})

    item = container.patch_item(
        "1",
        "a",
        [
            {"op": "set", "path": "/o/b", "value": 2},
            {"op": "add", "path": "/l/-", "value": 2},
            {"op": "replace", "path": "/o/a", "value": 9},
            {"op": "remove", "path": "/rm"},
            {"op": "incr", "path": "/n", "value": 4},
            {"op": "move", "from": "/mv", "path": "/moved"},
        ],
    )

    own = {name: value for name, value in item.items() if not name.startswith("_")}
    assert own == {"id": "1", "pk": "a", "n": 5, "o": {"a": 9, "b": 2}, "l": [1, 2], "moved": 7}


def test_a_patch_applies_only_where_its_predicate_holds(container):
    container.create_item({"id": "1", "pk": "a", "role": "active", "epoch": 3, "seq": 7})
    advance = [{"op": "set", "path": "/seq", "value": 8}]
    at_seven = "from c where c.role='active' and c.epoch=3 and c.seq=7"

    container.patch_item("1", "a", advance, filter_predicate=at_seven)
    with pytest.raises(CosmosAccessConditionFailedError):
        container.patch_item("1", "a", advance, filter_predicate=at_seven)

    assert container.read_item("1", "a")["seq"] == 8


def test_a_patch_of_a_missing_item_is_not_found(container):
    operations = [{"op": "set", "path": "/v", "value": 1}]

    assert status_of(lambda: container.patch_item("1", "a", operations)) == 404


def test_a_patch_that_fails_half_way_changes_nothing(container):
    container.create_item({"id": "1", "pk": "a", "v": 1})
    operations = [{"op": "set", "path": "/v", "value": 2}, {"op": "remove", "path": "/nope"}]

    assert status_of(lambda: container.patch_item("1", "a", operations)) == 400
    assert container.read_item("1", "a")["v"] == 1


def test_an_item_outlives_its_ttl_by_nothing(account, container):
    container.create_item({"id": "1", "pk": "a", "ttl": 10})

    account.clock.seconds += 9
    alive = container.read_item("1", "a")
    account.clock.seconds += 1

    assert alive["id"] == "1"
    assert status_of(lambda: container.read_item("1", "a")) == 404
    assert container.create_item({"id": "1", "pk": "a"})["id"] == "1"


def test_without_a_default_ttl_nothing_expires(account):
    container = account.new_container()
    container.create_item({"id": "1", "pk": "a", "ttl": 1})

    account.clock.seconds += 1000

    assert container.read_item("1", "a")["ttl"] == 1


def test_a_new_default_ttl_counts_for_items_that_are_already_there(account):
    container = account.new_container()
    container.create_item({"id": "1", "pk": "a"})
    container.create_item({"id": "2", "pk": "a", "ttl": -1})

    account.database.replace_container(
        container.id, partition_key=PartitionKey("/pk"), default_ttl=60
    )
    account.clock.seconds += 60

    assert [item["id"] for item in container.read_all_items()] == ["2"]


@pytest.mark.parametrize("ttl", [0, -2, 1.5, "1", True])
def test_a_ttl_that_is_no_positive_integer_is_refused(container, ttl):
    assert status_of(lambda: container.create_item({"id": "1", "pk": "a", "ttl": ttl})) == 400


def test_an_item_may_have_two_megabytes_and_no_more(container):
    container.upsert_item({"id": "fits", "pk": "a", "b": "x" * 2_000_000})

    assert (
        status_of(lambda: container.upsert_item({"id": "big", "pk": "a", "b": "x" * 2_110_000}))
        == 413
    )


def test_two_megabytes_count_in_stored_bytes_not_in_characters(container):
    container.upsert_item({"id": "fits", "pk": "a", "b": "ü" * 900_000})

    assert (
        status_of(lambda: container.upsert_item({"id": "big", "pk": "a", "b": "ü" * 1_060_000}))
        == 413
    )


@pytest.mark.parametrize("item_id", ["", "x" * 256, None])
def test_an_id_the_service_refuses_is_refused(container, item_id):
    connection, link = container.client_connection, container.container_link
    item = {"id": item_id, "pk": "a"}
    options = {"partitionKey": "a", "disableAutomaticIdGeneration": True}

    assert status_of(lambda: connection.CreateItem(link, item, options=options)) == 400


def test_a_key_that_is_not_the_items_is_refused(container):
    connection, link = container.client_connection, container.container_link
    item = {"id": "1", "pk": "a"}

    assert (
        status_of(lambda: connection.CreateItem(link, item, options={"partitionKey": "b"})) == 400
    )


@pytest.mark.parametrize("key", [1, 1.5, True, False, None, "", "ü"])
def test_every_primitive_is_a_partition_key(container, key):
    container.create_item({"id": "1", "pk": key})

    assert container.read_item("1", key)["pk"] == key


def test_an_integer_that_a_double_would_round_is_refused(container):
    assert status_of(lambda: container.create_item({"id": "1", "pk": "a", "n": 2**53 + 1})) == 400


def test_hierarchical_keys_find_items_by_all_levels_and_by_the_first(account):
    container = account.new_container(
        partition_key=PartitionKey(path=["/tenant", "/user"], kind="MultiHash")
    )
    container.create_item({"id": "1", "tenant": "t", "user": "u"})
    container.create_item({"id": "2", "tenant": "t", "user": "v"})
    container.create_item({"id": "3", "tenant": "s", "user": "u"})

    of_tenant = container.query_items("SELECT * FROM c", partition_key=["t"])

    assert container.read_item("1", ["t", "u"])["id"] == "1"
    assert sorted(item["id"] for item in of_tenant) == ["1", "2"]


def test_a_unique_key_is_unique_within_a_logical_partition(account):
    container = account.new_container(unique_key_policy={"uniqueKeys": [{"paths": ["/e"]}]})
    container.create_item({"id": "1", "pk": "a", "e": "x"})

    assert status_of(lambda: container.create_item({"id": "2", "pk": "a", "e": "x"})) == 409
    container.create_item({"id": "2", "pk": "b", "e": "x"})
    container.upsert_item({"id": "1", "pk": "a", "e": "x", "v": 1})


def test_a_read_costs_more_the_larger_the_item_and_a_write_more_than_a_read(container):
    written = container.create_item({"id": "small", "pk": "a"})
    container.create_item({"id": "large", "pk": "a", "b": "x" * 100_000})

    costs = [
        float(item.get_response_headers()["x-ms-request-charge"])
        for item in (
            container.read_item("small", "a"),
            written,
            container.read_item("large", "a"),
        )
    ]

    assert costs[0] == 2  # one request unit, doubled under Strong consistency
    assert costs == sorted(costs)
    assert costs[1] > costs[0]


def test_of_sixteen_threads_that_create_one_item_one_wins(container):
    start = threading.Barrier(16)

    def create(_):
        start.wait()
        try:
            container.create_item({"id": "1", "pk": "a"})
        except CosmosResourceExistsError:
            return 0
        return 1

    with ThreadPoolExecutor(16) as pool:
        winners = sum(pool.map(create, range(16)))

    assert winners == 1


def test_concurrent_increments_guarded_by_etags_lose_no_update(container):
    container.create_item({"id": "n", "pk": "a", "n": 0})

    def increment(_):
        for _attempt in range(500):
            item = container.read_item("n", "a")
            try:
                container.replace_item(
                    "n",
                    {"id": "n", "pk": "a", "n": item["n"] + 1},
                    etag=item["_etag"],
                    match_condition=IF_UNCHANGED,
                )
            except CosmosAccessConditionFailedError:
                continue
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(12)))

    assert container.read_item("n", "a")["n"] == 12
