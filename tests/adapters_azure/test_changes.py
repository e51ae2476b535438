"""The change feed shows every journal entry, in order within a partition, and can be resumed."""

import json
from collections.abc import Iterator

import azure.functions as func
import pytest

from cell_adapters_azure.changes import FeedReader, entries_of
from cell_core.domain.decider import Context, Outcome
from cell_core.domain.documents import Document, Put, log_key
from cell_core.domain.errors import InvalidInput, InvariantBroken, Unavailable
from cell_core.domain.fence import GENESIS, Fence, Role
from cell_core.domain.journal import Entry, write_entry
from cell_core.ports import CellStore
from cell_devstack.cosmos.errors import ConnectionCut
from tests.adapters_azure.wire import LocalCosmos, local_cosmos
from tests.contract.samples import document, stand, step


@pytest.fixture(params=[1, 4], ids=["one_partition", "four_partitions"])
def cosmos(request: pytest.FixtureRequest) -> Iterator[LocalCosmos]:
    with local_cosmos(partitions=request.param) as cosmos:
        yield cosmos


def entry(tenant: str, seq: int) -> Entry:
    return write_entry(
        Fence(role=Role.ACTIVE, epoch=17, seq=seq - 1),
        Context(
            tenant=tenant, stream="main", command_id=f"c-{seq}", seq=seq, time_ms=1_700_000_000_000
        ),
        domain="ledger",
        print_of_request="ab" * 32,
        outcome=Outcome(events=(), changes={}, state={}, rejection=None),
        digest=GENESIS,
    )


def put(written: Entry) -> Put:
    return Put(Document(log_key(written.seq), written.seq, written.body))


def write(store: CellStore, tenants: int, entries: int) -> None:
    """Write the same entries for each tenant, with an entity beside each, which is no entry."""
    for tenant in range(tenants):
        partition = f"t{tenant}/00"
        stand(store, partition)
        for seq in range(1, entries + 1):
            store.commit(
                step(partition, seq, put(entry(f"t{tenant}", seq)), Put(document(f"ENT:a:b:{seq}")))
            )


def seen(entries: list[Entry]) -> dict[str, list[int]]:
    """Return the seqs by tenant, in the order in which they came."""
    return {one.tenant: [e.seq for e in entries if e.tenant == one.tenant] for one in entries}


def drained(reader: FeedReader, limit: int) -> list[Entry]:
    entries: list[Entry] = []
    for _ in range(200):
        polled = reader.poll(limit)
        assert len(polled) <= limit
        if not polled:
            return entries
        entries.extend(polled)
    raise AssertionError("the feed never ends")


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_every_entry_is_shown_once_and_in_order_and_nothing_else(cosmos: LocalCosmos, limit: int):
    write(cosmos.open_store(), tenants=5, entries=3)

    entries = drained(FeedReader(cosmos.connect), limit)

    assert seen(entries) == {f"t{tenant}": [1, 2, 3] for tenant in range(5)}
    assert entry("t3", 2) in entries


def test_a_feed_of_nothing_shows_nothing_and_goes_on(cosmos: LocalCosmos):
    reader = FeedReader(cosmos.connect)
    assert reader.poll(10) == []

    write(cosmos.open_store(), tenants=2, entries=1)

    assert seen(drained(reader, 10)) == {"t0": [1], "t1": [1]}


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_another_reader_goes_on_at_the_tokens(cosmos: LocalCosmos, limit: int):
    write(cosmos.open_store(), tenants=4, entries=2)
    entries: list[Entry] = []
    tokens = ""

    for _ in range(50):
        reader = FeedReader(cosmos.connect, tokens)
        polled = reader.poll(limit)
        tokens = reader.tokens()
        if not polled:
            break
        entries.extend(polled)

    assert seen(entries) == {f"t{tenant}": [1, 2] for tenant in range(4)}


def test_a_reader_that_had_seen_all_is_shown_only_what_is_new(cosmos: LocalCosmos):
    store = cosmos.open_store()
    write(store, tenants=3, entries=1)
    first = FeedReader(cosmos.connect)
    drained(first, 100)

    store.commit(step("t1/00", 2, put(entry("t1", 2))))

    assert seen(drained(FeedReader(cosmos.connect, first.tokens()), 100)) == {"t1": [2]}


def test_a_poll_that_fails_moves_nothing(cosmos: LocalCosmos):
    write(cosmos.open_store(), tenants=3, entries=2)
    reader = FeedReader(cosmos.connect)
    reader.poll(1)
    before = reader.tokens()
    feed = iter(range(100))

    def breaks_at_the_second(request, serve):
        if request.verb == "GET" and next(feed) == 1:
            raise ConnectionCut
        return serve(request)

    cosmos.wire.disturbance = breaks_at_the_second
    with pytest.raises(Unavailable):
        reader.poll(100)
    cosmos.wire.disturbance = None

    assert reader.tokens() == before
    assert sum(map(len, seen(drained(reader, 100)).values())) == 5


def test_tokens_are_json_with_one_token_for_each_range(cosmos: LocalCosmos):
    reader = FeedReader(cosmos.connect)
    reader.poll(10)

    version, positions = json.loads(reader.tokens())

    assert version == 1
    assert len(positions) in {1, 4}


@pytest.mark.parametrize("tokens", ["x", "1", "[2,[]]", "[1]", '[1,["a"]]', '[1,[{"feed":1}]]'])
def test_what_are_no_tokens_is_refused(tokens: str):
    with pytest.raises(InvalidInput):
        FeedReader(lambda: None, tokens)


def test_the_trigger_s_documents_give_the_same_entries():
    written = entry("t0", 7)
    documents = func.DocumentList(
        [
            func.Document({"id": "FENCE", "role": "active"}),
            func.Document({"id": log_key(7), "body": written.body, "version": 7}),
            func.Document({"id": "ENT:a:b:c", "body": "{}"}),
        ]
    )

    assert entries_of(documents) == [written]


@pytest.mark.parametrize("fields", [{}, {"body": "{}"}, {"body": "not JSON"}])
def test_what_stands_in_an_entry_s_place_and_is_none_is_a_broken_invariant(fields):
    with pytest.raises(InvariantBroken):
        entries_of([{"id": log_key(1), **fields}])
