"""What the cell relies on in DynamoDB holds on the stand-in; what that misses is named here.

Each test says what the real service does; a mark says where the stand-in does not. A test that
fails after an upgrade of the stand-in is a reason not to upgrade, or a mark to remove.
"""

import itertools
import threading

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cell_devstack.dynamodb import DynamoStandIn, create_table

TABLE = "cell"
ACCOUNT_A, ACCOUNT_B, COUNTER = "A", "B", "counter"
THREADS = 16


@pytest.fixture(scope="module")
def stand_in():
    with DynamoStandIn() as running:
        yield running


def connect(stand_in, service):
    return boto3.client(
        service,
        endpoint_url=stand_in.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=THREADS * 2),
    )


@pytest.fixture(scope="module")
def client(stand_in):
    client = connect(stand_in, "dynamodb")
    create_table(client, TABLE)
    return client


@pytest.fixture(scope="module")
def streams(stand_in):
    return connect(stand_in, "dynamodbstreams")


@pytest.fixture
def pk(request):
    """A partition of the test's own in the shared table."""
    return request.node.name


def key(pk, sk):
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def put(pk, sk, condition=None, **attributes):
    operation = {"TableName": TABLE, "Item": {**key(pk, sk), **attributes}}
    if condition:
        operation["ConditionExpression"] = condition
    return {"Put": operation}


def add(pk, sk, amount, condition=None):
    operation = {
        "TableName": TABLE,
        "Key": key(pk, sk),
        "UpdateExpression": "SET n = n + :d",
        "ExpressionAttributeValues": {":d": {"N": str(amount)}},
    }
    if condition:
        operation["ConditionExpression"] = condition
        operation["ExpressionAttributeValues"][":low"] = {"N": str(-amount)}
    return {"Update": operation}


def number(client, pk, sk):
    item = client.get_item(TableName=TABLE, Key=key(pk, sk), ConsistentRead=True)["Item"]
    return int(item["n"]["N"])


def error_of(call, *arguments, **named):
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    return caught.value.response


def code_of(call, *arguments, **named):
    return error_of(call, *arguments, **named)["Error"]["Code"]


def exists(client, pk, sk):
    return "Item" in client.get_item(TableName=TABLE, Key=key(pk, sk), ConsistentRead=True)


class TestConditions:
    def test_only_the_first_put_if_absent_succeeds(self, client, pk):
        operation = put(pk, "1", "attribute_not_exists(pk)", v={"N": "1"})["Put"]

        client.put_item(**operation)
        error = error_of(
            client.put_item, **operation, ReturnValuesOnConditionCheckFailure="ALL_OLD"
        )

        assert error["Error"]["Code"] == "ConditionalCheckFailedException"
        assert error["Item"]["v"] == {"N": "1"}

    def test_an_update_from_a_stale_value_fails(self, client, pk):
        client.put_item(**put(pk, "1", v={"N": "1"})["Put"])
        update = {
            "TableName": TABLE,
            "Key": key(pk, "1"),
            "UpdateExpression": "SET #v = #v + :one ADD hits :one REMOVE gone",
            "ConditionExpression": "#v = :seen",
            "ExpressionAttributeNames": {"#v": "v"},
            "ExpressionAttributeValues": {":one": {"N": "1"}, ":seen": {"N": "1"}},
            "ReturnValues": "ALL_NEW",
        }

        after = client.update_item(**update)["Attributes"]

        assert (after["v"], after["hits"]) == ({"N": "2"}, {"N": "1"})
        assert code_of(client.update_item, **update) == "ConditionalCheckFailedException"

    def test_a_delete_with_a_false_condition_deletes_nothing(self, client, pk):
        client.put_item(**put(pk, "1")["Put"])

        code = code_of(
            client.delete_item,
            TableName=TABLE,
            Key=key(pk, "1"),
            ConditionExpression="attribute_exists(gone)",
        )

        assert code == "ConditionalCheckFailedException"
        assert exists(client, pk, "1")


