"""What may be asked of a cell's control interface (cell.md 4), each as a typed `Call`.

Decides nothing: when to ask what is the mover's and the copier's business. All but the exports
change a fence or documents, conditionally, so each may be asked any number of times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from cell_control.domain.records import Position
from cell_control.flows.calling import Call
from cell_control.flows.effects import Ask
from cell_core.app.routes import cursor
from cell_core.domain.documents import Document, log_key
from cell_core.domain.fence import Fence, fence_from
from cell_core.domain.limits import APPLY_ENTRIES_MAX, PAGE_MAX

Fences: TypeAlias = tuple[Fence, ...]
"""One a stripe, in their order."""

Begin: TypeAlias = Literal["planned", "forced", "rollback"]

SHORT_MS: Final = 3000
"""For calls that change fences: two reads and two writes a stripe at the cell, and the way."""

LONG_MS: Final = 15_000
"""For calls that carry documents."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Let a standby that stands exactly at `at` begin `epoch` at its first request (lazy ACTIVATE).

    Only a registry that has committed `epoch` lets a request come with it.
    """

    epoch: int
    at: Position


@dataclass(frozen=True, slots=True)
class Exported:
    """A page of documents.

    Attributes:
        after: Cursor to go on from; empty if there is no more.
        fence: Read before the page.
    """

    documents: tuple[Document, ...]
    after: str
    fence: Fence


@dataclass(frozen=True, slots=True)
class Written:
    """What became of documents that were sent.

    Attributes:
        written: How many were new here.
    """

    fence: Fence
    written: int


@dataclass(frozen=True, slots=True)
class Truncated:
    """A quarantined stripe after some of its tail was undone; `more` says to call again."""

    fence: Fence
    more: bool


@dataclass(frozen=True, slots=True)
class Summed:
    """A part of a stripe's state digest; the sums add up modulo 2^256."""

    sum: int
    count: int
    after: str
    fence: Fence


def fences(cell: str, tenant: str) -> Call[Fences]:
    """Ask for the fence of each stripe."""
    return Call(Ask(cell=cell, method="GET", path=f"/{tenant}", timeout_ms=SHORT_MS), _fences)


def provision_home(cell: str, tenant: str, *, epoch: int, stripes: int) -> Call[Fences]:
    """Make the tenant's fences where there are none: empty, and active at `epoch`."""
    body = {"role": "active", "epoch": epoch, "stripes": stripes}
    return _change(cell, tenant, "provision", body)


def provision_standby(
    cell: str, tenant: str, *, epoch: int, home: str, start: Sequence[Fence]
) -> Call[Fences]:
    """Make a standby that begins where the home's fences `start` stand; one a stripe."""
    body = {
        "role": "standby",
        "epoch": epoch,
        "stripes": len(start),
        "home_hint": home,
        "start": [{"seq": f.seq, "chain": f.chain, "digest": f.digest} for f in start],
    }
    return _change(cell, tenant, "provision", body)


def freeze(cell: str, tenant: str, *, epoch: int, op: str) -> Call[Fences]:
    """Stop the home at `epoch`; the fences that come back are its last positions."""
    return _change(cell, tenant, "freeze", {"epoch": epoch, "op": op})


def activate(
    cell: str,
    tenant: str,
    *,
    epoch: int,
    mode: Begin,
    positions: Sequence[Position] = (),
    op: str = "",
) -> Call[Fences]:
    """Make the cell the home from `epoch`; without `positions` a standby refuses all but forced."""
    body: dict[str, Any] = {"epoch": epoch, "mode": mode, "op": op}
    if positions:
        body["positions"] = [{"seq": p.seq, "chain": p.chain} for p in positions]
    return _change(cell, tenant, "activate", body)


def seal(cell: str, tenant: str, *, epoch: int, home: str) -> Call[Fences]:
    """Make a frozen old home the standby of `home`."""
    return _change(cell, tenant, "seal", {"epoch": epoch, "home_hint": home})


def fence_off(cell: str, tenant: str, *, epoch: int, home: str) -> Call[Fences]:
    """Stop an old home that may have written after it lost the tenant."""
    return _change(cell, tenant, "fence-off", {"epoch": epoch, "home_hint": home})


def truncate(cell: str, tenant: str, stripe: int, *, epoch: int, at: Position) -> Call[Truncated]:
    """Undo a part of what a quarantined stripe holds behind `at`; at last it is a standby."""
    body = {"stripe": stripe, "epoch": epoch, "seq": at.seq, "chain": at.chain}
    return Call(
        _post(cell, f"/{tenant}/truncate", body, LONG_MS),
        lambda found: Truncated(fence_from(found["fence"]), _bool(found["more"])),
    )


def drop(cell: str, tenant: str, *, epoch: int) -> Call[bool]:
    """Remove a part of a tenant that lives elsewhere; says whether there is more to remove."""
    return Call(
        _post(cell, f"/{tenant}/drop", {"epoch": epoch}, LONG_MS),
        lambda found: _bool(found["more"]),
    )


