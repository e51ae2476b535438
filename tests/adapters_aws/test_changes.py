"""The stream reader rings for each journal entry, in order, and finds its place again."""

import json
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

from cell_adapters_aws.changes import StreamReader, entries_of
from cell_adapters_aws.documents import document_item, key_of
from cell_adapters_aws.store import DynamoCellStore
from cell_core.domain.decider import Context, Event, Outcome
from cell_core.domain.documents import Advance, Batch, Create, Document, Put, log_key
from cell_core.domain.errors import BackendError, InvalidInput, InvariantBroken, Throttled
from cell_core.domain.fence import GENESIS, Fence, Guard, Role
from cell_core.domain.journal import Entry, write_entry
from cell_devstack.dynamodb import DynamoStandIn, create_table

_PARTITION = "T-1/00"
_FENCE = Fence(role=Role.ACTIVE, epoch=17)


def entry(seq: int) -> Entry:
    """Return a journal entry as a cell writes it."""
    fence = Fence(role=Role.ACTIVE, epoch=17, seq=seq - 1)
    context = Context(tenant="T-1", stream="main", command_id=f"c{seq}", time_ms=1, seq=seq)
    outcome = Outcome((Event("opened.v1", {"a": seq}),), {}, {})
    return write_entry(
        fence,
        context,
        domain="ledger",
        print_of_request=GENESIS,
        outcome=outcome,
        digest=GENESIS,
        trace="",
    )


def record(seq: int, *, name: str = "INSERT", body: str | None = None) -> dict[str, Any]:
    """Return the record of a journal document, as Streams and Lambda show it."""
    document = Document(log_key(seq), seq, entry(seq).body if body is None else body)
    return {
        "eventName": name,
        "dynamodb": {
            "Keys": key_of(_PARTITION, document.key),
            "NewImage": document_item(_PARTITION, document),
            "SequenceNumber": f"{seq:021d}",
        },
    }


def other_record(number: int) -> dict[str, Any]:
    """Return a record of something that is no journal entry."""
    document = Document(f"IDEM:c{number}", number, "{}")
    return {
        "eventName": "INSERT",
        "dynamodb": {
            "Keys": key_of(_PARTITION, document.key),
            "NewImage": document_item(_PARTITION, document),
            "SequenceNumber": f"{number:021d}",
        },
    }


# ── Records ──────────────────────────────────────────────────────────────────


def test_only_new_journal_documents_are_entries():
    records = [
        other_record(1),
        record(1),
        record(2, name="MODIFY"),
        {"eventName": "REMOVE", "dynamodb": {"Keys": key_of(_PARTITION, log_key(1))}},
        record(3),
    ]

    assert entries_of(records) == [entry(1), entry(3)]


@pytest.mark.parametrize("body", ["", "{}", '{"v":99}', "not JSON"])
def test_a_journal_document_that_is_no_entry_breaks_an_invariant(body):
    with pytest.raises(InvariantBroken):
        entries_of([record(1, body=body)])


def test_a_stream_of_keys_only_breaks_an_invariant():
    keys_only = record(1)
    del keys_only["dynamodb"]["NewImage"]

    with pytest.raises(InvariantBroken):
        entries_of([keys_only])


# ── A whole stream, over the stand-in (moto cannot resume one) ───────────────


@pytest.fixture(scope="module")
def session():
    with DynamoStandIn() as stand_in:
        session = boto3.Session("nobody", "nothing", region_name="eu-west-1")
        yield lambda service: session.client(service, endpoint_url=stand_in.url)


@pytest.fixture
def table(session):
    """Return a store on a new table, a client of its stream and the stream's name."""
    client, name = session("dynamodb"), f"cell-{uuid4().hex}"
    create_table(client, name)
    store = DynamoCellStore(client, table=name)
    store.commit(Batch(partition=_PARTITION, fence=Create(_FENCE)))
    arn = client.describe_table(TableName=name)["Table"]["LatestStreamArn"]
    return store, session("dynamodbstreams"), arn


def write(store: DynamoCellStore, seq: int) -> None:
    guard = Guard(role=Role.ACTIVE, epoch=17, seq=seq - 1)
    writes = (
        Put(Document(log_key(seq), seq, entry(seq).body)),
        Put(Document(f"IDEM:c{seq}", seq, "{}")),
    )
    store.commit(Batch(partition=_PARTITION, fence=Advance(guard, {"seq": seq}), writes=writes))