class TestTransactions:
    def test_put_update_delete_and_check_commit_together(self, client, pk):
        client.put_item(**put(pk, "fence", epoch={"N": "3"})["Put"])
        client.put_item(**put(pk, "old")["Put"])
        client.put_item(**put(pk, "n", n={"N": "1"})["Put"])

        client.transact_write_items(
            TransactItems=[
                check(pk, "fence", epoch=3),
                put(pk, "new", "attribute_not_exists(pk)"),
                add(pk, "n", 1),
                {"Delete": {"TableName": TABLE, "Key": key(pk, "old")}},
            ]
        )

        assert exists(client, pk, "new")
        assert not exists(client, pk, "old")
        assert number(client, pk, "n") == 2

    def test_a_cancelled_one_writes_nothing_and_gives_each_reason_with_the_old_item(
        self, client, pk
    ):
        client.put_item(**put(pk, "fence", epoch={"N": "3"})["Put"])
        client.put_item(**put(pk, "taken")["Put"])

        error = error_of(
            client.transact_write_items,
            TransactItems=[
                put(pk, "new"),
                check(pk, "fence", epoch=2),
                put(pk, "taken", "attribute_not_exists(pk)"),
            ],
        )

        reasons = error["CancellationReasons"]
        assert error["Error"]["Code"] == "TransactionCanceledException"
        assert [reason["Code"] for reason in reasons] == [
            "None",
            "ConditionalCheckFailed",
            "ConditionalCheckFailed",
        ]
        assert reasons[1]["Item"]["epoch"] == {"N": "3"}
        assert "Item" not in reasons[2]
        assert not exists(client, pk, "new")

    def test_the_same_token_applies_once(self, client, pk):
        client.put_item(**put(pk, "n", n={"N": "0"})["Put"])
        token = "one-commit"

        for _ in range(2):
            client.transact_write_items(ClientRequestToken=token, TransactItems=[add(pk, "n", 1)])

        assert number(client, pk, "n") == 1
        assert (
            code_of(
                client.transact_write_items,
                ClientRequestToken=token,
                TransactItems=[add(pk, "n", 2)],
            )
            == "IdempotentParameterMismatchException"
        )

    def test_the_token_of_a_cancelled_one_may_be_used_again(self, client, pk):
        client.put_item(**put(pk, "taken")["Put"])
        items = [put(pk, "taken", "attribute_not_exists(pk)")]
        token = "cancelled-once"

        first = code_of(client.transact_write_items, ClientRequestToken=token, TransactItems=items)
        client.delete_item(TableName=TABLE, Key=key(pk, "taken"))
        client.transact_write_items(ClientRequestToken=token, TransactItems=items)

        assert first == "TransactionCanceledException"
        assert exists(client, pk, "taken")

    def test_two_operations_on_one_item_are_invalid(self, client, pk):
        items = [put(pk, "1"), {"Delete": {"TableName": TABLE, "Key": key(pk, "1")}}]

        assert code_of(client.transact_write_items, TransactItems=items) == "ValidationException"

    def test_a_hundred_operations_are_the_limit(self, client, pk):
        items = [put(pk, f"{n:03d}") for n in range(101)]

        client.transact_write_items(TransactItems=items[:100])

        assert code_of(client.transact_write_items, TransactItems=items) == "ValidationException"

    def test_four_megabytes_are_the_limit(self, client, pk):
        items = [put(pk, str(n), b={"S": "x" * 380_000}) for n in range(12)]

        assert code_of(client.transact_write_items, TransactItems=items) == "ValidationException"

    def test_a_transactional_read_knows_what_is_absent(self, client, pk):
        client.put_item(**put(pk, "there")["Put"])
        gets = [{"Get": {"TableName": TABLE, "Key": key(pk, sk)}} for sk in ("there", "absent")]

        there, absent = client.transact_get_items(TransactItems=gets)["Responses"]

        assert "Item" in there
        assert "Item" not in absent


