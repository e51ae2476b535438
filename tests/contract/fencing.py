"""What `CellStore.commit` promises about the fence: who may write, and what a refusal says."""

from dataclasses import replace

import pytest

from cell_core.domain.documents import Advance, Batch, Create, Delete, Document, Put, Remove
from cell_core.domain.errors import Conflict, Fenced, LostRace, NotFound
from cell_core.domain.fence import GENESIS, Fence, Guard, Role, fence_fields
from cell_core.domain.ids import EPOCH_MAX
from cell_core.domain.limits import INTEGER_MAX
from cell_core.ports import CellStore
from tests.contract.contract import Contract
from tests.contract.samples import (
    EPOCH,
    FENCE,
    GUARD,
    OnOneBackend,
    OpenStore,
    document,
    found,
    listed,
    log,
    stand,
)

_CHAIN, _OTHER_CHAIN = "ab" * 32, "cd" * 32
_AT_5 = replace(FENCE, seq=5, chain=_CHAIN)

_ADMITTED = {
    "role and epoch": GUARD,
    "seq": replace(GUARD, seq=5),
    "chain": replace(GUARD, chain=_CHAIN),
    "seq and chain": replace(GUARD, seq=5, chain=_CHAIN),
}

_SETS: dict[str, dict[str, str | int]] = {
    "role": {"role": Role.FROZEN.value},
    "epoch": {"epoch": EPOCH_MAX},
    "seq": {"seq": INTEGER_MAX},
    "chain": {"chain": _OTHER_CHAIN},
    "digest": {"digest": "ef" * 32},
    "stripes": {"stripes": 64},
    "op": {"op": "move-1"},
    "home_hint": {"home_hint": "azure-beta"},
    "base": {"base": '{"mode":"planned \U0001f40e"}'},
    "a text to nothing": {"op": ""},
    "nothing": {},
    "everything": {
        "role": Role.STANDBY.value,
        "epoch": 33,
        "seq": 6,
        "chain": _OTHER_CHAIN,
        "digest": "ef" * 32,
        "stripes": 2,
        "op": "move-2",
        "home_hint": "aws-alpha",
        "base": "{}",
    },
}

_REFUSED = {
    "frozen": (replace(_AT_5, role=Role.FROZEN, op="move-1"), GUARD, Fenced),
    "standby": (replace(_AT_5, role=Role.STANDBY, home_hint="azure-beta"), GUARD, Fenced),
    "quarantine": (replace(_AT_5, role=Role.QUARANTINE), GUARD, Fenced),
    "active, not standby": (_AT_5, replace(GUARD, role=Role.STANDBY), Fenced),
    "active, not frozen": (_AT_5, replace(GUARD, role=Role.FROZEN), Fenced),
    "stale epoch": (_AT_5, replace(GUARD, epoch=EPOCH - 1), Fenced),
    "future epoch": (_AT_5, replace(GUARD, epoch=EPOCH + 16), Fenced),
    "epoch and seq": (_AT_5, replace(GUARD, epoch=EPOCH - 1, seq=4), Fenced),
    "role and seq": (replace(_AT_5, role=Role.FROZEN), replace(GUARD, seq=4), Fenced),
    "seq behind": (_AT_5, replace(GUARD, seq=4), LostRace),
    "seq ahead": (_AT_5, replace(GUARD, seq=6), LostRace),
    "seq of nothing": (_AT_5, replace(GUARD, seq=0), LostRace),
    "chain": (_AT_5, replace(GUARD, chain=_OTHER_CHAIN), LostRace),
    "chain of nothing": (_AT_5, replace(GUARD, chain=GENESIS), LostRace),
    "chain, not seq": (_AT_5, replace(GUARD, seq=5, chain=_OTHER_CHAIN), LostRace),
    "seq, not chain": (_AT_5, replace(GUARD, seq=4, chain=_CHAIN), LostRace),
}

each_admitted = pytest.mark.parametrize("guard", list(_ADMITTED.values()), ids=list(_ADMITTED))
each_refused = pytest.mark.parametrize(
    ("fence", "guard", "error"), list(_REFUSED.values()), ids=list(_REFUSED)
)
each_role = pytest.mark.parametrize("role", list(Role))


def _advance(partition: str, guard: Guard, **sets: str | int) -> Batch:
    return Batch(partition=partition, fence=Advance(guard, sets))


