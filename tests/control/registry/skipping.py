"""What `Registry.skip_to` promises: revs left out, nothing changed, and nobody who misses it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cell_control.domain.records import KINDS
from cell_control.ports import Changes, ChangesGone
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
    tenants,
)

_FAR = 10**12


class SkipPromises(OnOneBackend, Contract):
    """Promises about revs that are left out."""

    def test_the_next_commit_is_above_what_was_skipped_to(self, registry: FullRegistry) -> None:
        registry.commit([put("a")])

        assert registry.skip_to(_FAR) == registry.rev() == _FAR
        assert registry.commit([put("a", 1), put("b")]) == _FAR + 2

    def test_a_skip_changes_no_record(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b"])
        registry.commit([delete("b", 2)])
        before = registry.list("tenant", limit=10)

        registry.skip_to(100)

        assert registry.list("tenant", limit=10) == before
        assert (found(registry, "a").rev, found(registry, "b")) == (1, None)
        assert registry.count("tenant") == 1

    def test_every_follower_from_before_a_skip_takes_a_snapshot(
        self, registry: FullRegistry
    ) -> None:
        fill(registry, ["a", "b", "c"])

        registry.skip_to(100)

        for after in (0, 2, 3, 50, 99, 101):
            with pytest.raises(ChangesGone) as error:
                tenants(registry, after)
            assert error.value.rev == 100
        assert tenants(registry, after=100) == Changes(records=(), rev=100)

    def test_who_follows_from_where_it_went_misses_nothing(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b"])
        registry.skip_to(100)

        registry.commit([put("b", 2), put("c")])

        assert keys(tenants(registry, after=100).records) == ["b", "c"]
        assert keys(tenants(registry, after=101).records) == ["c"]

    @pytest.mark.parametrize("rev", [-1, 0, 1, 3])
    def test_a_registry_never_skips_back(self, registry: FullRegistry, rev: int) -> None:
        fill(registry, ["a", "b", "c"])

        assert registry.skip_to(rev) == 3

        assert registry.rev() == 3
        assert keys(tenants(registry, after=1).records) == ["b", "c"]

    def test_a_skip_that_was_done_is_nothing_again(self, registry: FullRegistry) -> None:
        registry.commit([put("a")])
        registry.skip_to(100)
        registry.commit([put("b")])

        assert registry.skip_to(100) == 101

        assert keys(tenants(registry, after=100).records) == ["b"]

    def test_what_was_forgotten_stays_so(self, registry: FullRegistry) -> None:
        fill(registry, ["a", "b"])
        registry.commit([delete("a", 1)])
        registry.skip_to(100)

        assert registry.forget_tombstones(100) == 1

        with pytest.raises(ChangesGone):
            tenants(registry, after=99)
        assert tenants(registry, after=100).rev == 100

    def test_every_registry_on_the_backend_is_there(self, open_registry: OpenRegistry) -> None:
        one, other = open_registry(), open_registry()
        other.commit([put("a")])

        one.skip_to(100)

        assert (other.rev(), other.wait(99, 30.0)) == (100, 100)
        assert other.commit([put("b")]) == 101

    def test_commits_meanwhile_come_before_or_after_it_and_none_is_lost(
        self, open_registry: OpenRegistry
    ) -> None:
        registries = [open_registry() for _ in range(4)]

        def work(n: int) -> list[int]:
            if n == 0:
                return [registries[0].skip_to(1000) * 0]
            return [registries[n].commit([put(f"T-{n}-{step}")]) for step in range(5)]

        with ThreadPoolExecutor(4) as threads:
            taken = sorted(rev for revs in threads.map(work, range(4)) for rev in revs)[1:]

        early = [rev for rev in taken if rev <= 1000]
        late = taken[len(early) :]
        assert early == list(range(1, len(early) + 1))
        assert late == list(range(1001, 1001 + len(late)))
        everything = registries[0].changes(1000, kinds=KINDS, limit=100)
        assert [record.rev for record in everything.records] == late
        assert registries[0].count("tenant") == 15
