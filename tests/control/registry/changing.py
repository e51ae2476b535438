"""What `Registry.changes` promises: each record's last change, in order, with nothing left out."""

from collections.abc import Iterator

import pytest

from cell_control.adapters.registry_rules import RegistryNotEmpty
from cell_control.domain.records import KINDS
from cell_control.ports import Changes, ChangesGone, Record
from tests.contract.contract import Contract
from tests.control.registry.samples import (
    FullRegistry,
    OnOneBackend,
    delete,
    fill,
    found,
    keys,
    put,
    revs,
    tenants,
)


class ChangePromises(OnOneBackend, Contract):
    """Promises to who follows."""

    def test_nothing_has_changed_in_an_empty_registry(self, registry: FullRegistry) -> None:
        assert tenants(registry) == Changes(records=(), rev=0)

    def test_changes_come_in_the_order_of_their_revs(self, registry: FullRegistry) -> None:
        registry.commit([put("c"), put("a")])
        registry.commit([put("b")])

        changes = tenants(registry)

        assert (keys(changes.records), changes.rev) == (["c", "a", "b"], 3)

    def test_a_record_is_shown_once_at_its_last_change(self, registry: FullRegistry) -> None:
        registry.commit([put("a"), put("b")])
        registry.commit([put("a", 1, '"new"')])

        changes = tenants(registry)

        assert (keys(changes.records), revs(changes.records)) == (["b", "a"], [2, 3])
        assert changes.records[1] == found(registry, "a")

    def test_only_what_is_behind_a_rev_is_shown(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b", "c"])

        assert keys(tenants(registry, after=2).records) == ["c"]
        assert tenants(registry, after=3) == Changes(records=(), rev=3)

    def test_a_page_says_how_far_it_goes(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b", "c"])

        first = tenants(registry, limit=2)
        second = tenants(registry, first.rev, limit=2)

        assert (keys(first.records), first.rev) == (["a", "b"], 2)
        assert (keys(second.records), second.rev) == (["c"], 3)

    def test_a_full_page_with_nothing_behind_it_goes_to_the_end(
        self, registry: FullRegistry
    ) -> None:
        registry.commit([put("a"), put("b"), put("x", kind="cell")])

        assert tenants(registry, limit=2).rev == 3

    def test_other_kinds_are_left_out_and_their_revs_are_passed(
        self, registry: FullRegistry
    ) -> None:
        registry.commit(
            [put("u", kind="usage"), put("a"), put("v", kind="usage"), put("g", kind="group")]
        )

        some = registry.changes(0, kinds=("group", "tenant"), limit=10)
        none = registry.changes(0, kinds=("audit",), limit=10)

        assert (keys(some.records), some.rev) == (["a", "g"], 4)
        assert none == Changes(records=(), rev=4)
        assert registry.changes(0, kinds=(), limit=10) == none

    def test_a_deletion_is_a_change(self, registry: FullRegistry) -> None:
        registry.commit([put("a")])
        registry.commit([delete("a", 1)])

        tombstone = Record(kind="tenant", key="a", rev=2, body="", deleted=True)
        assert tenants(registry, after=1).records == (tombstone,)
        assert tenants(registry).records == (tombstone,)

    @pytest.mark.parametrize("after", [4, 10**12])
    def test_a_rev_that_never_was_is_refused_with_where_the_registry_is(
        self, registry: FullRegistry, after: int
    ) -> None:
        fill(registry, ["a", "b", "c"])

        with pytest.raises(ChangesGone) as error:
            tenants(registry, after)

        assert error.value.rev == 3

    def test_who_folds_the_changes_holds_what_is_there(self, registry: FullRegistry) -> None:
        held: dict[str, Record] = {}
        seen = 0
        for step in range(40):
            key = f"T-{step * 7 % 11}"
            now = found(registry, key)
            write = delete(key, now.rev) if now and step % 3 else put(key, now.rev if now else 0)
            registry.commit([write, put(f"{step}", kind="audit")])
            if step % 5 == 0:
                changes = tenants(registry, seen, limit=3)
                held |= {record.key: record for record in changes.records}
                seen = changes.rev
        while (changes := tenants(registry, seen, limit=3)).records:
            held |= {record.key: record for record in changes.records}
            seen = changes.rev

        live = sorted((r for r in held.values() if not r.deleted), key=lambda r: r.key)
        assert live == registry.list("tenant", limit=100)
        assert seen == registry.rev()


class ForgetPromises(OnOneBackend, Contract):
    """Promises about tombstones that are forgotten, and a registry that is filled at once."""

    def test_what_is_older_than_a_forgotten_tombstone_is_gone(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b", "c"])
        registry.commit([delete("a", 1)])
        registry.commit([delete("b", 2)])

        assert registry.forget_tombstones(4) == 1

        for after in (0, 1, 3):
            with pytest.raises(ChangesGone) as error:
                tenants(registry, after)
            assert error.value.rev == 5
        assert revs(tenants(registry, after=4).records) == [5]

    def test_nothing_is_forgotten_where_there_is_no_tombstone(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b"])

        assert registry.forget_tombstones(10) == 0

        assert keys(tenants(registry, after=1).records) == ["b"]

    def test_forgetting_takes_no_rev_and_no_record(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b"])
        registry.commit([delete("a", 1)])

        registry.forget_tombstones(3)

        assert registry.rev() == 3
        assert registry.commit([put("a"), put("b", 2)]) == 5

    def test_all_tombstones_go_however_many(self, registry: FullRegistry) -> None:
        names = [f"T-{n:04d}" for n in range(1000)]
        fill(registry, names)
        registry.commit([delete(name, rev) for rev, name in enumerate(names, 1)])
        registry.commit([put("last")])
        registry.commit([delete("last", 2001)])

        assert registry.forget_tombstones(10**9) == 1001

        assert registry.changes(2002, kinds=KINDS, limit=10).records == ()
        with pytest.raises(ChangesGone):
            registry.changes(2001, kinds=KINDS, limit=10)

    def test_what_is_loaded_keeps_its_revs_and_the_registry_goes_on_from_its_own(
        self, registry: FullRegistry
    ) -> None:
        loaded = [
            Record(kind="tenant", key=f"T-{n:04d}", rev=2 * n + 1, body="{}") for n in range(2500)
        ]

        registry.load(iter(loaded), 9000)

        assert registry.list("tenant", limit=10_000) == loaded
        assert registry.rev() == 9000
        assert registry.commit([put("T-0000", 1)]) == 9001

    def test_the_past_of_a_loaded_registry_is_gone(self, registry: FullRegistry) -> None:
        registry.load([Record(kind="tenant", key="a", rev=5, body="{}")], 100)

        for after in (0, 1, 5, 99, 101):
            with pytest.raises(ChangesGone):
                tenants(registry, after)
        assert tenants(registry, after=100) == Changes(records=(), rev=100)

    def test_only_an_empty_registry_is_loaded(self, registry: FullRegistry) -> None:
        registry.commit([put("a")])

        with pytest.raises(RegistryNotEmpty):
            registry.load([Record(kind="tenant", key="b", rev=5, body="{}")], 100)

        assert (registry.rev(), keys(registry.list("tenant", limit=9))) == (1, ["a"])

    def test_nothing_is_loaded_of_a_source_that_breaks(self, registry: FullRegistry) -> None:
        def source() -> Iterator[Record]:
            for n in range(1500):
                yield Record(kind="tenant", key=f"T-{n}", rev=n + 1, body="{}")
            raise OSError("cut")

        with pytest.raises(OSError, match="cut"):
            registry.load(source(), 2000)

        assert (registry.rev(), registry.count("tenant")) == (0, 0)
