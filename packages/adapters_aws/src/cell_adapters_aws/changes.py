"""`ChangeReader` on DynamoDB Streams, and the journal entries in a Lambda's batch of its records.

Refuses to be the truth: the log is, this is its doorbell. Records are kept for 24 hours; what was
trimmed before it was read is skipped without a word, as the port allows.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from cell_adapters_aws.documents import document_in
from cell_adapters_aws.errors import code_of, translated
from cell_core.domain.documents import LOG
from cell_core.domain.errors import InvalidInput, InvariantBroken
from cell_core.domain.journal import Entry, read_entry

if TYPE_CHECKING:
    from mypy_boto3_dynamodbstreams import DynamoDBStreamsClient
    from mypy_boto3_dynamodbstreams.type_defs import DescribeStreamInputTypeDef, ShardTypeDef

_RECORDS_MAX: Final = 1000
"""The most that one GetRecords returns."""

_READS_MAX: Final = 20
"""GetRecords calls of one poll; an idle shard takes one."""

_LISTING_CALLS_MAX: Final = 50
"""Each lists 100 shards."""

_POLLS_PER_LISTING: Final = 100
"""New shards are also looked for whenever one has ended; most begin there."""

_BEGINNING: Final = ""

_ITERATOR_EXPIRED: Final = "ExpiredIteratorException"
_PLACE_TRIMMED: Final = "TrimmedDataAccessException"
_SHARD_GONE: Final = "ResourceNotFoundException"


def entries_of(records: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Return the journal entries that `records`, of Streams or of its Lambda event, show as new.

    Raises:
        InvariantBroken: A journal document is not what this code writes.
    """
    return [_entry(record["dynamodb"]) for record in records if _is_new_entry(record)]


@dataclass(slots=True)
class _Shard:
    """Where a reader stands in one shard: behind the record at `place`."""

    id: str
    parent: str = ""
    place: str = _BEGINNING
    iterator: str | None = None
    ended: bool = False


class StreamReader:
    """`ChangeReader` over all shards of one stream, each after its parent. For one thread."""

    def __init__(
        self, client: "DynamoDBStreamsClient", *, stream_arn: str, tokens: str = ""
    ) -> None:
        """Begin at what an earlier reader's `tokens()` returned, or at the oldest record.

        Raises:
            InvalidInput: `tokens` is something else.
        """
        self._client = client
        self._stream_arn = stream_arn
        self._shards = {shard: _Shard(shard, place=at) for shard, at in _places(tokens).items()}
        self._polls_left = 0

    def poll(self, limit: int) -> Sequence[Entry]:
        """See `ChangeReader.poll`; at most 20 reads, and what is returned is of one shard.

        It may be empty although there is more, behind records that are no journal entries.

        Raises:
            Throttled, Unavailable: Nothing was read, and the place is kept.
            InvariantBroken: As `entries_of`; the place is kept before that record.
        """
        self._list_when_due()
        reads_left = _READS_MAX
        for shard in [shard for shard in self._shards.values() if self._is_ready(shard)]:
            more = True
            while more and reads_left:
                reads_left -= 1
                entries, more = self._read(shard, min(max(limit, 1), _RECORDS_MAX))
                if entries:
                    # The next poll begins with another shard, so that a busy one starves none.
                    self._shards[shard.id] = self._shards.pop(shard.id)
                    return entries
        return []

    def tokens(self) -> str:
        """See `ChangeReader.tokens`: JSON, the last sequence number read in each shard."""
        places = {shard.id: shard.place for shard in self._shards.values()}
        return json.dumps(places, sort_keys=True)

    def _is_ready(self, shard: _Shard) -> bool:
        """Say whether `shard` has more to come and its parent, if it is still kept, has not."""
        parent = self._shards.get(shard.parent)
        return not shard.ended and (parent is None or parent.ended)

    def _read(self, shard: _Shard, limit: int) -> tuple[list[Entry], bool]:
        """Return the entries in the next records of `shard`, and whether to read on at once."""
        with translated("poll", writes=False):
            try:
                iterator = shard.iterator or self._iterator(shard)
                answer = self._client.get_records(ShardIterator=iterator, Limit=limit)
                records = answer["Records"]
            except ClientError as error:
                if not self._is_lost(shard, code_of(error)):
                    raise
                return [], False
        entries = entries_of(records)
        # From here on nothing fails: the place moves only with what is returned.
        if records:
            shard.place = records[-1]["dynamodb"]["SequenceNumber"]
        shard.iterator = answer.get("NextShardIterator")
        shard.ended = "NextShardIterator" not in answer
        if shard.ended:
            self._polls_left = 0
        return entries, bool(records) and not shard.ended

    def _iterator(self, shard: _Shard) -> str:
        if shard.place == _BEGINNING:
            answer = self._client.get_shard_iterator(
                StreamArn=self._stream_arn, ShardId=shard.id, ShardIteratorType="TRIM_HORIZON"
            )
        else:
            answer = self._client.get_shard_iterator(
                StreamArn=self._stream_arn,
                ShardId=shard.id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                SequenceNumber=shard.place,
            )
        return answer["ShardIterator"]

    def _is_lost(self, shard: _Shard, code: str) -> bool:
        """Say whether `code` means that the way to our place is lost; the next poll finds another.

        An iterator lives for 15 minutes and a record for 24 hours: both are usual after a pause.
        """
        if code not in (_ITERATOR_EXPIRED, _PLACE_TRIMMED, _SHARD_GONE):
            return False
        shard.iterator = None
        if code == _PLACE_TRIMMED:
            shard.place = _BEGINNING
        if code == _SHARD_GONE:
            self._polls_left = 0
        return True

    def _list_when_due(self) -> None:
        """Learn which shards there are; those that are no longer kept are forgotten."""
        if self._polls_left > 0:
            self._polls_left -= 1
            return
        known = self._shards
        self._shards = {}
        for listed in self._list():
            shard = known.get(listed["ShardId"], _Shard(listed["ShardId"]))
            shard.parent = listed.get("ParentShardId", "")
            self._shards[shard.id] = shard
        self._polls_left = _POLLS_PER_LISTING

    def _list(self) -> "list[ShardTypeDef]":
        shards: list[ShardTypeDef] = []
        request: DescribeStreamInputTypeDef = {"StreamArn": self._stream_arn}
        for _ in range(_LISTING_CALLS_MAX):
            with translated("poll", writes=False):
                stream = self._client.describe_stream(**request)["StreamDescription"]
                shards += stream["Shards"]
                last = stream.get("LastEvaluatedShardId")
            if last is None:
                break
            request["ExclusiveStartShardId"] = last
        return shards


def _is_new_entry(record: Mapping[str, Any]) -> bool:
    key: str = record["dynamodb"]["Keys"]["sk"]["S"]
    return record["eventName"] == "INSERT" and key.startswith(LOG)


def _entry(change: Mapping[str, Any]) -> Entry:
    # Without an image the stream was made for keys only; its keys are no document, and refused.
    document = document_in(change.get("NewImage", change["Keys"]))
    try:
        return read_entry(document.body)
    except InvalidInput:
        raise InvariantBroken(problem="not a journal entry", key=document.key) from None


def _places(tokens: str) -> dict[str, str]:
    try:
        places = json.loads(tokens or "{}")
    except ValueError:
        places = None
    if not isinstance(places, dict) or not all(isinstance(at, str) for at in places.values()):
        raise InvalidInput("invalid_data", problem="not the tokens of a stream reader")
    return places
