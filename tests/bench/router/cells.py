"""The two cells as the registry names them: who owns which tenant, and at which epoch."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell; an epoch's remainder by 16 is its owner's ordinal."""

    id: str
    cloud: str
    region: str
    ordinal: int

    @property
    def epoch(self) -> int:
        """The first epoch that this cell owns; its tenants have never moved."""
        return 16 + self.ordinal


AWS: Final = Cell(id="aws-alpha", cloud="aws", region="eu-central-1", ordinal=1)
AZURE: Final = Cell(id="azure-beta", cloud="azure", region="westeurope", ordinal=2)
CELLS: Final = (AWS, AZURE)

UNKNOWN_TENANT: Final = "T-unknown"


def tenant(number: int) -> str:
    """Return the name of a tenant."""
    return f"T-{number}"


def home(number: int) -> Cell:
    """Return the cell that owns a tenant."""
    return CELLS[number % 2]
