"""What a cell promises about time: what is due happens by itself, once, and only at the home."""

from cell_core.domain.documents import ENTITY, Document, Page
from cell_core.domain.fence import Role
from cell_core.domain.ids import partition_of, stripe_of
from cell_core.ports import CellStore
from cell_core.service.sweep import Sweeper
from tests.contract.cell_samples import (
    START_MS,
    LocalCell,
    OnOneCell,
    Stripe,
    hold,
    new_tenant,
    open_account,
)
from tests.contract.contract import Contract
from tests.domains_under_test import DOMAINS

_EXPIRES_MS = START_MS + 1000
_LONG_MS = START_MS + 60_000


class SweepPromises(OnOneCell, Contract):
    """Promises about holds that expire; a sweep may meet the tenants of other tests."""

    def test_an_expired_hold_is_released_once(self, stripe: Stripe) -> None:
        _hold(stripe, "h")
        stripe.here.clock.time_ms = _EXPIRES_MS

        counts = [_sweep(stripe.here)["applied"] for _ in range(2)]

        assert counts[0] >= 1
        assert _expired(stripe) == ["main:expire:h"]
        assert '"state":"voided"' in _body(stripe, "hold.h")
        assert '"debits_pending":"0"' in _body(stripe, "account.x")

    def test_a_hold_that_has_not_expired_stays(self, stripe: Stripe) -> None:
        _hold(stripe, "h")
        stripe.here.clock.time_ms = _EXPIRES_MS - 1

        _sweep(stripe.here)

        assert _expired(stripe) == []
        assert '"state":"open"' in _body(stripe, "hold.h")

    def test_two_sweepers_release_a_hold_once(
        self, stripe: Stripe, other_instance: LocalCell
    ) -> None:
        _hold(stripe, "h")
        for cell in (stripe.here, other_instance):
            cell.clock.time_ms = _EXPIRES_MS
        seen = stripe.exported(ENTITY)
        _sweep(stripe.here)

        late = Sweeper(
            _Stale(other_instance.store, stripe, seen),
            other_instance.clock,
            other_instance.controller,
            other_instance.processor,
            DOMAINS,
        )
        assert late.sweep(_LONG_MS)["due"] >= 1

        assert _expired(stripe) == ["main:expire:h"]

    def test_holds_of_one_name_in_two_streams_are_both_released(self, stripe: Stripe) -> None:
        _hold(stripe, "h")
        _hold(stripe, "h", stream="other")
        stripe.here.clock.time_ms = _EXPIRES_MS

        _sweep(stripe.here)

        assert sorted(_expired(stripe)) == ["main:expire:h", "other:expire:h"]

    def test_nothing_expires_where_the_tenant_does_not_live(self, cell: LocalCell) -> None:
        frozen, standby = (cell.provision(new_tenant()) for _ in range(2))
        for stripe in (frozen, standby):
            _hold(stripe, "h")
            stripe.freeze()
        standby.seal()
        cell.clock.time_ms = _EXPIRES_MS

        counted = _sweep(cell)

        assert counted["failed"] == 0
        assert frozen.fence().role is Role.FROZEN
        assert _expired(frozen) == []
        assert _expired(standby) == []

    def test_each_tenant_and_stripe_is_swept(self, cell: LocalCell) -> None:
        striped, plain = cell.provision(new_tenant(), stripes=4), cell.provision(new_tenant())
        for stream in ("s0", "s1", "s2"):
            _hold(striped, "h", stream=stream)
        _hold(plain, "h")
        cell.clock.time_ms = _EXPIRES_MS

        _sweep(cell)

        stripes = {stripe_of("ledger", stream, 4) for stream in ("s0", "s1", "s2")}
        assert len(stripes) > 1
        done = [e for number in stripes for e in _expired(cell.at(striped.tenant, number))]
        assert sorted(done) == [f"s{number}:expire:h" for number in range(3)]
        assert _expired(plain) == ["main:expire:h"]

    def test_a_sweep_past_its_deadline_issues_nothing(self, stripe: Stripe) -> None:
        _hold(stripe, "h")
        stripe.here.clock.time_ms = _EXPIRES_MS

        counted = stripe.here.sweeper.sweep(_EXPIRES_MS)

        assert counted["due"] == 0
        assert _expired(stripe) == []


class _Stale:
    """A store that shows one stripe's entities as they were before."""

    def __init__(self, inner: CellStore, stripe: Stripe, seen: list[Document]) -> None:
        self._inner, self._stripe, self._seen = inner, stripe, seen

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        if partition == partition_of(self._stripe.tenant, self._stripe.number):
            return Page(tuple(d for d in self._seen if d.key.startswith(prefix)), None)
        return self._inner.page(partition, prefix, after=after, limit=limit)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def _hold(stripe: Stripe, name: str, stream: str = "main") -> None:
    stripe.run(
        open_account("x", stream=stream),
        open_account("y", stream=stream),
        hold(name, "x", "y", _EXPIRES_MS, stream=stream),
    )


def _sweep(cell: LocalCell) -> dict[str, int]:
    return cell.sweeper.sweep(_LONG_MS)


def _expired(stripe: Stripe) -> list[str]:
    """Return the ids of the commands that a sweep issued and that did something."""
    return [e.command_id for e in stripe.journal() if ":" in e.command_id and e.events]


def _body(stripe: Stripe, entity: str) -> str:
    document, _ = stripe.here.reader.entity(stripe.reading(domain="ledger"), entity)
    return document.body
