"""Reads what a local router counted, from its metrics page."""

import re
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cell_devstack.local_router import LocalRouter

REPORTED_WITHIN_S: Final = 1.5
"""Workers report once a second; what happened before that long ago is on the page."""

_SAMPLE: Final = re.compile(r"^cell_router_(\w+?)(?:_total)?(?:\{.*\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over all workers and cells since the router started.

    Attributes:
        requests: Answers to clients.
        holds: Requests that waited for a frozen tenant.
        hops: Answers that a tenant has moved, each followed within its request.
        retries: What the router sent again.
        coalesced: Commands that shared a commit.
    """

    requests: int
    holds: int
    hops: int
    retries: int
    coalesced: int


def figures(router: LocalRouter) -> Figures:
    """Return what `router` counted so far."""
    with urllib.request.urlopen(router.admin_url + "/metrics", timeout=5) as answer:  # noqa: S310 - loopback
        page = answer.read().decode()
    found = _SAMPLE.findall(page)
    names = Figures.__slots__
    return Figures(**{name: _sum(value for key, value in found if key == name) for name in names})


def _sum(values: Iterable[str]) -> int:
    return round(sum(map(float, values)))
