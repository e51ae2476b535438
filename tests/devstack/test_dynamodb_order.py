"""The stand-in reads a range by its order, and answers as it does when it looks at everything."""

import copy
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cell_devstack.dynamodb import DynamoStandIn, create_table
from cell_devstack.dynamodb_order import OrderedItems, OrderedTable, range_of
from tests.contract.dynamo import dynamo_client

KEYS = st.text("ab:é\U0001f600", max_size=3)
CHANGES = st.lists(st.tuples(st.sampled_from(("put", "remove", "pop")), KEYS), max_size=40)
CELLS_FORM = "pk = :pk AND sk BETWEEN :low AND :high"
OTHER_FORM = "sk BETWEEN :low AND :high AND pk = :pk"
STORED = [f"{kind}:{number:02}" for kind in "abc" for number in range(12)]


def request(condition=CELLS_FORM, **parts):
    values = {":pk": {"S": "T"}, ":low": {"S": "a"}, ":high": {"S": "b"}}
    return {
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": values,
        "Limit": 10,
    } | parts


@given(changes=CHANGES, low=KEYS, high=KEYS, limit=st.integers(0, 5))
def test_a_range_holds_what_a_look_at_every_item_finds(changes, low, high, limit):
    ordered, plain = OrderedItems(), {}
    for change, key in changes:
        if change == "put":
            ordered[key] = plain[key] = {"n": len(plain)}
        elif change == "pop":
            assert ordered.pop(key, None) == plain.pop(key, None)
        elif key in plain:
            del ordered[key], plain[key]

    found = ordered.between(low, high, limit)

    everything = sorted(key for key in plain if low <= key <= high)
    assert list(found) == everything[:limit]
    assert found == {key: plain[key] for key in everything[:limit]}


def test_an_item_that_is_not_there_cannot_be_removed_and_the_order_stays():
    ordered = OrderedItems([("b", {}), ("a", {})])

    with pytest.raises(KeyError):
        del ordered["c"]

    assert list(ordered.between("a", "z", 9)) == ["a", "b"]


def test_a_copy_is_plain_and_shares_nothing():
    ordered = OrderedItems([("a", {"v": [1]})])

    copied = copy.deepcopy(ordered)
    copied["a"]["v"].append(2)

    assert type(copied) is dict
    assert ordered == {"a": {"v": [1]}}


def test_a_table_begins_a_partition_that_is_written_and_none_that_is_only_asked_for():
    table = OrderedTable.of({"T": {"a": {}}})

    table["U"]["x"] = {"v": 1}

    assert table.get("V") is None
    assert set(table) == {"T", "U"}
    assert table["U"].between("", "z", 9) == {"x": {"v": 1}}


def test_the_cells_form_is_a_range():
    assert range_of(request()) == ("T", "a", "b", 10)


@pytest.mark.parametrize(
    "other",
    [
        request(OTHER_FORM),
        request(IndexName="by-time"),
        request(ExclusiveStartKey={"pk": {"S": "T"}, "sk": {"S": "a"}}),
        request(ScanIndexForward=False),
        request(Limit=None),
        request(ExpressionAttributeValues=None),
        request(ExpressionAttributeValues={":pk": {"S": "T"}, ":low": {"N": "1"}}),
        {},
    ],
)
def test_any_other_form_is_left_to_ministack(other):
    assert range_of(other) is None


@pytest.fixture(scope="module")
def client():
    with DynamoStandIn() as running:
        client = dynamo_client(running.url)
        create_table(client, "cell")
        for key in reversed(STORED):
            client.put_item(TableName="cell", Item={"pk": {"S": "T"}, "sk": {"S": key}})
        yield client
        client.close()


@pytest.mark.parametrize(
    ("low", "high", "limit"),
    [
        *itertools.product(("a", "a:05", "b:11"), ("b:11", "c:03", "d"), (1, 7, 50)),
        ("a:05", "a:05", 1),
        ("x", "z", 3),
        ("a:055", "a:06", 2),
    ],
)
def test_both_forms_of_a_query_get_the_same_answer(client, low, high, limit):
    values = {":pk": {"S": "T"}, ":low": {"S": low}, ":high": {"S": high}}
    by_order, by_look = (
        client.query(
            TableName="cell",
            KeyConditionExpression=form,
            ExpressionAttributeValues=values,
            Limit=limit,
        )
        for form in (CELLS_FORM, OTHER_FORM)
    )

    for part in ("Items", "Count", "ScannedCount", "LastEvaluatedKey"):
        assert by_order.get(part) == by_look.get(part)


def test_a_change_shows_in_the_next_range(client):
    values = {":pk": {"S": "U"}, ":low": {"S": "a"}, ":high": {"S": "z"}}
    query = {
        "TableName": "cell",
        "KeyConditionExpression": CELLS_FORM,
        "ExpressionAttributeValues": values,
        "Limit": 5,
    }
    before = client.query(**query)["Items"]
    for key in ("m", "c"):
        client.put_item(TableName="cell", Item={"pk": {"S": "U"}, "sk": {"S": key}})
    client.delete_item(TableName="cell", Key={"pk": {"S": "U"}, "sk": {"S": "m"}})

    after = client.query(**query)["Items"]

    assert before == []
    assert [item["sk"]["S"] for item in after] == ["c"]