def drained(reader: StreamReader, limit: int = 3) -> list[int]:
    """Return the seqs of all entries there are now."""
    seqs: list[int] = []
    while entries := reader.poll(limit):
        seqs += [entry.seq for entry in entries]
    return seqs


def test_a_reader_rings_for_every_commit_in_the_order_of_its_seq(table):
    store, streams, arn = table
    for seq in range(1, 8):
        write(store, seq)
    reader = StreamReader(streams, stream_arn=arn)

    assert drained(reader) == [1, 2, 3, 4, 5, 6, 7]


def test_a_reader_goes_on_with_what_comes_later(table):
    store, streams, arn = table
    write(store, 1)
    reader = StreamReader(streams, stream_arn=arn)
    assert drained(reader) == [1]

    write(store, 2)

    assert drained(reader) == [2]
    assert drained(reader) == []


def test_another_reader_goes_on_from_the_tokens_of_the_first(table):
    store, streams, arn = table
    for seq in range(1, 6):
        write(store, seq)
    first = StreamReader(streams, stream_arn=arn)
    begun = [entry.seq for entry in first.poll(3)]

    second = StreamReader(streams, stream_arn=arn, tokens=first.tokens())

    assert begun
    assert begun + drained(second) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("tokens", ["{", "[]", '"a"', "7", '{"shard": 7}'])
def test_tokens_that_no_reader_returned_are_refused(tokens):
    with pytest.raises(InvalidInput):
        StreamReader(FakeStreams({}), stream_arn="arn", tokens=tokens)


# ── What the stand-in does not do: several shards, and shards that end ──────


class FakeStreams:
    """A stream whose shards are lists of records; the iterators are `shard:position`.

    Attributes:
        fails: The code with which the next call of a method fails, by its name.
    """

    def __init__(self, shards: dict[str, list[dict[str, Any]]]) -> None:
        self.shards = shards
        self.parents: dict[str, str] = {}
        self.ended: set[str] = set()
        self.fails: dict[str, str] = {}
        self.reads: list[str] = []

    def describe_stream(self, *, StreamArn, ExclusiveStartShardId=None):  # noqa: N803 - AWS's names
        self._fail("describe_stream")
        names = list(self.shards)
        start = 0 if ExclusiveStartShardId is None else names.index(ExclusiveStartShardId) + 1
        listed = [
            {"ShardId": name} | ({"ParentShardId": p} if (p := self.parents.get(name)) else {})
            for name in names[start : start + 1]
        ]
        more = {"LastEvaluatedShardId": names[start]} if start + 1 < len(names) else {}
        return {"StreamDescription": {"Shards": listed, **more}}

    def get_shard_iterator(
        self,
        *,
        StreamArn,  # noqa: N803 - AWS's names
        ShardId,  # noqa: N803
        ShardIteratorType,  # noqa: N803
        SequenceNumber=None,  # noqa: N803
    ):
        self._fail("get_shard_iterator", ShardId)
        numbers = [r["dynamodb"]["SequenceNumber"] for r in self.shards[ShardId]]
        after = ShardIteratorType == "AFTER_SEQUENCE_NUMBER"
        return {"ShardIterator": f"{ShardId}:{numbers.index(SequenceNumber) + 1 if after else 0}"}

    def get_records(self, *, ShardIterator, Limit):  # noqa: N803 - AWS's names
        shard, _, position = ShardIterator.partition(":")
        self._fail("get_records", shard)
        self.reads.append(ShardIterator)
        start = int(position)
        records = self.shards[shard][start : start + Limit]
        end = start + len(records)
        is_over = shard in self.ended and end == len(self.shards[shard])
        following = {} if is_over else {"NextShardIterator": f"{shard}:{end}"}
        return {"Records": records, **following}

    def _fail(self, method: str, shard: str = "") -> None:
        gone = "ResourceNotFoundException" if shard and shard not in self.shards else ""
        if code := self.fails.pop(method, gone):
            metadata = {"HTTPStatusCode": 400}
            raise ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, method)


def seqs(entries) -> list[int]:
    return [entry.seq for entry in entries]


