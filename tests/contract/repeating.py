"""What `CellStore.commit` promises to a batch committed again, as `OutcomeUnknown` asks for."""

from dataclasses import replace
from uuid import uuid4

import pytest

from cell_core.domain.documents import (
    Advance,
    Batch,
    Create,
    Delete,
    Document,
    Put,
    entity_key,
    log_key,
)
from cell_core.domain.errors import LostRace
from cell_core.ports import CellStore
from tests.contract.contract import Contract
from tests.contract.samples import (
    FENCE,
    GUARD,
    OnOneBackend,
    OpenStore,
    document,
    found,
    listed,
    log,
    stand,
    step,
)

_KEY = entity_key("ledger", "main", "account.alice")
_FIRST, _SECOND = (document(_KEY, n, f'{{"n":{n}}}') for n in (1, 2))
_NEW = document(entity_key("ledger", "main", "account.new"), 2)


def _first(store: CellStore, partition: str) -> Document:
    read = found(store, partition, _KEY)
    assert read is not None
    return read


class RepeatPromises(OnOneBackend, Contract):
    """Promises about a batch that is committed again, as `OutcomeUnknown` asks for."""

    def test_a_batch_committed_again_is_applied_once(
        self, open_store: OpenStore, partition: str
    ) -> None:
        here, there = open_store(), open_store()
        stand(here, partition, _FIRST)
        token = uuid4().hex[:36]
        batch = step(
            partition, 1, log(1), Put(_SECOND, _first(here, partition)), Put(_NEW), token=token
        )

        here.commit(batch)
        again = [_commits(store, batch) for store in (here, there)]

        assert set(again) <= {True, False}
        snapshot = there.read(partition, [_KEY, _NEW.key, log_key(1)])
        assert snapshot.fence == replace(FENCE, seq=1)
        assert dict(snapshot.documents) == {
            _KEY: _SECOND,
            _NEW.key: _NEW,
            log_key(1): log(1).document,
        }

    def test_a_batch_committed_again_after_others_changes_nothing(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, _FIRST)
        batch = step(
            partition, 1, Put(_SECOND, _first(store, partition)), log(1), token=uuid4().hex
        )
        store.commit(batch)
        store.commit(step(partition, 2, Delete(_first(store, partition)), log(2)))

        _commits(store, batch)

        assert store.read(partition, []).fence == replace(FENCE, seq=2)
        assert found(store, partition, _KEY) is None

    def test_a_batch_without_a_token_committed_again_is_a_lost_race(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition)
        batch = step(partition, 1, log(1))
        store.commit(batch)

        with pytest.raises(LostRace):
            store.commit(batch)

        assert store.read(partition, []).fence == replace(FENCE, seq=1)

    def test_creating_again_with_the_same_token_is_applied_once(
        self, store: CellStore, partition: str
    ) -> None:
        batch = Batch(partition=partition, fence=Create(FENCE), writes=(log(1),), token=uuid4().hex)
        store.commit(batch)

        _commits(store, batch)

        assert store.read(partition, []).fence == FENCE
        assert listed(store, partition, "LOG:") == [log_key(1)]

    def test_a_batch_that_lost_may_be_committed_again_when_its_way_is_free(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, _FIRST)
        batch = step(partition, 1, Put(_SECOND), token=uuid4().hex)
        with pytest.raises(LostRace):
            store.commit(batch)
        clear = Batch(
            partition=partition,
            fence=Advance(GUARD, {}),
            writes=(Delete(_first(store, partition)),),
        )
        store.commit(clear)

        store.commit(batch)

        assert found(store, partition, _KEY) == _SECOND

    def test_another_batch_at_the_same_position_with_the_same_token_is_a_lost_race(
        self, open_store: OpenStore, partition: str
    ) -> None:
        # Two instances decide the same command at the same seq: equal tokens, other time stamps.
        here, there = open_store(), open_store()
        stand(here, partition)
        token = uuid4().hex
        here.commit(step(partition, 1, log(1, '{"time_ms":1}'), token=token))

        with pytest.raises(LostRace):
            there.commit(step(partition, 1, log(1, '{"time_ms":2}'), token=token))

        assert found(there, partition, log_key(1)) == log(1, '{"time_ms":1}').document


def _commits(store: CellStore, batch: Batch) -> bool:
    """Say whether `batch`, committed again, is recognised; if not, it must be a lost race."""
    try:
        store.commit(batch)
    except LostRace:
        return False
    return True
