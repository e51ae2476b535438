"""The registry as routers read it: signed snapshots and signed batches of changes.

Only what the edge is told is read of a record (`Record.edge`), so a million tenants stream through.
Refuses to label a snapshot with a later rev than everything in it is sure to include.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, cast

from cell_control.errors import Unavailable
from cell_control.ports import Changes, Key, Record, Registry
from cell_core.wire.registry import Change, GroupRecord, Kind, RegistryRefused, read_cell
from cell_core.wire.registry_changes import CHANGES_MAX, Batch, seal_batch
from cell_core.wire.registry_seal import Signer
from cell_core.wire.registry_snapshot import Row, seal_snapshot

EDGE_KINDS: Final[tuple[Kind, ...]] = ("cell", "group", "tenant")
PAGE_MAX: Final = 10_000


class Feeding(Protocol):
    """What a target that also carries changes takes. Raises `Unavailable` alone."""

    @property
    def whole(self) -> bool:
        """Whether a batch has to hold all changes behind `after`, or only the next ones."""

    def after(self) -> int:
        """Return behind which rev the next batch has to begin; -1 if a snapshot has to come."""

    def put_changes(
        self, batch: Batch, data: bytes, fresh_after: int, seal: Callable[[Batch], bytes]
    ) -> None:
        """Put a batch there unless what is there is as new; `data` is its sealed form.

        `fresh_after` is the last rev that this publisher put there; `seal` signs parts.
        """


class Target(Protocol):
    """A place that routers read the registry from. Raises `Unavailable` alone."""

    @property
    def feed(self) -> Feeding | None:
        """How it takes changes; None if it holds snapshots alone."""

    def rev(self) -> int:
        """Return the rev of the snapshot there; -1 for none."""

    def put_snapshot(self, rev: int, data: bytes) -> bool:
        """Put it there unless what is there is as new; say whether it was put."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A sealed snapshot, whole."""

    rev: int
    created_ms: int
    tenants: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBatch:
    """A batch and its bytes."""

    batch: Batch
    data: bytes


def build_snapshot(registry: Registry, signer: Signer, now_ms: int) -> Published:
    """Return the registry as of its rev now, signed.

    A row may be newer than that rev, if it changed during the scan: a follower gets it once more.

    Raises:
        Unavailable: `registry_empty`: at rev 0 there is nothing, not even to say so.
        RegistryError: It cannot be read.
    """
    rev = registry.rev()
    if rev == 0:
        raise Unavailable("registry_empty")
    counted = _Counted(registry)
    sealed = seal_snapshot(
        rev=rev,
        created_ms=now_ms,
        cells=[read_cell(text) for text in _cells(registry).values()],
        groups=[
            GroupRecord(group=record.key, epoch=int(record.edge or 0))
            for record in _scan(registry, "group")
        ],
        rows=counted.rows(),
        signer=signer,
    )
    data = b"".join(sealed)
    return Published(rev=rev, created_ms=now_ms, tenants=counted.tenants, data=data)


def put_newer(target: Target, made: Published, known: Callable[[], int]) -> bool:
    """Put `made` into `target` unless what is there is as new; say whether it was put.

    Raises:
        Unavailable: `target_ahead`: it holds a rev above `known()`, the registry's own by now, so
            that the registry was set back, or another one publishes there; or the target's code.
    """
    is_put = target.put_snapshot(made.rev, made.data)
    if not is_put and target.rev() > max(made.rev, known()):
        raise Unavailable("target_ahead")
    return is_put


def changes_after(registry: Registry, after: int, limit: int = CHANGES_MAX) -> Batch:
    """Return the first changes behind `after`; without any, `rev` says how far that holds.

    `created_ms` is 0: `sealed_at` gives the batch its time.

    Raises:
        ChangesGone: `after` is not in this registry's past.
        RegistryError: It cannot be read.
    """
    found = registry.changes(after, kinds=EDGE_KINDS, limit=min(limit, CHANGES_MAX))
    return _batch(found, after)


def sealed_at(batch: Batch, signer: Signer, now_ms: int) -> SealedBatch:
    """Return `batch` signed, as made at `now_ms`; what is too large is cut to its first part."""
    kept = batch.changes
    while True:
        whole = len(kept) == len(batch.changes)
        rev = batch.rev if whole else kept[-1].rev
        part = Batch(after=batch.after, rev=rev, created_ms=now_ms, changes=kept)
        try:
            return SealedBatch(batch=part, data=seal_batch(part, signer))
        except RegistryRefused:
            if len(kept) < 2:
                raise
            kept = kept[: len(kept) // 2]


def find_tenant(registry: Registry, tenant: str) -> Batch | None:
    """Return a batch with the one record of `tenant`, or None if there is no such tenant."""
    (record,) = registry.get([Key(kind="tenant", key=tenant)])
    if record is None or record.deleted or record.edge is None:
        return None
    change = Change(rev=record.rev, kind="tenant", key=tenant, value=record.edge)
    return Batch(after=record.rev - 1, rev=record.rev, created_ms=0, changes=(change,))


class _Counted:
    """Streams the rows of tenants, and counts them."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.tenants = 0

    def rows(self) -> Iterator[Row]:
        for record in _scan(self._registry, "tenant"):
            if record.edge is not None:
                self.tenants += 1
                yield record.key.encode(), record.edge.encode()


def _scan(registry: Registry, kind: Kind) -> Iterator[Record]:
    after = ""
    while True:
        page = registry.list(kind, after=after, limit=PAGE_MAX)
        yield from page
        if len(page) < PAGE_MAX:
            return
        after = page[-1].key


def _cells(registry: Registry) -> dict[int, str]:
    # An ordinal that was given again belongs to the cell that was changed last.
    found = sorted(_scan(registry, "cell"), key=lambda record: record.rev)
    return {read_cell(r.edge).ordinal: r.edge for r in found if r.edge is not None}


def _batch(found: Changes, after: int) -> Batch:
    changes = tuple(filter(None, map(_change, found.records)))
    return Batch(after=after, rev=max(found.rev, after), created_ms=0, changes=changes)


def _change(record: Record) -> Change | None:
    kind = cast("Kind", record.kind)
    if record.deleted:
        # A cell's change is named by its ordinal, which a tombstone has not: cells are retired.
        return (
            None
            if kind == "cell"
            else Change(rev=record.rev, kind=kind, key=record.key, value=None)
        )
    if record.edge is None:
        return None
    key = str(read_cell(record.edge).ordinal) if kind == "cell" else record.key
    return Change(rev=record.rev, kind=kind, key=key, value=record.edge)
