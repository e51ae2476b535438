"""What `CellStore.page` promises: all of a prefix, once, in key order, in bounded pages."""

import pytest

from cell_core.domain.documents import (
    Batch,
    Delete,
    Document,
    Put,
    entity_key,
    log_key,
    stream_prefix,
    tenant_key,
)
from cell_core.domain.limits import PAGE_MAX
from cell_core.ports import CellStore
from tests.contract.contract import Contract
from tests.contract.samples import (
    OnOneBackend,
    OpenStore,
    document,
    found,
    listed,
    log,
    new_partition,
    pages,
    stand,
    step,
    tombstone,
)

_LOOKALIKES = {
    "a longer stream": ("ENT:a:b:", "ENT:a:bb:"),
    "a longer domain": ("ENT:a:b:", "ENT:aa:b:"),
    "another case": ("ENT:a:b:", "ENT:A:b:"),
    "any one character": ("ENT:a_b:s:", "ENT:axb:s:"),
    "the character before": ("ENT:a:b:", "ENT:a:b9"),
    "the character after": ("ENT:a:b:", "ENT:a:b;"),
    "the end of the alphabet": ("ENT:a:b~:", "ENT:a:b~~:"),
    "another kind": ("LOG:", "IDEM:"),
}


class PagePromises(OnOneBackend, Contract):
    """Promises of `CellStore.page`."""

    def test_a_page_of_nothing_is_empty_and_the_last(
        self, store: CellStore, partition: str
    ) -> None:
        assert list(pages(store, partition, "ENT:", 10)) == [[]]

    def test_the_fence_is_on_no_page(self, store: CellStore, partition: str) -> None:
        stand(store, partition, document("ENT:a:b:c"), log(1).document, document("IDEM:x"))

        kinds = ("ENT:", "IDEM:", "LOG:", "ORPH:", "TENANT:")

        assert [len(listed(store, partition, kind)) for kind in kinds] == [1, 1, 1, 0, 0]

    def test_documents_come_in_the_order_of_their_keys_bytes(
        self, store: CellStore, partition: str
    ) -> None:
        names = [
            "0",
            "00",
            "1",
            "10",
            "2",
            "A",
            "Z",
            "Za",
            "a",
            "a-",
            "a.",
            "a0",
            "aA",
            "a_",
            "a~",
            "z",
        ]
        keys = [entity_key("d", "s", name) for name in names]
        stand(store, partition, *(document(key) for key in reversed(keys)))

        assert listed(store, partition, stream_prefix("d", "s")) == sorted(keys)
        assert listed(store, partition, stream_prefix("d", "s"), limit=3) == sorted(keys)

    def test_the_journal_comes_in_the_order_of_its_numbers(
        self, store: CellStore, partition: str
    ) -> None:
        seqs = [1, 2, 9, 10, 11, 99, 100, 2**31, 2**53 - 1]
        stand(store, partition, *(document(log_key(seq), seq) for seq in reversed(seqs)))

        shown = [line.version for page in pages(store, partition, "LOG:", 2) for line in page]

        assert shown == seqs

    def test_a_page_shows_documents_as_a_read_does(self, store: CellStore, partition: str) -> None:
        lines = [
            Document("ENT:a:b:1", 3, '{"horse":"🐎 \\u0000 \\" é"}'),
            tombstone("ENT:a:b:2", 2**40),
        ]
        stand(store, partition, *lines)

        [page] = pages(store, partition, "ENT:", 10)

        assert page == lines

    @pytest.mark.parametrize(("prefix", "other"), list(_LOOKALIKES.values()), ids=list(_LOOKALIKES))
    def test_a_page_shows_its_own_prefix_only(
        self, store: CellStore, partition: str, prefix: str, other: str
    ) -> None:
        mine = [f"{prefix}1", f"{prefix}2"]
        theirs = [f"{other}0", f"{other}1", f"{other}3"]
        stand(store, partition, *map(document, [*theirs, *mine]))

        for limit in (1, 2, 3, 1000):
            assert listed(store, partition, prefix, limit) == mine

    def test_a_page_shows_its_own_partition_only(self, store: CellStore) -> None:
        one, other = new_partition(), new_partition()
        stand(store, one, document("ENT:a:b:1"))
        stand(store, other, document("ENT:a:b:2"))

        assert listed(store, one, "ENT:", 1) == ["ENT:a:b:1"]
        assert listed(store, other, "ENT:", 1) == ["ENT:a:b:2"]

    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            pytest.param(log_key(2), [3, 5], id="a key that exists"),
            pytest.param(log_key(4), [5], id="a key that does not"),
            pytest.param(log_key(0), [1, 2, 3, 5], id="before the first"),
            pytest.param(log_key(5), [], id="the last"),
            pytest.param(log_key(9), [], id="beyond the last"),
        ],
    )
    def test_a_page_begins_after_the_key_given(
        self, store: CellStore, partition: str, after: str, expected: list[int]
    ) -> None:
        seqs = (1, 2, 3, 5)
        stand(store, partition, *(document(log_key(seq), seq) for seq in seqs), document("ORPH:1"))

        page = store.page(partition, "LOG:", after=after, limit=1000)

        assert [line.version for line in page.documents] == expected
        assert page.after is None

    @pytest.mark.parametrize("limit", [1, 2, 7, 19, 20, 21, PAGE_MAX])
    def test_no_page_is_longer_than_asked_and_all_together_are_everything(
        self, store: CellStore, partition: str, limit: int
    ) -> None:
        keys = [log_key(seq) for seq in range(1, 21)]
        stand(store, partition, *map(document, keys))

        shown = list(pages(store, partition, "LOG:", limit))

        assert max(map(len, shown)) <= limit
        assert [line.key for page in shown for line in page] == keys

    def test_the_longest_page_is_a_thousand(self, store: CellStore, partition: str) -> None:
        if self.no_thousands:
            pytest.skip(self.no_thousands)
        keys = [log_key(seq) for seq in range(1, PAGE_MAX + 3)]
        stand(store, partition, *map(document, keys))

        shown = list(pages(store, partition, "LOG:", PAGE_MAX))

        assert max(map(len, shown)) <= PAGE_MAX
        assert [line.key for page in shown for line in page] == keys

    @pytest.mark.parametrize("limit", [15, PAGE_MAX])
    def test_documents_of_two_megabytes_together_are_all_shown(
        self, store: CellStore, partition: str, limit: int
    ) -> None:
        lines = [document(log_key(seq), seq, f"{seq:0100000d}") for seq in range(1, 21)]
        stand(store, partition)
        store.commit(step(partition, 1, *map(Put, lines[:10])))
        store.commit(step(partition, 2, *map(Put, lines[10:])))

        shown = [line for page in pages(store, partition, "LOG:", limit) for line in page]

        assert shown == lines

    def test_documents_written_while_paging_are_shown_if_they_lie_ahead(
        self, open_store: OpenStore, partition: str
    ) -> None:
        here, there = open_store(), open_store()
        stand(here, partition, *(document(log_key(seq), seq) for seq in (2, 4, 6, 8)))
        first = here.page(partition, "LOG:", after=None, limit=2)
        seen = first.documents[-1].key

        gone = found(there, partition, log_key(6))
        assert gone is not None
        there.commit(step(partition, 1, log(1), log(5), log(9), Delete(gone)))
        rest = []
        after: str | None = seen
        while after is not None:
            page = here.page(partition, "LOG:", after=after, limit=2)
            rest += [line.version for line in page.documents]
            after = page.after

        ahead = [seq for seq in (4, 5, 8, 9) if log_key(seq) > seen]
        assert rest == ahead

    def test_paging_goes_on_after_a_document_that_was_deleted(
        self, store: CellStore, partition: str
    ) -> None:
        stand(store, partition, *(document(log_key(seq), seq) for seq in range(1, 6)))
        page = store.page(partition, "LOG:", after=None, limit=2)
        last = page.documents[-1]

        store.commit(step(partition, 1, Delete(last)))

        following = store.page(partition, "LOG:", after=last.key, limit=2).documents
        assert following[0].version == last.version + 1

    def test_the_directory_is_paged_like_any_partition(
        self, store: CellStore, partition: str
    ) -> None:
        tenant = partition.partition("/")[0]
        lines = [Document(tenant_key(f"{tenant}.{n}"), 0, "{}") for n in range(5)]
        store.commit(Batch(partition="~tenants/00", fence=None, writes=tuple(map(Put, lines))))

        shown = listed(store, "~tenants/00", tenant_key(tenant), limit=2)

        assert shown == [line.key for line in lines]
