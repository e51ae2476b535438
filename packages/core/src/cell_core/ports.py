"""What a cell needs from the world; each promise here is a test of the contract suite.

Retries, faults and measurements are decorators of these ports, never flags inside an adapter.
"""

from collections.abc import Sequence
from typing import Protocol

from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.domain.journal import Entry
from cell_core.wire.message import Request, Response


class CellStore(Protocol):
    """Durable state of one cell's tenants, in partitions, with one atomic conditional write.

    Every call is one round trip where the vendor's limits allow. All reads are strongly consistent:
    they see each commit that was acknowledged, to whomever, before they began. Nothing here
    retries. Raises `BackendError` and nothing of a vendor's.
    """

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        """Return the partition's fence and those of the documents at `keys` that exist.

        At most 100 keys, `FENCE` not among them: the fence is always read. The parts need not be
        of one moment, but none is older than the call.

        Raises:
            Throttled: Nothing was read; the store asks for less.
            Unavailable: Nothing was read.
        """

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        """Return documents whose keys begin with `prefix` and are greater than `after`.

        They come in key order, at most `limit` (1 to 1000), tombstones included. A page may be
        short although more follow, but not empty; only `Page.after` says whether there is more.

        Raises:
            Throttled, Unavailable: Nothing was read.
        """

    def commit(self, batch: Batch) -> None:
        """Do all of `batch` or nothing: the fence's change and every put and delete.

        Raises:
            NotFound: `tenant_not_found`; the guard asks for a fence and there is none.
            Fenced: The fence has another role or epoch. Nothing was written.
            LostRace: Role and epoch are right but the position is not, or a document is not what
                was read, or the fence to be created exists, or the store saw another writer.
                Nothing was written; read again.
            Throttled, Unavailable: Nothing was written.
            OutcomeUnknown: It may have been written; commit the same batch again.
        """

    def ping(self) -> None:
        """Return if the store answers.

        Raises:
            Throttled, Unavailable: It does not.
        """


class Clock(Protocol):
    """Wall clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""


class Patience(Protocol):
    """How long to wait before trying again, and whether to; the one place for it in a cell."""

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        """Wait before attempt number `attempt` (from 1), or return False if that would be too late.

        `deadline_ms` is on the wall clock of `Clock`.
        """


class StandbyLink(Protocol):
    """Carries requests to the standbys of tenants that want two cells to hold each write."""

    def admits(self, base_url: str) -> bool:
        """Say whether `base_url` may be a cell's; to any other one nothing may be sent."""

    def send(self, base_url: str, request: Request, timeout_ms: int) -> Response:
        """Return the answer of the cell at `base_url`, whatever its status.

        Sends once, follows nothing, and takes no longer than about `timeout_ms`.

        Raises:
            OutcomeUnknown: There is no whole answer; the request may have been carried out.
        """


class ChangeReader(Protocol):
    """The journal entries that a cloud's change feed has shown since a token.

    Entries of one partition come in the order of their seq; they may come twice, and a feed may
    skip some: the log is the truth, the feed only a doorbell.
    """

    def poll(self, limit: int) -> Sequence[Entry]:
        """Return the next entries, at most about `limit`; empty if there are none now."""

    def tokens(self) -> str:
        """Return where to go on after the last poll, as an opaque text."""