class FencePromises(OnOneBackend, Contract):
    """Promises about `Create`, `Advance` and `Remove`."""

    def test_a_fence_is_created_with_its_documents(self, store: CellStore, partition: str) -> None:
        fence = replace(FENCE, role=Role.STANDBY, op="provision-1")

        store.commit(Batch(partition=partition, fence=Create(fence), writes=(log(1), log(2))))

        assert store.read(partition, []).fence == fence
        assert len(listed(store, partition, "LOG:")) == 2

    def test_creating_twice_is_a_lost_race_and_writes_nothing(
        self, open_store: OpenStore, partition: str
    ) -> None:
        here, there = open_store(), open_store()
        stand(here, partition)

        with pytest.raises(LostRace):
            there.commit(
                Batch(
                    partition=partition,
                    fence=Create(replace(FENCE, role=Role.STANDBY, epoch=33)),
                    writes=(log(1),),
                )
            )

        assert here.read(partition, []).fence == FENCE
        assert listed(here, partition, "LOG:") == []

    @each_admitted
    def test_a_guard_that_holds_lets_the_batch_be_written(
        self, store: CellStore, partition: str, guard: Guard
    ) -> None:
        stand(store, partition, fence=_AT_5)

        store.commit(Batch(partition=partition, fence=Advance(guard, {"seq": 6}), writes=(log(6),)))

        assert store.read(partition, []).fence == replace(_AT_5, seq=6)
        assert listed(store, partition, "LOG:") == [log(6).document.key]

    @each_role
    def test_a_guard_admits_the_role_it_names(
        self, store: CellStore, partition: str, role: Role
    ) -> None:
        stand(store, partition, fence=replace(_AT_5, role=role))

        store.commit(_advance(partition, replace(GUARD, role=role), op="seen"))

        assert store.read(partition, []).fence == replace(_AT_5, role=role, op="seen")

    @pytest.mark.parametrize("sets", list(_SETS.values()), ids=list(_SETS))
    def test_an_advance_sets_the_fields_it_names_and_no_others(
        self, store: CellStore, partition: str, sets: dict[str, str | int]
    ) -> None:
        before = replace(_AT_5, op="before", home_hint="before", base="before")
        stand(store, partition, fence=before)

        store.commit(Batch(partition=partition, fence=Advance(GUARD, sets)))

        fields = {**fence_fields(before), **sets}
        after = store.read(partition, []).fence
        assert after is not None
        assert fence_fields(after) == fields
        assert type(after.role) is Role

    def test_a_role_may_be_set_as_an_enum_member(self, store: CellStore, partition: str) -> None:
        stand(store, partition)

        store.commit(_advance(partition, GUARD, role=Role.FROZEN))

        assert store.read(partition, []).fence == replace(FENCE, role=Role.FROZEN)

    @each_refused
    def test_a_guard_that_does_not_hold_is_refused_with_the_fence_found(
        self,
        store: CellStore,
        partition: str,
        fence: Fence,
        guard: Guard,
        error: type[Conflict],
    ) -> None:
        stand(store, partition, fence=fence)

        with pytest.raises(Conflict) as refused:
            store.commit(_advance(partition, guard, seq=6))

        assert type(refused.value) is error
        assert refused.value.code == error.code
        assert refused.value.fields == {"fence": fence_fields(fence)}

    @each_refused
    def test_a_guard_that_does_not_hold_removes_no_fence(
        self,
        store: CellStore,
        partition: str,
        fence: Fence,
        guard: Guard,
        error: type[Conflict],
    ) -> None:
        stand(store, partition, fence=fence)

        with pytest.raises(error) as refused:
            store.commit(Batch(partition=partition, fence=Remove(guard)))

        assert refused.value.fields == {"fence": fence_fields(fence)}
        assert store.read(partition, []).fence == fence

    @each_refused
    def test_a_refused_guard_writes_nothing_of_the_batch(
        self,
        store: CellStore,
        partition: str,
        fence: Fence,
        guard: Guard,
        error: type[Conflict],
    ) -> None:
        kept, gone = document("ENT:a:b:kept"), document("ENT:a:b:gone")
        stand(store, partition, kept, gone, fence=fence)
        read = store.read(partition, [kept.key, gone.key]).documents
        writes = (
            log(6),
            Put(Document(kept.key, 6, "{}"), read[kept.key]),
            Delete(read[gone.key]),
        )

        with pytest.raises(error):
            store.commit(
                Batch(partition=partition, fence=Advance(guard, {"seq": 6}), writes=writes)
            )

        snapshot = store.read(partition, [kept.key, gone.key, log(6).document.key])
        assert snapshot.fence == fence
        assert dict(snapshot.documents) == {kept.key: kept, gone.key: gone}

    def test_the_fence_s_refusal_is_told_before_a_document_s(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, document(log(1).document.key))
        stale = replace(GUARD, epoch=EPOCH - 1)

        with pytest.raises(Fenced):
            store.commit(Batch(partition=partition, fence=Advance(stale, {}), writes=(log(1),)))

    def test_advancing_no_fence_is_not_found_and_writes_nothing(
        self, store: CellStore, partition: str
    ) -> None:
        with pytest.raises(NotFound) as missing:
            store.commit(
                Batch(partition=partition, fence=Advance(GUARD, {"seq": 1}), writes=(log(1),))
            )

        assert missing.value.code == "tenant_not_found"
        assert store.read(partition, []).fence is None
        assert listed(store, partition, "LOG:") == []

    def test_removing_no_fence_is_not_found(self, store: CellStore, partition: str) -> None:
        with pytest.raises(NotFound) as missing:
            store.commit(Batch(partition=partition, fence=Remove(GUARD)))

        assert missing.value.code == "tenant_not_found"

    @each_admitted
    def test_removing_a_fence_leaves_the_documents(
        self, store: CellStore, partition: str, guard: Guard
    ) -> None:
        entity, entry = document("ENT:a:b:c"), document(log(5).document.key, 5)
        stand(store, partition, entity, entry, fence=_AT_5)
        read = found(store, partition, entry.key)
        assert read is not None

        store.commit(Batch(partition=partition, fence=Remove(guard), writes=(Delete(read),)))

        snapshot = store.read(partition, [entity.key, entry.key])
        assert snapshot.fence is None
        assert dict(snapshot.documents) == {entity.key: entity}

    def test_a_fence_that_was_removed_can_be_created_again(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition)
        store.commit(Batch(partition=partition, fence=Remove(GUARD)))

        stand(store, partition, fence=_AT_5)

        assert store.read(partition, []).fence == _AT_5
