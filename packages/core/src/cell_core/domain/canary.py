"""The tenants that parity probes make in cells: no registry and no lake holds them.

Pure. Refuses to be guessed: whatever walks a cell's directory asks here whether a tenant is one.
"""

from typing import Final

CANARY_PREFIX: Final = "canary~"
"""No other tenant's id begins so."""


def is_canary(tenant: str) -> bool:
    """Say whether `tenant` was made by a parity probe, which also removes it."""
    return tenant.startswith(CANARY_PREFIX)