def check(pk, sk, *, epoch):
    return {
        "ConditionCheck": {
            "TableName": TABLE,
            "Key": key(pk, sk),
            "ConditionExpression": "epoch = :e",
            "ExpressionAttributeValues": {":e": {"N": str(epoch)}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


class TestLimits:
    def test_an_item_may_have_400_kib_and_not_a_byte_more(self, client, pk):
        names_and_keys = len("pk") + len(pk) + len("sk") + len("1") + len("b")
        most = 400 * 1024 - names_and_keys

        client.put_item(**put(pk, "1", b={"S": "x" * most})["Put"])

        too_large = put(pk, "1", b={"S": "x" * (most + 1)})["Put"]
        assert code_of(client.put_item, **too_large) == "ValidationException"

    def test_an_update_cannot_grow_an_item_beyond_it(self, client, pk):
        client.put_item(**put(pk, "1", b={"S": "x" * 300_000})["Put"])

        code = code_of(
            client.update_item,
            TableName=TABLE,
            Key=key(pk, "1"),
            UpdateExpression="SET c = :c",
            ExpressionAttributeValues={":c": {"S": "y" * 150_000}},
        )

        assert code == "ValidationException"

    def test_a_transaction_cannot_either(self, client, pk):
        items = [put(pk, "1", b={"S": "x" * 409_600})]

        code = code_of(client.transact_write_items, TransactItems=items)

        assert code in {"ValidationException", "TransactionCanceledException"}

    def test_a_batch_writes_25_items_at_most(self, client, pk):
        requests = [{"PutRequest": {"Item": key(pk, f"{n:02d}")}} for n in range(26)]

        client.batch_write_item(RequestItems={TABLE: requests[:25]})

        code = code_of(client.batch_write_item, RequestItems={TABLE: requests})
        assert code == "ValidationException"

    def test_a_number_has_38_digits_at_most(self, client, pk):
        client.put_item(**put(pk, "1", n={"N": "1" * 38})["Put"])

        too_long = put(pk, "1", n={"N": "1" * 39})["Put"]
        assert code_of(client.put_item, **too_long) == "ValidationException"
        assert number(client, pk, "1") == int("1" * 38)

    @pytest.mark.parametrize(
        "invalid",
        [
            {"UpdateExpression": "SET status = :s"},  # A reserved word.
            {"UpdateExpression": "SET pk = :s"},
            {"UpdateExpression": "SET a = :s", "ConditionExpression": "b = :t"},
            {"UpdateExpression": "REMOVE a"},  # `:s` is not used.
        ],
    )
    def test_an_invalid_expression_is_refused(self, client, pk, invalid):
        code = code_of(
            client.update_item,
            TableName=TABLE,
            Key=key(pk[:40], "1"),
            ExpressionAttributeValues={":s": {"S": "x"}},
            **invalid,
        )

        assert code == "ValidationException"

    def test_a_key_cannot_be_empty_and_a_value_can(self, client, pk):
        client.put_item(**put(pk, "1", v={"S": ""})["Put"])

        assert code_of(client.put_item, **put(pk, "")["Put"]) == "ValidationException"

    def test_an_unknown_table_is_not_found(self, client, pk):
        code = code_of(client.get_item, TableName="nothing", Key=key(pk, "1"))

        assert code == "ResourceNotFoundException"


class TestQueries:
    def query(self, client, pk, condition="", **named):
        values = {":p": {"S": pk}, **named.pop("values", {})}
        return client.query(
            TableName=TABLE,
            KeyConditionExpression="pk = :p" + condition,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            **named,
        )

    @pytest.fixture
    def filled(self, client, pk):
        client.transact_write_items(
            TransactItems=[put(pk, f"J#{n:03d}", n={"N": str(n)}) for n in range(50)]
        )

    def test_pages_follow_each_other_in_key_order(self, client, pk, filled):
        seen, after = [], {}
        while True:
            page = self.query(client, pk, Limit=7, **after)
            seen += [item["sk"]["S"] for item in page["Items"]]
            if "LastEvaluatedKey" not in page:
                break
            after = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

        assert seen == [f"J#{n:03d}" for n in range(50)]

    def test_a_range_can_be_read_backwards(self, client, pk, filled):
        page = self.query(
            client,
            pk,
            " AND sk BETWEEN :a AND :b",
            values={":a": {"S": "J#005"}, ":b": {"S": "J#007"}},
            ScanIndexForward=False,
        )

        assert [item["sk"]["S"] for item in page["Items"]] == ["J#007", "J#006", "J#005"]

    def test_a_limit_counts_before_the_filter(self, client, pk, filled):
        page = self.query(
            client, pk, Limit=10, FilterExpression="n > :n", values={":n": {"N": "45"}}
        )

        assert (page["ScannedCount"], page["Count"]) == (10, 0)
        assert "LastEvaluatedKey" in page

    @pytest.mark.xfail(raises=AssertionError, reason="not in ministack 1.4.21; 1.5.33 does")
    def test_a_page_ends_at_one_megabyte(self, client, pk):
        for n in range(12):
            client.put_item(**put(pk, f"{n:02d}", b={"S": "x" * 100_000})["Put"])

        page = self.query(client, pk)

        assert 9 <= len(page["Items"]) <= 11
        assert "LastEvaluatedKey" in page

    @pytest.mark.xfail(raises=pytest.fail.Exception, reason="ministack accepts it, up to 1.5.33")
    def test_a_filter_on_a_key_is_refused(self, client, pk, filled):
        values = {":s": {"S": "J#048"}}

        code = code_of(self.query, client, pk, FilterExpression="sk > :s", values=values)

        assert code == "ValidationException"


class TestStreams:
    @pytest.fixture
    def reader(self, client, streams, pk):
        """Reads what happened to this test's partition, oldest first."""
        arn = client.describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]

        def read(kind="TRIM_HORIZON", **position):
            records = []
            for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
                iterator = streams.get_shard_iterator(
                    StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType=kind, **position
                )["ShardIterator"]
                for _ in range(100):
                    page = streams.get_records(ShardIterator=iterator, Limit=100)
                    records += page["Records"]
                    iterator = page.get("NextShardIterator")
                    if not page["Records"] or not iterator:
                        break
            return [r for r in records if r["dynamodb"]["Keys"]["pk"]["S"] == pk]

        return read

    def test_every_change_has_its_images_in_order(self, client, reader, pk):
        for n in "12":
            client.put_item(**put(pk, "1", n={"N": n})["Put"])
        client.transact_write_items(TransactItems=[add(pk, "1", 1)])
        client.delete_item(TableName=TABLE, Key=key(pk, "1"))

        records = reader()

        assert [record["eventName"] for record in records] == [
            "INSERT",
            "MODIFY",
            "MODIFY",
            "REMOVE",
        ]
        images = [
            tuple(
                record["dynamodb"].get(image, {}).get("n", {}).get("N")
                for image in ("OldImage", "NewImage")
            )
            for record in records
        ]
        assert images == [(None, "1"), ("1", "2"), ("2", "3"), ("3", None)]
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
        assert numbers == sorted(set(numbers))

    def test_reading_goes_on_after_a_sequence_number(self, client, reader, pk):
        for n in "123":
            client.put_item(**put(pk, "1", n={"N": n})["Put"])
        second = reader()[1]["dynamodb"]["SequenceNumber"]

        after = reader("AFTER_SEQUENCE_NUMBER", SequenceNumber=second)
        at = reader("AT_SEQUENCE_NUMBER", SequenceNumber=second)

        assert [record["dynamodb"]["NewImage"]["n"]["N"] for record in after] == ["3"]
        assert [record["dynamodb"]["NewImage"]["n"]["N"] for record in at] == ["2", "3"]

    def test_what_failed_leaves_no_record(self, client, reader, pk):
        client.put_item(**put(pk, "1", n={"N": "1"})["Put"])
        exclusive = put(pk, "1", "attribute_not_exists(pk)")

        code_of(client.put_item, **exclusive["Put"])
        code_of(client.transact_write_items, TransactItems=[put(pk, "2"), exclusive])

        assert [record["eventName"] for record in reader()] == ["INSERT"]

    @pytest.mark.xfail(raises=AssertionError, reason="ministack 1.4.21 writes one; 1.5.33 not")
    def test_a_put_that_changes_nothing_leaves_no_record(self, client, reader, pk):
        for _ in range(2):
            client.put_item(**put(pk, "1", n={"N": "1"})["Put"])

        assert [record["eventName"] for record in reader()] == ["INSERT"]

    # A limit of the stand-in: the real service keeps them for 24 hours, whatever fails.
    def test_the_stand_in_loses_its_stream_records_when_it_restarts(
        self, client, reader, stand_in, pk
    ):
        client.put_item(**put(pk, "1")["Put"])
        before = len(reader())

        stand_in.kill()
        stand_in.restore()

        assert (before, len(reader())) == (1, 0)
        assert exists(client, pk, "1")


class TestRaces:
    """Many threads at once; the moto server lost updates in these."""

    def together(self, work):
        errors = []

        def guarded():
            try:
                work()
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to
                errors.append(error)

        threads = [threading.Thread(target=guarded) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert errors == []

    def test_each_key_has_exactly_one_first_writer(self, client, pk):
        wins, lock = [], threading.Lock()

        def write():
            for n in range(10):
                try:
                    client.put_item(**put(pk, str(n), "attribute_not_exists(pk)")["Put"])
                except client.exceptions.ConditionalCheckFailedException:
                    continue
                with lock:
                    wins.append(n)

        self.together(write)

        assert sorted(wins) == list(range(10))

    @pytest.mark.slow
    def test_no_optimistic_update_is_lost(self, client, pk):
        client.put_item(**put(pk, COUNTER, n={"N": "0"})["Put"])

        def increment():
            for _ in range(5):
                for attempt in itertools.count():
                    assert attempt < 1000
                    seen = number(client, pk, COUNTER)
                    try:
                        client.update_item(
                            TableName=TABLE,
                            Key=key(pk, COUNTER),
                            UpdateExpression="SET n = :new",
                            ConditionExpression="n = :seen",
                            ExpressionAttributeValues={
                                ":seen": {"N": str(seen)},
                                ":new": {"N": str(seen + 1)},
                            },
                        )
                        break
                    except client.exceptions.ConditionalCheckFailedException:
                        continue

        self.together(increment)

        assert number(client, pk, COUNTER) == THREADS * 5

    def test_transfers_conserve_the_sum_and_no_reader_sees_half_of_one(self, client, pk):
        client.put_item(**put(pk, ACCOUNT_A, n={"N": "50"})["Put"])
        client.put_item(**put(pk, ACCOUNT_B, n={"N": "0"})["Put"])
        both = [{"Get": {"TableName": TABLE, "Key": key(pk, sk)}} for sk in (ACCOUNT_A, ACCOUNT_B)]
        sums, cancelled, lock = set(), [], threading.Lock()

        def transfer_and_read():
            for _ in range(5):
                try:
                    client.transact_write_items(
                        TransactItems=[
                            add(pk, ACCOUNT_A, -1, "n >= :low"),
                            add(pk, ACCOUNT_B, 1),
                        ]
                    )
                except client.exceptions.TransactionCanceledException as error:
                    with lock:
                        cancelled.append(error)
                items = client.transact_get_items(TransactItems=both)["Responses"]
                with lock:
                    sums.add(sum(int(one["Item"]["n"]["N"]) for one in items))

        self.together(transfer_and_read)

        attempted = THREADS * 5
        assert sums == {50}
        assert number(client, pk, ACCOUNT_B) == attempted - len(cancelled) == 50