def test_a_shard_is_read_only_after_its_parent():
    streams = FakeStreams({"child": [record(3)], "parent": [record(1), record(2)]})
    streams.parents = {"child": "parent"}
    streams.ended = {"parent"}
    reader = StreamReader(streams, stream_arn="arn")

    assert drained(reader, limit=1) == [1, 2, 3]


def test_a_shard_whose_parent_is_no_longer_kept_is_read_at_once():
    streams = FakeStreams({"child": [record(3)]})
    streams.parents = {"child": "trimmed long ago"}

    assert drained(StreamReader(streams, stream_arn="arn")) == [3]


def test_shards_that_begin_when_one_ends_are_found():
    streams = FakeStreams({"a": [record(1)]})
    reader = StreamReader(streams, stream_arn="arn")
    assert drained(reader) == [1]

    streams.ended.add("a")
    streams.shards["b"] = [record(2)]
    streams.parents["b"] = "a"

    assert reader.poll(10) == []
    assert seqs(reader.poll(10)) == [2]


def test_a_busy_shard_does_not_starve_another():
    streams = FakeStreams({"busy": [record(seq) for seq in range(1, 9)], "quiet": [record(9)]})
    reader = StreamReader(streams, stream_arn="arn")

    assert seqs(reader.poll(1)) + seqs(reader.poll(1)) == [1, 9]


def test_records_that_are_no_entries_are_read_past():
    streams = FakeStreams({"a": [*map(other_record, range(1, 8)), record(8)]})
    reader = StreamReader(streams, stream_arn="arn")

    assert seqs(reader.poll(1)) == [8]


def test_a_poll_reads_a_bounded_number_of_times():
    streams = FakeStreams({"a": [*map(other_record, range(1, 100)), record(100)]})
    reader = StreamReader(streams, stream_arn="arn")

    assert reader.poll(1) == []
    assert len(streams.reads) == 20
    assert json.loads(reader.tokens()) == {"a": f"{20:021d}"}


def test_an_expired_iterator_costs_a_poll_and_no_entry():
    streams = FakeStreams({"a": [record(1), record(2)]})
    reader = StreamReader(streams, stream_arn="arn")
    assert seqs(reader.poll(1)) == [1]
    streams.fails = {"get_records": "ExpiredIteratorException"}

    assert reader.poll(1) == []
    assert seqs(reader.poll(1)) == [2]


def test_a_place_that_was_trimmed_begins_anew_with_the_oldest_record():
    streams = FakeStreams({"a": [record(7), record(8)]})
    streams.fails = {"get_shard_iterator": "TrimmedDataAccessException"}
    reader = StreamReader(streams, stream_arn="arn", tokens='{"a": "000000000000000000002"}')

    assert reader.poll(10) == []
    assert seqs(reader.poll(10)) == [7, 8]


def test_a_shard_that_is_gone_is_forgotten():
    streams = FakeStreams({"a": [record(1)], "b": []})
    reader = StreamReader(streams, stream_arn="arn")
    assert seqs(reader.poll(1)) == [1]
    del streams.shards["b"]

    reader.poll(1)
    reader.poll(1)

    assert list(json.loads(reader.tokens())) == ["a"]


def test_a_throttled_poll_keeps_its_place():
    streams = FakeStreams({"a": [record(1), record(2)]})
    reader = StreamReader(streams, stream_arn="arn")
    assert seqs(reader.poll(1)) == [1]
    streams.fails = {"get_records": "LimitExceededException"}

    with pytest.raises(Throttled):
        reader.poll(1)

    assert seqs(reader.poll(1)) == [2]


def test_a_stream_that_is_gone_is_a_failure_of_the_backend():
    streams = FakeStreams({})
    streams.fails = {"describe_stream": "ResourceNotFoundException"}

    with pytest.raises(BackendError):
        StreamReader(streams, stream_arn="arn").poll(1)


def test_an_entry_that_cannot_be_read_is_met_again_by_the_next_poll():
    streams = FakeStreams({"a": [record(1), record(2, body="{}")]})
    reader = StreamReader(streams, stream_arn="arn")
    assert seqs(reader.poll(1)) == [1]

    for _ in range(2):
        with pytest.raises(InvariantBroken):
            reader.poll(1)
