"""What `CellStore.read` promises: what exists, exactly as written, as of now, of one partition."""

import pytest

from cell_core.domain.canonical import canonical
from cell_core.domain.documents import Document, Put, entity_key, log_key, stream_prefix
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import EPOCH_MAX
from cell_core.domain.limits import DOCUMENT_BYTES_MAX, INTEGER_MAX, JSON_DEPTH_MAX, READ_KEYS_MAX
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

_ALICE = entity_key("ledger", "main", "account.alice")
_BOB = entity_key("ledger", "main", "account.bob")

_BODIES = {
    "empty": "",
    "object": "{}",
    "quotes": canonical({'a"b': "say \"hi\" \\ 'x' `y` ;-- ${z} {{q}} %s"}),
    "accents not normalised": canonical({"composed": "é", "decomposed": "e\u0301"}),
    "astral": canonical({"🐎": "\U0001d518 👩\u200d👧 \U0010ffff"}),
    "NUL and controls": canonical({"a": "\x00\x01\x1f\x7f\x80\x9f"}),
    "odd but legal": canonical({"a": "\u2028\u2029\ufeff\ufffe\uffff\u202e\u00a0"}),
    "spaces around": ' {"a" : 1} \n\t ',
    "numbers": '{"big":9007199254740991,"long":"123456789012345678","small":1e-07,"whole":1}',
    "names of the vendors": canonical({"S": "x", "_etag": "y", "id": "z", "pk": "q", "$v": 2}),
    "deep": "[" * JSON_DEPTH_MAX + "]" * JSON_DEPTH_MAX,
    "largest": "x" * DOCUMENT_BYTES_MAX,
    "largest, astral": "🐎" * (DOCUMENT_BYTES_MAX // 4),
    "largest, quotes": '"' * DOCUMENT_BYTES_MAX,
}

_FENCES = {
    "first": FENCE,
    "largest numbers": Fence(role=Role.ACTIVE, epoch=EPOCH_MAX, seq=INTEGER_MAX, stripes=64),
    "all texts": Fence(
        role=Role.QUARANTINE,
        epoch=1,
        seq=42,
        chain="ab" * 32,
        digest="cd" * 32,
        stripes=3,
        op="01J9ZZZZZZZZZZZZZZZZZZZZZZ",
        home_hint="azure-beta",
        base=canonical({"from": "aws-alpha", "mode": "planned", "positions": [[42, "ab" * 32]]}),
    ),
} | {role.value: Fence(role=role, epoch=3) for role in Role}


class ReadPromises(OnOneBackend, Contract):
    """Promises of `CellStore.read` and `CellStore.ping`."""

    def test_nothing_is_read_where_nothing_was_written(
        self, store: CellStore, partition: str
    ) -> None:
        snapshot = store.read(partition, [_ALICE, log_key(1)])

        assert snapshot.fence is None
        assert dict(snapshot.documents) == {}

    def test_a_read_returns_the_fence_and_only_the_documents_that_exist(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, document(_ALICE), document(_BOB))

        snapshot = store.read(partition, [_ALICE, log_key(1)])

        assert snapshot.fence == FENCE
        assert dict(snapshot.documents) == {_ALICE: document(_ALICE)}

    def test_a_read_of_no_keys_returns_the_fence_alone(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, document(_ALICE))

        snapshot = store.read(partition, [])

        assert snapshot.fence == FENCE
        assert dict(snapshot.documents) == {}

    def test_as_many_documents_as_may_be_asked_for_are_read_with_the_fence(
        self, store: CellStore, partition: str
    ) -> None:
        documents = [document(log_key(seq), seq) for seq in range(1, READ_KEYS_MAX + 1)]
        stand(store, partition, *documents)

        snapshot = store.read(partition, [line.key for line in documents])

        assert snapshot.fence == FENCE
        assert dict(snapshot.documents) == {line.key: line for line in documents}

    def test_a_key_asked_for_twice_is_returned_once(self, store: CellStore, partition: str) -> None:
        stand(store, partition, document(_ALICE))

        snapshot = store.read(partition, [_ALICE, _ALICE])

        assert dict(snapshot.documents) == {_ALICE: document(_ALICE)}

    def test_documents_of_more_than_sixteen_megabytes_together_are_all_read(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition)
        large = [document(log_key(seq), seq, "x" * DOCUMENT_BYTES_MAX) for seq in range(1, 49)]
        for seq in range(1, 13):
            four = large[4 * seq - 4 : 4 * seq]
            store.commit(step(partition, seq, *map(Put, four)))

        snapshot = store.read(partition, [line.key for line in large])

        assert dict(snapshot.documents) == {line.key: line for line in large}
        assert snapshot.fence is not None
        assert snapshot.fence.seq == 12

    @pytest.mark.parametrize("body", [pytest.param(_BODIES[name], id=name) for name in _BODIES])
    def test_a_body_is_read_as_it_was_written(
        self, store: CellStore, partition: str, body: str
    ) -> None:
        stand(store, partition, document(_ALICE, 1, body))

        read = found(store, partition, _ALICE)

        assert read is not None
        assert read.body == body

    @pytest.mark.parametrize("version", [0, 1, 2**31, 2**32 + 1, INTEGER_MAX])
    def test_a_version_is_read_as_the_integer_it_was(
        self, store: CellStore, partition: str, version: int
    ) -> None:
        stand(store, partition, document(_ALICE, version))

        read = found(store, partition, _ALICE)

        assert read is not None
        assert read.version == version
        assert type(read.version) is int

    def test_a_tombstone_is_read_like_any_document(self, store: CellStore, partition: str) -> None:
        stand(store, partition, tombstone(_ALICE, 7))

        read = found(store, partition, _ALICE)

        assert read == tombstone(_ALICE, 7)
        assert read is not None
        assert read.deleted is True

    @pytest.mark.parametrize("fence", [pytest.param(_FENCES[name], id=name) for name in _FENCES])
    def test_a_fence_is_read_as_it_was_written(
        self, store: CellStore, partition: str, fence: Fence
    ) -> None:
        stand(store, partition, fence=fence)

        read = store.read(partition, []).fence

        assert read == fence
        assert read is not None
        assert type(read.role) is Role
        assert {type(read.epoch), type(read.seq), type(read.stripes)} == {int}

    @pytest.mark.parametrize(
        "key",
        [
            pytest.param(entity_key("a", "b", "0"), id="short"),
            pytest.param(entity_key("d" * 64, "s" * 64, "e" * 80), id="longest"),
            pytest.param(entity_key("A.b", "c~d", "Account.A-b_c~d.e"), id="every character"),
        ],
    )
    def test_every_key_can_be_written_and_read(
        self, store: CellStore, partition: str, key: str
    ) -> None:
        stand(store, partition, document(key))

        assert found(store, partition, key) == document(key)

    def test_keys_that_differ_only_in_case_are_two_documents(
        self, store: CellStore, partition: str
    ) -> None:
        upper, lower = document("IDEM:ABC", 1), document("IDEM:abc", 2)
        stand(store, partition, upper, lower)

        snapshot = store.read(partition, ["IDEM:ABC", "IDEM:abc", "IDEM:Abc"])

        assert dict(snapshot.documents) == {"IDEM:ABC": upper, "IDEM:abc": lower}

    def test_each_store_sees_the_other_s_commits_at_once(
        self, open_store: OpenStore, partition: str
    ) -> None:
        here, there = open_store(), open_store()
        stand(here, partition)

        for seq in range(1, 11):
            writer, reader = (here, there) if seq % 2 else (there, here)
            writer.commit(step(partition, seq, log(seq)))
            snapshot = reader.read(partition, [log_key(seq)])

            assert snapshot.fence is not None
            assert snapshot.fence.seq == seq
            assert list(snapshot.documents) == [log_key(seq)]
            assert len(listed(reader, partition, "LOG:")) == seq

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            pytest.param("{}/00", "{}/01", id="stripes of one tenant"),
            pytest.param("{}/00", "{}0/00", id="a tenant named like the beginning of another"),
            pytest.param("{}x/00", "{}X/00", id="tenants that differ only in case"),
            pytest.param("{}.a/00", "{}-a/00", id="tenants that differ in a mark"),
        ],
    )
    def test_partitions_do_not_see_each_other(
        self, store: CellStore, partition: str, one: str, other: str
    ) -> None:
        tenant = partition.partition("/")[0]
        mine, theirs = one.format(tenant), other.format(tenant)
        secret = Document(_ALICE, 1, '"secret"')
        stand(store, mine, secret)

        assert store.read(theirs, [_ALICE]).fence is None
        assert found(store, theirs, _ALICE) is None
        assert listed(store, theirs, stream_prefix("ledger", "main")) == []
        stand(store, theirs, document(_ALICE))
        assert found(store, mine, _ALICE) == secret

    def test_a_store_that_answers_can_be_pinged(self, store: CellStore) -> None:
        store.ping()
