"""What every peer is asked to do. A job fixes the work and the load, never how a peer does it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TENANTS: Final = 1_000_000
GRANT_KEPT_S: Final = 25
"""How long whoever keeps grants uses one: 30 s less 5."""


class Work(StrEnum):
    """How the cell of a request is found, and what else is done on the way."""

    HEADER = "header"
    """`X-Tenant-Id` -> registry -> cell."""

    BODY = "body"
    """`tenant_id` in the JSON body -> registry -> cell."""

    FULL = "full"
    """Verify the credential, let the body's tenant agree, find its cell, grant, tell the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job.

    Attributes:
        body_bytes: Size of each request's body.
        clients: Distinct tenants, each with a token of its own, in turn.
        tls: Whether both the client's and the cell's side are encrypted.
    """

    name: str
    title: str
    work: Work
    body_bytes: int = 300
    clients: int = 1_000
    tls: bool = False

    @property
    def whole_life(self) -> bool:
        """Whether a round has to last as long as a grant.

        Each client has its grant signed once in that time: in a shorter round signing would show
        more often than it does for good.
        """
        return self.clients > 1_000


JOBS: Final = (
    Job(name="header", title="routed by header", work=Work.HEADER),
    Job(name="body", title="routed by body, 300 bytes", work=Work.BODY),
    Job(name="body-1k", title="routed by body, 1 KB", work=Work.BODY, body_bytes=1024),
    Job(name="full", title="full: credential, body, registry, grant, epoch", work=Work.FULL),
    Job(
        name="full-50k",
        title="full, 50,000 distinct tenants and tokens",
        work=Work.FULL,
        clients=50_000,
    ),
    Job(name="full-tls", title="full, TLS on both sides", work=Work.FULL, tls=True),
)
