"""Whether the cells that are left could take over, if a cell or a whole cloud were lost now.

Pure. Refuses to promise more than is kept: `ready` needs nothing but a switch-over, `room` needs
the lost cells' data and hence that they still answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cell_control.domain.eligibility import Facts, Site, Wants, reasons_against
from cell_control.domain.records import Policy, Tenant
from cell_control.errors import Reason

SAMPLES_MAX: Final = 10


@dataclass(slots=True)
class Level:
    """Tenants of one priority at home in what is lost.

    Attributes:
        ready: Their standby is elsewhere and may become home at once.
        room: Without such a standby, but another cell could take them while their home answers.
        stuck: No cell could.
    """

    priority: int
    tenants: int = 0
    ready: int = 0
    room: int = 0
    stuck: int = 0


@dataclass(slots=True)
class Absorption:
    """What would become of the tenants of `lost`, a cell or a cloud.

    Attributes:
        levels: By priority, the first to be moved first.
        why: How many do not fit, by the code of each reason.
        samples: Ids of a few of those that do not fit.
    """

    lost: str
    levels: list[Level] = field(default_factory=list)
    why: dict[str, int] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every tenant could be home elsewhere at once."""
        return all(level.ready == level.tenants for level in self.levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """What tenants have in common that may go to the same places."""

    home: str
    standby: str
    policy: Policy
    pin: str


@dataclass(slots=True)
class Crowd:
    """How many are alike, and the ids of a few."""

    count: int = 0
    samples: list[str] = field(default_factory=list)


def crowds_of(tenants: Iterable[Tenant]) -> dict[Alike, Crowd]:
    """Return tenants by what they have in common: a million are few kinds."""
    crowds: dict[Alike, Crowd] = {}
    for tenant in tenants:
        alike = Alike(
            home=tenant.home, standby=tenant.standby, policy=tenant.policy, pin=tenant.pin
        )
        crowd = crowds.setdefault(alike, Crowd())
        crowd.count += 1
        if len(crowd.samples) < SAMPLES_MAX:
            crowd.samples.append(tenant.id)
    return crowds


def absorptions(
    crowds: Mapping[Alike, Crowd], sites: Sequence[Site], facts: Facts
) -> tuple[list[Absorption], list[Absorption]]:
    """Return what would become of each cloud's tenants, and of each cell's."""
    clouds = sorted({site.cell.cloud for site in sites})
    by_cloud = [
        _absorbed(cloud, {s.cell.id for s in sites if s.cell.cloud == cloud}, crowds, sites, facts)
        for cloud in clouds
    ]
    by_cell = [_absorbed(s.cell.id, {s.cell.id}, crowds, sites, facts) for s in sites]
    return by_cloud, by_cell


def _absorbed(
    name: str,
    lost: set[str],
    crowds: Mapping[Alike, Crowd],
    sites: Sequence[Site],
    facts: Facts,
) -> Absorption:
    left = {site.cell.id: site for site in sites if site.cell.id not in lost}
    free = {cell: site.free for cell, site in left.items()}
    levels: dict[int, Level] = {}
    found = Absorption(lost=name)
    gone = [(alike, crowd) for alike, crowd in crowds.items() if alike.home in lost]
    for alike, crowd in sorted(gone, key=lambda pair: (pair[0].policy.priority, pair[1].samples)):
        priority = alike.policy.priority
        level = levels.setdefault(priority, Level(priority=priority))
        level.tenants += crowd.count
        if alike.standby in left and not _against(alike, crowd, left[alike.standby], facts):
            level.ready += crowd.count
            continue
        taken = _fill(alike, crowd, left, free, facts)
        level.room += taken
        level.stuck += crowd.count - taken
        if taken < crowd.count:
            _note(found, alike, crowd, crowd.count - taken, left, facts)
    found.levels = [levels[priority] for priority in sorted(levels)]
    return found


def _fill(
    alike: Alike,
    crowd: Crowd,
    left: Mapping[str, Site],
    free: dict[str, int],
    facts: Facts,
) -> int:
    """Take free places for as many as fit; return how many."""
    todo = crowd.count
    for cell, site in left.items():
        codes = {reason.code for reason in _against(alike, crowd, site, facts)}
        if not codes - {"no_headroom"}:
            taken = min(todo, free[cell])
            free[cell] -= taken
            todo -= taken
    return crowd.count - todo


def _note(
    found: Absorption,
    alike: Alike,
    crowd: Crowd,
    count: int,
    left: Mapping[str, Site],
    facts: Facts,
) -> None:
    codes = {r.code for site in left.values() for r in _against(alike, crowd, site, facts)}
    for code in sorted(codes or {"no_headroom"}):
        found.why[code] = found.why.get(code, 0) + count
    room = SAMPLES_MAX - len(found.samples)
    # Those that fitted come first; of the rest, the ids that are known.
    found.samples += crowd.samples[-min(count, len(crowd.samples)) :][:room]


def _against(alike: Alike, crowd: Crowd, site: Site, facts: Facts) -> list[Reason]:
    wants = Wants(
        tenant=crowd.samples[0],
        policy=alike.policy,
        pin=alike.pin,
        held=frozenset({alike.home, alike.standby}),
    )
    return reasons_against(site, wants, facts)
