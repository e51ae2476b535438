"""Where the cells say that their journals stand, as the control plane's API passes it on.

Refuses to take a standby's word: the home's fence is what a tenant has written.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from cell_core.domain.errors import InvariantBroken
from cell_lake.audit import FencePosition
from cell_lake.domain.shards import Stripe
from cell_lake.lineage_source import Ask

_PAGE: Final = 1000
_PAGES_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class Fences:
    """What the homes said, and the tenants whose home did not answer."""

    known: dict[Stripe, FencePosition]
    dark: tuple[str, ...]


def read_tenants(ask: Ask) -> Iterator[str]:
    """Yield the ids of all tenants, a page at a time.

    Raises:
        InvariantBroken: The answer is not a control plane's.
    """
    after = ""
    try:
        for _ in range(_PAGES_MAX):
            page = ask(f"/v1/tenants?limit={_PAGE}&after={quote(after, safe='')}")
            for each in page["tenants"]:
                yield str(each["id"])
            if not page["after"]:
                return
            after = str(page["after"])
    except (KeyError, TypeError):
        raise InvariantBroken(problem="not a control plane's tenants") from None


def read_fences(ask: Ask, tenants: Iterable[str]) -> Fences:
    """Return where the journals of `tenants` stand at their homes now.

    Raises:
        InvariantBroken: The answer is not a control plane's.
    """
    known: dict[Stripe, FencePosition] = {}
    dark: list[str] = []
    for tenant in tenants:
        told = ask(f"/v1/tenants/{quote(tenant, safe='')}/positions")
        try:
            if told["home"] in told["unknown"]:
                dark.append(tenant)
            for each in told["positions"]:
                if each["cell"] == told["home"]:
                    at = FencePosition(seq=int(each["seq"]), chain=str(each["chain"]))
                    known[Stripe(tenant, int(each["stripe"]))] = at
        except (KeyError, TypeError, ValueError):
            raise InvariantBroken(problem="not a control plane's positions") from None
    return Fences(known, tuple(dark))
