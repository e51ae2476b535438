"""What `Registry.commit` promises to one writer: all or nothing, under revs without a gap."""

import pytest

from cell_control.adapters.registry_rules import KEY_CHARS_MAX, TEXT_BYTES_MAX
from cell_control.ports import RegistryConflict, Write
from tests.contract.contract import Contract
from tests.control.registry.samples import (
    FullRegistry,
    OnOneBackend,
    OpenRegistry,
    delete,
    fill,
    found,
    keys,
    put,
    revs,
    tenants,
)


class WritePromises(OnOneBackend, Contract):
    """Promises about what is written, and what is not."""

    def test_each_write_of_a_commit_gets_the_next_rev(self, registry: FullRegistry) -> None:
        assert registry.commit([put("c"), put("a"), put("b")]) == 3
        assert registry.commit([put("a", 2), put("d")]) == 5

        assert registry.rev() == 5
        assert [found(registry, key).rev for key in "abcd"] == [4, 3, 1, 5]

    def test_a_commit_replaces_all_of_a_record(self, registry: FullRegistry) -> None:
        registry.commit([put("a", body='{"x":1}', tag="open")])

        registry.commit([Write(kind="tenant", key="a", rev=1, body="{}")])

        record = found(registry, "a")
        assert (record.body, record.edge, record.tag) == ("{}", None, "")

    @pytest.mark.parametrize("rev", [0, 1, 3, 99])
    def test_a_record_at_another_rev_is_a_conflict_that_names_it(
        self, registry: FullRegistry, rev: int
    ) -> None:
        registry.commit([put("other"), put("a")])

        with pytest.raises(RegistryConflict) as error:
            registry.commit([put("a", rev, '"lost"')])

        assert (error.value.kind, error.value.key) == ("tenant", "a")
        assert (registry.rev(), found(registry, "a").body) == (2, "{}")

    def test_a_record_that_is_not_there_is_a_conflict(self, registry: FullRegistry) -> None:
        with pytest.raises(RegistryConflict):
            registry.commit([put("a", 1)])

        assert registry.rev() == 0

    def test_one_write_that_conflicts_stops_all_of_them(self, registry: FullRegistry) -> None:
        registry.commit([put("a"), put("b")])

        with pytest.raises(RegistryConflict) as error:
            registry.commit([put("new"), put("a", 1, '"lost"'), put("b", 1), delete("c", 7)])

        assert error.value.key == "b"
        assert keys(registry.list("tenant", limit=10)) == ["a", "b"]
        assert (registry.rev(), found(registry, "a").body) == (2, "{}")

    def test_a_conflict_takes_no_rev(self, registry: FullRegistry) -> None:
        registry.commit([put("a")])
        for _ in range(3):
            with pytest.raises(RegistryConflict):
                registry.commit([put("a"), put("b")])

        assert registry.commit([put("b")]) == 2

    def test_kinds_do_not_share_keys(self, registry: FullRegistry) -> None:
        registry.commit([put("a", kind="cell"), put("a", kind="usage"), put("a")])

        registry.commit([put("a", 2, '"new"', kind="usage")])

        assert found(registry, "a", "cell").rev == 1
        assert found(registry, "a").rev == 3

    def test_a_tombstone_counts_as_none(self, registry: FullRegistry) -> None:
        registry.commit([put("a")])
        registry.commit([delete("a", 1)])

        with pytest.raises(RegistryConflict):
            registry.commit([put("a", 2)])
        registry.commit([put("a", 0, '"again"')])

        assert found(registry, "a").rev == 3
        assert revs(tenants(registry).records) == [3]

    def test_a_deletion_of_what_has_changed_is_a_conflict(self, registry: FullRegistry) -> None:
        registry.commit([put("a")])
        registry.commit([put("a", 1)])

        with pytest.raises(RegistryConflict):
            registry.commit([delete("a", 1)])

        assert found(registry, "a").rev == 2

    def test_a_thousand_writes_are_one_commit(self, registry: FullRegistry) -> None:
        names = [f"T-{n:04d}" for n in range(1001)]

        assert fill(registry, names[:1000]) == 1000
        assert registry.commit([put(name, at) for at, name in enumerate(names[:1000], 1)]) == 2000
        with pytest.raises(ValueError, match="1000"):
            fill(registry, names)
        assert registry.count("tenant") == 1000

    def test_the_largest_texts_are_kept_and_larger_ones_are_a_mistake(
        self, registry: FullRegistry
    ) -> None:
        key, body = "k" * KEY_CHARS_MAX, '"' + "é" * (TEXT_BYTES_MAX // 2 - 1) + '"'

        registry.commit([put(key, body=body)])

        assert found(registry, key).body == body
        for wrong in (put(key + "k"), put("a", body=body + " ")):
            with pytest.raises(ValueError, match="is"):
                registry.commit([wrong])

    @pytest.mark.parametrize(
        "wrong",
        [
            [],
            [put("a"), put("a", 1)],
            [put("")],
            [put("é")],
            [put("a\n")],
            [put("a\0")],
            [put("a", body="")],
            [put("a", body="\0")],
            [put("a", body="\ud800")],
            [put("a", kind="nonsense")],
        ],
        ids=range(10),
    )
    def test_what_no_registry_holds_is_a_mistake_and_writes_nothing(
        self, registry: FullRegistry, wrong: list[Write]
    ) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            registry.commit([put("sound"), *wrong] if wrong else wrong)

        assert registry.rev() == 0

    def test_independent_registries_share_one_counter(self, open_registry: OpenRegistry) -> None:
        one, other = open_registry(), open_registry()

        taken = [writer.commit([put(f"T-{n}")]) for n, writer in enumerate([one, other] * 3)]

        assert taken == [1, 2, 3, 4, 5, 6]

    def test_what_was_committed_outlives_the_registry_it_went_through(
        self, open_registry: OpenRegistry
    ) -> None:
        first = open_registry()
        first.commit([put("a", body='"kept"', tag="open"), put("b")])
        first.commit([delete("b", 2)])
        first.close()

        second = open_registry()

        assert (second.rev(), found(second, "a").body) == (3, '"kept"')
        assert keys(tenants(second, after=2).records) == ["b"]
        assert second.commit([put("a", 1)]) == 4
