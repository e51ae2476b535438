"""The corpus: steps in order over a new cell, which every cell on every cloud answers alike.

It ends with what is left: journal, entities and records of every tenant, so that a difference in
what was written cannot hide behind equal answers.
"""

from typing import Final

from tests.parity import (
    corpus_acknowledging,
    corpus_control,
    corpus_envelopes,
    corpus_failures,
    corpus_forks,
    corpus_ledger,
    corpus_preparing,
    corpus_reads,
    corpus_records,
    corpus_refusals,
    corpus_return,
)
from tests.parity.steps import CONTROL, Step, control, get

_ALL = (
    *corpus_ledger.STEPS,
    *corpus_records.STEPS,
    *corpus_envelopes.STEPS,
    *corpus_refusals.STEPS,
    *corpus_reads.STEPS,
    *corpus_failures.STEPS,
    *corpus_control.STEPS,
    *corpus_return.STEPS,
    *corpus_forks.STEPS,
    *corpus_preparing.STEPS,
    *corpus_acknowledging.STEPS,
)

TENANTS: Final = (
    corpus_ledger.TENANT,
    corpus_records.TENANT,
    corpus_records.ORDERS,
    corpus_envelopes.TENANT,
    corpus_reads.TENANT,
    corpus_reads.TWIN,
    corpus_failures.TENANT,
    corpus_control.TENANT,
    corpus_forks.FORK,
    corpus_preparing.TENANT,
    corpus_preparing.FOLLOWER,
    corpus_acknowledging.TENANT,
)
WIDE_STRIPES: Final = 4


def _left(tenant: str, stripe: int = 0) -> tuple[Step, ...]:
    return tuple(
        control(tenant)(f"left.{tenant}.{stripe}.{what}", f"/stripes/{stripe}/{what}?limit=1000")
        for what in ("journal", "entities", "idempotency", "orphans", "digest")
    )


LEFT: Final[tuple[Step, ...]] = (
    get("left.tenants", "/v1/control/tenants?limit=1000", permit=CONTROL),
    *(step for tenant in TENANTS for step in _left(tenant)),
    *(step for stripe in range(WIDE_STRIPES) for step in _left(corpus_envelopes.WIDE, stripe)),
)

CORPUS: Final[tuple[Step, ...]] = (*_ALL, *LEFT)