def journal(
    cell: str, tenant: str, stripe: int, *, after: int, limit: int = APPLY_ENTRIES_MAX
) -> Call[Exported]:
    """Ask for journal entries behind seq `after`, in order."""
    return _export(cell, tenant, f"{stripe}/journal", cursor(log_key(after)), limit)


def entities(
    cell: str, tenant: str, stripe: int, *, after: str = "", limit: int = PAGE_MAX
) -> Call[Exported]:
    """Ask for entities behind the cursor `after`, tombstones included."""
    return _export(cell, tenant, f"{stripe}/entities", after, limit)


def idempotency(
    cell: str, tenant: str, stripe: int, *, after: str = "", limit: int = PAGE_MAX
) -> Call[Exported]:
    """Ask for the records of which command was answered."""
    return _export(cell, tenant, f"{stripe}/idempotency", after, limit)


def orphans(
    cell: str, tenant: str, stripe: int, *, after: str = "", limit: int = PAGE_MAX
) -> Call[Exported]:
    """Ask for orphaned entries that are kept here."""
    return _export(cell, tenant, f"{stripe}/orphans", after, limit)


def digest(
    cell: str, tenant: str, stripe: int, *, after: str = "", limit: int = PAGE_MAX
) -> Call[Summed]:
    """Ask for the digest's sum over a page of entities, computed from what is stored."""
    return Call(
        _get(cell, f"/{tenant}/stripes/{stripe}/digest", after, limit),
        lambda found: Summed(
            int(found["sum"], 16),
            int(found["count"]),
            found["after"] or "",
            fence_from(found["fence"]),
        ),
    )


def apply(
    cell: str,
    tenant: str,
    stripe: int,
    *,
    epoch: int,
    entries: Sequence[str],
    prepare: Prepare | None = None,
) -> Call[Fence]:
    """Append the home's entries at its standby; none only with `prepare`."""
    body: dict[str, Any] = {"epoch": epoch, "entries": list(entries)}
    if prepare is not None:
        at = prepare.at
        body["prepare"] = {"epoch": prepare.epoch, "seq": at.seq, "chain": at.chain}
    path = f"/{tenant}/stripes/{stripe}/apply"
    return Call(_post(cell, path, body, LONG_MS), lambda found: fence_from(found["fence"]))


def take(cell: str, tenant: str, stripe: int, documents: Sequence[Document]) -> Call[Written]:
    """Import documents of the home where the standby has none or an older one."""
    sent = [
        {"key": d.key, "version": d.version, "body": d.body, "deleted": d.deleted}
        for d in documents
    ]
    path = f"/{tenant}/stripes/{stripe}/import"
    return Call(_post(cell, path, {"documents": sent}, LONG_MS), _written)


def adopt(cell: str, tenant: str, stripe: int, entries: Sequence[str]) -> Call[Written]:
    """Keep another cell's orphaned entries at the home, each once, without running them."""
    path = f"/{tenant}/stripes/{stripe}/orphans"
    return Call(_post(cell, path, {"entries": list(entries)}, LONG_MS), _written)


def _change(cell: str, tenant: str, action: str, body: Mapping[str, Any]) -> Call[Fences]:
    return Call(_post(cell, f"/{tenant}/{action}", body, SHORT_MS), _fences)


def _export(cell: str, tenant: str, what: str, after: str, limit: int) -> Call[Exported]:
    return Call(_get(cell, f"/{tenant}/stripes/{what}", after, limit), _exported)


def _post(cell: str, path: str, body: Mapping[str, Any], timeout_ms: int) -> Ask:
    return Ask(cell=cell, method="POST", path=path, body=body, timeout_ms=timeout_ms)


def _get(cell: str, path: str, after: str, limit: int) -> Ask:
    query = f"limit={limit}" + (f"&after={after}" if after else "")
    return Ask(cell=cell, method="GET", path=f"{path}?{query}", timeout_ms=LONG_MS)


def _fences(found: Any) -> Fences:  # noqa: ANN401 - JSON
    read = tuple(fence_from(fields) for fields in found["fences"])
    if not read or any(fence.stripes != len(read) for fence in read):
        raise ValueError("not one fence a stripe")
    return read


def _exported(found: Any) -> Exported:  # noqa: ANN401 - JSON
    documents = tuple(
        Document(d["key"], int(d["version"]), d["body"], deleted=_bool(d["deleted"]))
        for d in found["documents"]
    )
    return Exported(documents, found["after"] or "", fence_from(found["fence"]))


def _written(found: Any) -> Written:  # noqa: ANN401 - JSON
    return Written(fence_from(found["fence"]), int(found["written"]))


def _bool(value: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(value, bool):
        raise TypeError("not a bool")
    return value
