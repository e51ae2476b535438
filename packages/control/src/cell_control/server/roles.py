"""Who may do what: a ladder for people, and two roles that are for one purpose each.

Pure. Refuses to read credentials; `tokens` does.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias


class Role(StrEnum):
    """What a token is for."""

    VIEWER = "viewer"
    """Sees everything, changes nothing."""

    OPERATOR = "operator"
    """Creates, moves, pins and releases tenants."""

    ADMIN = "admin"
    """Declares cells, and everything else."""

    EDGE = "edge"
    """Follows the registry's feed, and rings doorbells."""

    CELL = "cell"
    """Rings doorbells."""


Roles: TypeAlias = frozenset[Role]

ADMINS: Final = frozenset({Role.ADMIN})
OPERATORS: Final = ADMINS | {Role.OPERATOR}
VIEWERS: Final = OPERATORS | {Role.VIEWER}
FOLLOWERS: Final = VIEWERS | {Role.EDGE}
RINGERS: Final = OPERATORS | {Role.EDGE, Role.CELL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks, as a verified token says.

    Attributes:
        name: What audits say.
        token: The token's id, for logs.
    """

    name: str
    role: Role
    token: str
