"""What an isolate remembers of the registry: bounded, newer over older, and no epoch goes back."""

import asyncio

import pytest

from cell_core.wire.registry import Change, RegistryRefused, TenantRecord
from cell_router import shell_worker_registry
from cell_router.shell_worker_kv import CHANGES_KEY
from cell_router.shell_worker_ports import KvUnavailable
from cell_router.shell_worker_registry import KvRegistry
from tests.router.worker.edge import ALPHA_EPOCH, BETA_EPOCH, Edge

EDGE = Edge()


class Kv:
    """A namespace in memory."""

    def __init__(self, *values):
        self.values = {key: value for part in values for key, value in part.items()}
        self.down = False
        self.asked = []

    async def get(self, key, cache_s):
        self.asked.append(key)
        assert cache_s >= 60  # KV takes no less.
        if self.down:
            raise KvUnavailable
        return self.values.get(key)


async def trust_everybody(_sealed):
    """Take any signature: the real check is Web Crypto's."""


def _registry(kv, check=trust_everybody):
    return KvRegistry(kv, check)


def _load(registry, tenant="acme", now=0.0):
    asyncio.run(registry.load(tenant, now))
    value = registry.get(b"t:" + tenant.encode())
    return None if value is None else value.decode()


def test_before_anything_was_read_there_is_no_registry():
    registry = _registry(Kv())

    assert (registry.meta().rev, registry.version(), registry.get(b"t:acme")) == (0, 0, None)


def test_a_namespace_without_a_head_is_no_registry():
    with pytest.raises(KvUnavailable):
        _load(_registry(Kv()))


def test_a_row_is_stale_after_a_minute_and_read_again():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH}))
    registry = _registry(kv)
    _load(registry, now=0.0)
    kv.values |= EDGE.snapshot({"acme": BETA_EPOCH}, rev=2)

    assert not registry.is_stale("acme", 59.9)
    assert registry.is_stale("acme", 60.0)
    assert _load(registry, now=60.0) == str(BETA_EPOCH)


def test_a_head_older_than_the_one_held_changes_nothing():
    kv = Kv(EDGE.snapshot({"acme": BETA_EPOCH}, rev=2))
    registry = _registry(kv)
    _load(registry)
    kv.values |= EDGE.snapshot({"acme": ALPHA_EPOCH}, rev=1)

    assert _load(registry, now=60.0) == str(BETA_EPOCH)
    assert registry.meta().rev == 2


def test_a_newer_head_does_not_take_an_epoch_back():
    kv = Kv(EDGE.snapshot({"acme": BETA_EPOCH}, rev=1))
    registry = _registry(kv)
    _load(registry)
    kv.values |= EDGE.snapshot({"acme": ALPHA_EPOCH}, rev=2)

    assert _load(registry, now=60.0) == str(BETA_EPOCH)


def test_a_tenant_that_a_newer_head_has_no_more_is_gone():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH, "zeta": BETA_EPOCH}, rev=1))
    registry = _registry(kv)
    _load(registry)
    kv.values |= EDGE.snapshot({"zeta": BETA_EPOCH}, rev=2)

    assert _load(registry, now=60.0) is None


def test_a_cell_that_a_newer_head_has_no_more_is_gone():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH}, rev=1))
    registry = _registry(kv)
    _load(registry)
    kv.values |= EDGE.snapshot({"acme": ALPHA_EPOCH}, rev=2, cells=[])
    _load(registry, now=60.0)

    assert registry.get(b"c:1") is None


def test_what_was_read_stays_while_kv_is_down():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH}))
    registry = _registry(kv)
    _load(registry)
    kv.down = True

    with pytest.raises(KvUnavailable):
        _load(registry, now=61.0)

    assert registry.get(b"t:acme") == str(ALPHA_EPOCH).encode()


def test_a_head_that_is_refused_leaves_the_one_held():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH}, rev=1))
    trusted = [True]

    async def check(_sealed):
        if not trusted[0]:
            raise RegistryRefused("registry_signature_invalid")

    registry = _registry(kv, check)
    _load(registry)
    kv.values |= EDGE.snapshot({"acme": BETA_EPOCH}, rev=2)
    trusted[0] = False

    assert _load(registry, now=61.0) == str(ALPHA_EPOCH)
    assert registry.refusals == ["registry_signature_invalid"]


def test_a_batch_of_many_changes_is_kept_under_the_key_of_all():
    changes = [
        Change(rev=2, kind="tenant", key="acme", value=str(BETA_EPOCH)),
        Change(rev=3, kind="tenant", key="zeta", value=None),
    ]
    published = EDGE.changes(*changes, after=1)
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH, "zeta": BETA_EPOCH}, rev=1), published)
    registry = _registry(kv)

    assert list(published) == [CHANGES_KEY]
    assert _load(registry) == str(BETA_EPOCH)
    assert _load(registry, "zeta") is None
    assert registry.meta().rev == 3


def test_the_same_question_asked_at_once_costs_nothing():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH}))
    registry = _registry(kv)
    _load(registry, "nobody", now=0.0)
    kv.asked.clear()

    assert _load(registry, "nobody", now=4.9) is None
    assert kv.asked == []
    _load(registry, "nobody", now=5.0)
    assert kv.asked != []


def test_the_version_changes_with_a_row_and_only_then():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH}))
    registry = _registry(kv)
    _load(registry)
    before = registry.version()

    _load(registry, now=10.0)
    _load(registry, "nobody", now=10.0)

    assert registry.version() == before


def test_no_more_tenants_are_remembered_than_allowed():
    kv = Kv(EDGE.snapshot({"acme": ALPHA_EPOCH}))
    registry = _registry(kv)

    async def ask_for_many():
        for number in range(shell_worker_registry.TENANTS_MAX + 10):
            await registry.load(f"t{number}", 0.0)

    asyncio.run(ask_for_many())

    assert len(registry._tenants) == shell_worker_registry.TENANTS_MAX
    assert len(registry._read) == shell_worker_registry.TENANTS_MAX


def test_no_more_chunks_are_kept_than_allowed():
    wide = "n" * 58
    records = [
        TenantRecord(tenant=f"{wide}{number:06d}", epoch=ALPHA_EPOCH) for number in range(40_000)
    ]
    kv = Kv(EDGE.snapshot({}, records=records))
    registry = KvRegistry(kv, trust_everybody, chunks_raw_bytes_max=1_500_000)

    for number in (0, 20_000, 39_999):
        assert _load(registry, f"{wide}{number:06d}") == str(ALPHA_EPOCH)

    assert len([key for key in kv.values if key.startswith("registry/chunk/")]) == 3
    assert registry._chunks_raw_bytes <= 1_500_000


@pytest.mark.parametrize("tenant", ["a", "acme", "m", "zeta", "zz"])
def test_a_tenant_is_found_by_its_whole_name_only(tenant):
    tenants = {"acme": ALPHA_EPOCH, "m": BETA_EPOCH, "mm": ALPHA_EPOCH, "zeta": BETA_EPOCH}
    registry = _registry(Kv(EDGE.snapshot(tenants)))

    found = _load(registry, tenant)

    assert found == (str(tenants[tenant]) if tenant in tenants else None)
