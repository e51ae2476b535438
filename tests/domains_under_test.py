"""The one place that says which domains the suites run over: those that ship, and a user's own."""

from typing import Final

from cell_core.domain.decider import Decider
from cell_core.domains import DOMAINS as SHIPPED
from tests.orders import Orders

DOMAINS: Final[tuple[Decider, ...]] = (*SHIPPED, Orders())
