"""What `CellStore.commit` promises about documents: each is still what was read, or no write."""

import json
from collections.abc import Callable
from typing import TypeAlias
from uuid import uuid4

import pytest

from cell_core.domain.documents import (
    DIRECTORY,
    Batch,
    Create,
    Delete,
    Document,
    Put,
    entity_key,
    log_key,
    tenant_key,
)
from cell_core.domain.errors import LostRace
from cell_core.domain.limits import COMMIT_BYTES_MAX, OPERATIONS_MAX
from cell_core.ports import CellStore
from tests.contract.contract import Contract
from tests.contract.samples import (
    FENCE,
    OnOneBackend,
    OpenStore,
    document,
    found,
    listed,
    log,
    stand,
    step,
    tombstone,
)

_KEY = entity_key("ledger", "main", "account.alice")
_FIRST, _SECOND, _THIRD = (document(_KEY, n, f'{{"n":{n}}}') for n in (1, 2, 3))
_NEW = document(entity_key("ledger", "main", "account.new"), 2)


Stale: TypeAlias = Callable[[CellStore, str], Put | Delete]
"""Makes a write of something that another writer changes at once."""


def _read(store: CellStore, partition: str) -> Document:
    read = found(store, partition, _KEY)
    assert read is not None
    return read


def _changed(store: CellStore, partition: str) -> Put:
    read = _read(store, partition)
    store.commit(step(partition, 1, Put(_SECOND, read)))
    return Put(_THIRD, read)


def _deleted(store: CellStore, partition: str) -> Put:
    read = _read(store, partition)
    store.commit(step(partition, 1, Delete(read)))
    return Put(_THIRD, read)


def _made_anew(store: CellStore, partition: str) -> Put:
    put = _deleted(store, partition)
    store.commit(step(partition, 2, Put(_SECOND)))
    return put


def _already_there(_store: CellStore, _partition: str) -> Put:
    return Put(_THIRD)


def _deleted_by_another(store: CellStore, partition: str) -> Delete:
    read = _read(store, partition)
    store.commit(step(partition, 1, Delete(read)))
    return Delete(read)


def _changed_by_another(store: CellStore, partition: str) -> Delete:
    read = _read(store, partition)
    store.commit(step(partition, 1, Put(_SECOND, read)))
    return Delete(read)


each_stale_write = pytest.mark.parametrize(
    "stale",
    [
        pytest.param(_changed, id="put over a changed document"),
        pytest.param(_deleted, id="put over a deleted document"),
        pytest.param(_made_anew, id="put over a document made anew"),
        pytest.param(_already_there, id="put of a new document that exists"),
        pytest.param(_deleted_by_another, id="delete of a deleted document"),
        pytest.param(_changed_by_another, id="delete of a changed document"),
    ],
)


