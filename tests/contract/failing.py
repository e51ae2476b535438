"""What `CellStore` promises when its backend breaks: an honest error, and never a vendor's."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cell_core.domain.documents import Put, log_key
from cell_core.domain.errors import (
    BackendError,
    LostRace,
    OutcomeUnknown,
    Throttled,
    Unavailable,
)
from cell_core.ports import CellStore
from tests.contract.contract import Contract
from tests.contract.samples import FENCE, document, log, new_partition, stand, step

_READS: dict[str, Callable[[CellStore, str], object]] = {
    "read": lambda store, partition: store.read(partition, [log_key(1)]),
    "read of the fence": lambda store, partition: store.read(partition, []),
    "page": lambda store, partition: store.page(partition, "LOG:", after=None, limit=10),
    "ping": lambda store, _partition: store.ping(),
}

each_read = pytest.mark.parametrize("call", list(_READS.values()), ids=list(_READS))


@dataclass(frozen=True, slots=True)
class Broken:
    """A store whose backend breaks, and a witness: one that reaches the same data unharmed."""

    store: CellStore
    witness: CellStore


class FailingPromises(Contract):
    """Promises a store keeps when its backend does not; a binding gives the broken backends."""

    @pytest.fixture
    def throttled(self) -> Broken:
        """Return a store whose backend refuses every call for lack of capacity."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def refused(self) -> Broken:
        """Return a store whose backend does not listen."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def dies_before(self) -> Broken:
        """Return a store whose backend takes every call and dies before it does anything."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def dies_after(self) -> Broken:
        """Return a store whose backend does every call and dies before it answers."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def errs_after(self) -> Broken:
        """Return a store whose backend does every call and answers with an internal error."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def garbled(self) -> Broken:
        """Return a store whose backend does every call and answers with a success full of noise."""
        raise NotImplementedError("a binding gives it")

    @pytest.fixture
    def partition(self) -> str:
        return new_partition()

    @each_read
    def test_a_throttled_read_says_so(
        self, throttled: Broken, partition: str, call: Callable[[CellStore, str], object]
    ) -> None:
        with pytest.raises(Throttled) as error:
            call(throttled.store, partition)

        assert 0 < error.value.retry_after_ms <= 60_000

    def test_a_throttled_commit_says_so_and_writes_nothing(
        self, throttled: Broken, partition: str
    ) -> None:
        stand(throttled.witness, partition)

        with pytest.raises(Throttled) as error:
            throttled.store.commit(step(partition, 1, log(1)))

        assert 0 < error.value.retry_after_ms <= 60_000
        assert _is_unwritten(throttled.witness, partition)

    @each_read
    def test_a_read_is_unavailable_where_nobody_listens(
        self, refused: Broken, partition: str, call: Callable[[CellStore, str], object]
    ) -> None:
        with pytest.raises(Unavailable) as error:
            call(refused.store, partition)

        assert type(error.value) is Unavailable

    def test_a_commit_is_unavailable_where_nobody_listens(
        self, refused: Broken, partition: str
    ) -> None:
        with pytest.raises(Unavailable) as error:
            refused.store.commit(step(partition, 1, log(1)))

        assert type(error.value) is Unavailable

    @each_read
    def test_a_read_whose_backend_died_before_it_is_unavailable(
        self, dies_before: Broken, partition: str, call: Callable[[CellStore, str], object]
    ) -> None:
        with pytest.raises(Unavailable):
            call(dies_before.store, partition)

    @each_read
    def test_a_read_whose_answer_was_lost_is_unavailable(
        self, dies_after: Broken, partition: str, call: Callable[[CellStore, str], object]
    ) -> None:
        with pytest.raises(Unavailable):
            call(dies_after.store, partition)

    @each_read
    def test_a_read_answered_by_an_internal_error_is_unavailable(
        self, errs_after: Broken, partition: str, call: Callable[[CellStore, str], object]
    ) -> None:
        with pytest.raises(Unavailable):
            call(errs_after.store, partition)

    @pytest.mark.parametrize("call", list(_READS.values())[:3], ids=list(_READS)[:3])
    def test_a_read_answered_by_noise_is_unavailable(
        self, garbled: Broken, partition: str, call: Callable[[CellStore, str], object]
    ) -> None:
        with pytest.raises(Unavailable):
            call(garbled.store, partition)

    def test_a_commit_whose_backend_died_before_it_may_be_committed_again(
        self, dies_before: Broken, partition: str
    ) -> None:
        stand(dies_before.witness, partition)
        batch = step(partition, 1, log(1), token="a" * 36)

        with pytest.raises(BackendError):
            dies_before.store.commit(batch)

        assert _is_unwritten(dies_before.witness, partition)
        dies_before.witness.commit(batch)
        assert _is_written_once(dies_before.witness, partition)

    def test_a_commit_whose_answer_was_lost_is_unknown(
        self, dies_after: Broken, partition: str
    ) -> None:
        _commit_in_doubt(dies_after, partition)

    def test_a_commit_answered_by_an_internal_error_is_unknown(
        self, errs_after: Broken, partition: str
    ) -> None:
        _commit_in_doubt(errs_after, partition)

    def test_a_commit_answered_by_noise_is_never_called_unwritten(
        self, garbled: Broken, partition: str
    ) -> None:
        # A vendor's library may take any status 200 for a success, and here it is one.
        stand(garbled.witness, partition)

        with contextlib.suppress(OutcomeUnknown):
            garbled.store.commit(step(partition, 1, log(1), token="c" * 36))

        assert _is_written_once(garbled.witness, partition)


def _commit_in_doubt(broken: Broken, partition: str) -> None:
    stand(broken.witness, partition)
    batch = step(partition, 1, log(1), Put(document("ENT:a:b:c")), token="b" * 36)

    with pytest.raises(OutcomeUnknown):
        broken.store.commit(batch)

    assert _is_written_once(broken.witness, partition)
    with contextlib.suppress(LostRace):
        broken.witness.commit(batch)
    assert _is_written_once(broken.witness, partition)


def _is_unwritten(witness: CellStore, partition: str) -> bool:
    snapshot = witness.read(partition, [log_key(1)])
    return snapshot.fence == FENCE and not snapshot.documents


def _is_written_once(witness: CellStore, partition: str) -> bool:
    snapshot = witness.read(partition, [log_key(1)])
    return snapshot.fence is not None and (snapshot.fence.seq, len(snapshot.documents)) == (1, 1)
