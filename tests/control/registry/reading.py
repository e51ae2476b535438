"""What `Registry.get`, `list` and `count` promise: what is there, in order, and no tombstone."""

import pytest

from cell_control.ports import Key, Record
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
)


class ReadPromises(OnOneBackend, Contract):
    """Promises to one reader."""

    def test_an_empty_registry_is_at_rev_0_and_holds_nothing(self, registry: FullRegistry) -> None:
        assert registry.rev() == 0
        assert registry.get([Key(kind="tenant", key="a")]) == [None]
        assert registry.list("tenant", limit=10) == []
        assert registry.count("tenant") == 0

    def test_a_record_is_read_as_it_was_written(self, registry: FullRegistry) -> None:
        body = '{"reason":"Zürich \\u0000 🚲 \'; --"}'

        registry.commit([put("T-1", body=body, tag="open")])

        assert found(registry, "T-1") == Record(
            kind="tenant", key="T-1", rev=1, body=body, edge="17", tag="open"
        )

    def test_records_are_given_in_the_order_they_were_asked_for(
        self, registry: FullRegistry
    ) -> None:
        registry.commit([put("a"), put("b"), put("a", kind="cell")])
        wanted = [("tenant", "b"), ("tenant", "none"), ("cell", "a"), ("tenant", "b")]

        given = registry.get([Key(kind=kind, key=key) for kind, key in wanted])

        assert [one and (one.kind, one.key) for one in given] == [
            ("tenant", "b"), None, ("cell", "a"), ("tenant", "b"),
        ]  # fmt: skip

    def test_no_key_gets_nothing(self, registry: FullRegistry) -> None:
        assert registry.get([]) == []

    def test_a_hundred_keys_are_read_at_once_and_not_one_more(self, registry: FullRegistry) -> None:
        names = [f"T-{n:03d}" for n in range(101)]
        fill(registry, names)
        asked = [Key(kind="tenant", key=name) for name in names]

        assert keys(registry.get(asked[:100])) == names[:100]
        with pytest.raises(ValueError, match="100"):
            registry.get(asked)

    def test_a_list_is_in_the_order_of_bytes(self, registry: FullRegistry) -> None:
        # What a locale would sort otherwise: case, digits, punctuation.
        names = ["A", "B", "a", "b", "a-b", "a.b", "a~b", "0", "10", "9", "a/b", "Z", "ab"]
        fill(registry, names)

        assert keys(registry.list("tenant", limit=100)) == sorted(names)

    def test_a_list_goes_on_after_a_key_until_there_is_no_more(
        self, registry: FullRegistry
    ) -> None:
        names = [f"T-{n:02d}" for n in range(25)]
        fill(registry, names)

        pages, after = [], ""
        while page := keys(registry.list("tenant", after=after, limit=10)):
            pages.append(page)
            after = page[-1]

        assert [len(page) for page in pages] == [10, 10, 5]
        assert [key for page in pages for key in page] == names

    def test_a_list_may_begin_after_a_key_that_does_not_exist(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "c"])

        assert keys(registry.list("tenant", after="b", limit=10)) == ["c"]

    def test_a_list_shows_its_own_prefix_only(self, registry: FullRegistry) -> None:
        fill(registry, ["op", "op/", "op/a", "op/b", "op/~", "op0", "oq/a"])

        assert keys(registry.list("tenant", prefix="op/", limit=10)) == [
            "op/", "op/a", "op/b", "op/~",
        ]  # fmt: skip
        assert keys(registry.list("tenant", prefix="op/", after="op/a", limit=1)) == ["op/b"]

    def test_a_prefix_is_no_pattern(self, registry: FullRegistry) -> None:
        fill(registry, ["a%b", "axb", "a_b"])

        assert keys(registry.list("tenant", prefix="a%", limit=10)) == ["a%b"]
        assert keys(registry.list("tenant", prefix="a_", limit=10)) == ["a_b"]

    def test_a_list_and_a_count_are_of_one_kind(self, registry: FullRegistry) -> None:
        registry.commit([put("a"), put("b", kind="cell"), put("c", kind="usage")])

        assert keys(registry.list("cell", limit=10)) == ["b"]
        assert registry.count("cell") == 1

    def test_a_tag_is_listed_and_counted_without_the_rest(self, registry: FullRegistry) -> None:
        registry.commit([put("a", tag="open"), put("b"), put("c", tag="open"), put("d", tag="x")])

        assert keys(registry.list("tenant", tag="open", limit=10)) == ["a", "c"]
        assert keys(registry.list("tenant", tag="open", prefix="c", limit=10)) == ["c"]
        assert keys(registry.list("tenant", tag="", limit=10)) == ["b"]
        assert (registry.count("tenant", tag="open"), registry.count("tenant")) == (2, 4)

    def test_a_record_leaves_the_list_of_a_tag_it_no_longer_has(
        self, registry: FullRegistry
    ) -> None:
        registry.commit([put("a", tag="open")])

        registry.commit([put("a", 1)])

        assert registry.list("tenant", tag="open", limit=10) == []
        assert registry.count("tenant", tag="open") == 0

    def test_a_tombstone_is_no_record(self, registry: FullRegistry) -> None:
        registry.commit([put("a", tag="open"), put("b")])

        registry.commit([delete("a", 1)])

        assert found(registry, "a") is None
        assert keys(registry.list("tenant", limit=10)) == ["b"]
        assert registry.list("tenant", tag="open", limit=10) == []
        assert (registry.count("tenant"), registry.count("tenant", tag="open")) == (1, 0)

    @pytest.mark.parametrize("limit", [0, -1, 10_001])
    def test_a_limit_out_of_bounds_is_a_mistake(self, registry: FullRegistry, limit: int) -> None:
        with pytest.raises(ValueError, match="limit"):
            registry.list("tenant", limit=limit)
        with pytest.raises(ValueError, match="limit"):
            registry.changes(0, kinds=("tenant",), limit=limit)

    def test_each_registry_sees_the_other_s_commits_at_once(
        self, open_registry: OpenRegistry
    ) -> None:
        one, other = open_registry(), open_registry()

        for rev in range(3):
            writer, reader = (one, other) if rev % 2 else (other, one)
            writer.commit([put("a", rev, str(rev))])

            assert (reader.rev(), found(reader, "a").body) == (rev + 1, str(rev))