class WritePromises(OnOneBackend, Contract):
    """Promises about `Put`, `Delete` and the whole batch."""

    def test_a_document_is_put_where_nothing_stands(self, store: CellStore, partition: str) -> None:
        stand(store, partition)

        store.commit(step(partition, 1, Put(_FIRST)))

        assert found(store, partition, _KEY) == _FIRST

    def test_a_document_is_put_over_what_was_read(self, store: CellStore, partition: str) -> None:
        stand(store, partition, _FIRST)

        store.commit(step(partition, 1, Put(_SECOND, _read(store, partition))))

        assert found(store, partition, _KEY) == _SECOND

    def test_a_document_is_put_over_what_another_store_read(
        self, open_store: OpenStore, partition: str
    ) -> None:
        here, there = open_store(), open_store()
        stand(here, partition, _FIRST)

        here.commit(step(partition, 1, Put(_SECOND, _read(there, partition))))

        assert found(there, partition, _KEY) == _SECOND

    def test_a_document_is_put_over_what_a_page_showed(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, _FIRST)
        [shown] = store.page(partition, "ENT:", after=None, limit=1).documents

        store.commit(step(partition, 1, Put(_SECOND, shown)))

        assert found(store, partition, _KEY) == _SECOND

    def test_a_document_is_changed_again_and_again(self, store: CellStore, partition: str) -> None:
        stand(store, partition, _FIRST)

        for seq in range(1, 6):
            put = Put(document(_KEY, seq + 1, f'"{seq}"'), _read(store, partition))
            store.commit(step(partition, seq, put))

        assert found(store, partition, _KEY) == document(_KEY, 6, '"5"')

    def test_a_document_that_was_read_is_deleted(self, store: CellStore, partition: str) -> None:
        stand(store, partition, _FIRST)

        store.commit(step(partition, 1, Delete(_read(store, partition))))

        assert found(store, partition, _KEY) is None
        assert listed(store, partition, "ENT:") == []

    def test_a_tombstone_takes_a_document_s_place_and_gives_it_back(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, _FIRST)

        store.commit(step(partition, 1, Put(tombstone(_KEY, 2), _read(store, partition))))
        assert found(store, partition, _KEY) == tombstone(_KEY, 2)
        assert listed(store, partition, "ENT:") == [_KEY]
        store.commit(step(partition, 2, Put(_THIRD, _read(store, partition))))

        assert found(store, partition, _KEY) == _THIRD

    def test_a_tombstone_is_not_nothing(self, store: CellStore, partition: str) -> None:
        stand(store, partition, tombstone(_KEY, 1))

        with pytest.raises(LostRace):
            store.commit(step(partition, 1, Put(_SECOND)))

        assert found(store, partition, _KEY) == tombstone(_KEY, 1)

    @each_stale_write
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_document_that_is_not_what_was_read_stops_the_whole_batch(
        self, open_store: OpenStore, partition: str, stale: Stale, place: int
    ) -> None:
        here, there = open_store(), open_store()
        stand(here, partition, _FIRST)
        write = stale(there, partition)
        before = here.read(partition, [_KEY])
        assert before.fence is not None
        seq = before.fence.seq + 1
        writes: list[Put | Delete] = [log(seq), Put(_NEW)]
        writes.insert(place, write)

        with pytest.raises(LostRace):
            here.commit(step(partition, seq, *writes))

        after = here.read(partition, [_KEY, log_key(seq), _NEW.key])
        assert after.fence == before.fence
        assert dict(after.documents) == dict(before.documents)

    def test_a_new_fence_is_not_created_when_a_document_stands_in_the_way(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, _FIRST)
        other = f"{partition[:-1]}1"
        store.commit(Batch(partition=other, fence=None, writes=(Put(_FIRST),)))

        with pytest.raises(LostRace):
            store.commit(
                Batch(partition=other, fence=Create(FENCE), writes=(Put(_NEW), Put(_SECOND)))
            )

        snapshot = store.read(other, [_KEY, _NEW.key])
        assert snapshot.fence is None
        assert dict(snapshot.documents) == {_KEY: _FIRST}

    def test_the_largest_number_of_operations_is_one_commit(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition)
        writes = [log(seq) for seq in range(1, OPERATIONS_MAX)]  # The fence is an operation too.

        store.commit(step(partition, 1, *writes))

        assert len(listed(store, partition, "LOG:")) == OPERATIONS_MAX - 1

    def test_the_last_of_many_operations_stops_all(self, store: CellStore, partition: str) -> None:
        last = log(OPERATIONS_MAX - 1)
        stand(store, partition, last.document)
        writes = [log(seq) for seq in range(1, OPERATIONS_MAX)]

        with pytest.raises(LostRace):
            store.commit(step(partition, 1, *writes))

        assert listed(store, partition, "LOG:") == [last.document.key]

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("x", id="ASCII"),
            pytest.param('{"k":"v"},', id="JSON"),
            pytest.param("猫", id="three bytes a character"),
            pytest.param("🐎", id="four bytes a character"),
        ],
    )
    def test_the_largest_number_of_bytes_is_one_commit(
        self, store: CellStore, partition: str, text: str
    ) -> None:
        stand(store, partition)
        # As SDKs spell it: every quote and every character beyond ASCII escaped.
        spelled_bytes = len(json.dumps(text)) - 2
        body = text * (COMMIT_BYTES_MAX // 5 // spelled_bytes)
        writes = [log(seq, body) for seq in range(1, 6)]

        store.commit(step(partition, 1, *writes))

        snapshot = store.read(partition, [put.document.key for put in writes])
        assert [line.body == body for line in snapshot.documents.values()] == [True] * 5

    def test_a_line_of_the_directory_is_put_and_deleted_without_a_fence(
        self, store: CellStore
    ) -> None:
        line = Document(tenant_key(f"T-{uuid4().hex}"), 0, '{"stripes":1}')

        store.commit(Batch(partition=DIRECTORY, fence=None, writes=(Put(line),)))
        read = found(store, DIRECTORY, line.key)
        assert read is not None
        assert read == line
        store.commit(Batch(partition=DIRECTORY, fence=None, writes=(Delete(read),)))

        assert found(store, DIRECTORY, line.key) is None
        assert store.read(DIRECTORY, []).fence is None

    def test_a_line_of_the_directory_that_exists_stops_the_whole_batch(
        self, store: CellStore
    ) -> None:
        tenant = f"T-{uuid4().hex}"
        line, other = (Document(tenant_key(f"{tenant}.{n}"), 0, "{}") for n in (1, 2))
        store.commit(Batch(partition=DIRECTORY, fence=None, writes=(Put(line),)))

        with pytest.raises(LostRace):
            store.commit(Batch(partition=DIRECTORY, fence=None, writes=(Put(other), Put(line))))

        assert listed(store, DIRECTORY, tenant_key(tenant)) == [line.key]
