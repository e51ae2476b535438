"""Cells, sites and tenants as a test needs them, in order but for what it says."""

from typing import Any

from cell_control.domain.eligibility import Facts, Site, Wants
from cell_control.domain.records import (
    Base,
    Capacity,
    Cell,
    Lifecycle,
    Policy,
    Probe,
    Tenant,
    Usage,
)

NOW_MS = 1_700_000_000_000
CONTRACT = "1"
FACTS = Facts(now_ms=NOW_MS, contract=CONTRACT)
CLEAN = Probe(at_ms=NOW_MS, contract=CONTRACT)
CLOUDS = ("aws", "azure", "gcp")


def cell(ordinal: int, *, tenants: int = 100, **fields: Any) -> Cell:
    """Return an active cell that was probed; cells of the three clouds take turns."""
    cloud = CLOUDS[ordinal % 3]
    given = {
        "id": f"{cloud}-{ordinal}",
        "ordinal": ordinal,
        "cloud": cloud,
        "region": "local",
        "base_url": f"https://{cloud}-{ordinal}.example",
        "lifecycle": Lifecycle.ACTIVE,
        "capacity": Capacity(tenants=tenants),
        "probe": CLEAN,
    }
    return Cell(**{**given, **fields})


def site(ordinal: int, homes: int = 0, standbys: int = 0, **fields: Any) -> Site:
    """Return a cell with so many tenants."""
    made = cell(ordinal, **fields)
    return Site(made, Usage(cell=made.id, homes=homes, standbys=standbys))


def wants(tenant: str = "T-1", **fields: Any) -> Wants:
    """Return what a tenant wants that may be anywhere, but for the fields of `Policy` given."""
    pin, held = fields.pop("pin", ""), fields.pop("held", frozenset())
    return Wants(tenant=tenant, policy=Policy(**fields), pin=pin, held=held)


def tenant(home: str = "aws-0", standby: str = "", **fields: Any) -> Tenant:
    """Return a tenant at home in `home`."""
    given = {"id": "T-1", "epoch": 16, "home": home, "standby": standby}
    return Tenant(**{**given, "base": Base(mode="provisioned"), **fields})
