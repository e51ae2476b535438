"""What a cell computes: the domains it serves, in one tuple.

Refuses to register anything by itself: a domain that is not named here does not exist.
"""

from typing import Final

from cell_core.domain.decider import Decider
from cell_core.domains.ledger import Ledger
from cell_core.domains.records import Records

DOMAINS: Final[tuple[Decider, ...]] = (Ledger(), Records())
"""Add your own here; docs/your-own-domain.md shows how."""
