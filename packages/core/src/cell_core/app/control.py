"""The control interface: fences, copies and removals, for grants of scope `control` (cell.md 4)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cell_core.app.routes import Call, Reply, Route, cursor
from cell_core.domain import transitions
from cell_core.domain.canonical import parse
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, ORPHAN, TENANT, Document
from cell_core.domain.errors import InvalidInput, Refused
from cell_core.domain.fence import GENESIS, Fence, Role, fence_fields
from cell_core.domain.limits import CONTROL_REQUEST_BYTES_MAX, JSON_DEPTH_MAX
from cell_core.schema import (
    Activate,
    Apply,
    Copied,
    Drop,
    Freeze,
    Import,
    Model,
    Orphans,
    Provision,
    Retire,
    Strict,
    Truncate,
    read,
)
from cell_core.service.control import Controller
from cell_core.service.remove import Remover
from cell_core.service.replicate import Replicator

_TENANT = "/v1/control/tenants/{tenant}"
_STRIPE = f"{_TENANT}/stripes/{{stripe}}"
_PAGE = ("after", "limit")


class Control:
    """The endpoints of the control plane."""

    def __init__(self, controller: Controller, replicator: Replicator, remover: Remover) -> None:
        self._controller = controller
        self._replicator = replicator
        self._remover = remover

    def routes(self) -> list[Route]:
        """Return this part's operations."""
        return [
            _get("/v1/control/tenants", "tenants", "Tenants listed here", self.tenants, "Tenants"),
            _get(_TENANT, "fences", "The tenant's fences", self.fences, "Fences", query=()),
            _post("provision", "Create a tenant's fences", self.provision, Provision),
            _post("freeze", "Stop writes and reads before a switch-over", self.freeze, Freeze),
            _post("activate", "Make this cell the tenant's home", self.activate, Activate),
            _post("seal", "Make a frozen old home a standby", self.seal, Retire),
            _post("fence-off", "Quarantine an old home", self.fence_off, Retire),
            _post("truncate", "Undo a quarantined tail", self.truncate, Truncate, "Truncated"),
            _post("drop", "Remove a tenant that lives elsewhere", self.drop, Drop, "Dropped"),
            self._export("journal", LOG, "Journal entries in order"),
            self._export("entities", ENTITY, "Entities, tombstones included"),
            self._export("idempotency", IDEMPOTENCY, "What became of which command"),
            self._export("orphans", ORPHAN, "Orphaned entries kept here"),
            _get(
                f"{_STRIPE}/digest", "digest", "A part of the state's digest", self.digest, "Digest"
            ),
            replace(
                _post_stripe("apply", "Append the home's entries", self.apply, Apply),
                scope_too="replicate",
            ),
            _post_stripe("import", "Copy the home's documents", self.take, Import),
            _post_stripe("orphans", "Keep another cell's orphans", self.adopt, Orphans),
        ]

    def tenants(self, call: Call) -> Reply:
        """Answer a page of the directory."""
        page = self._controller.tenants(after=call.after(), limit=call.limit())
        names = [document.key.removeprefix(TENANT) for document in page.documents]
        after = None if page.after is None else cursor(page.after.removeprefix(TENANT))
        return Reply({"tenants": names, "after": after})

    def fences(self, call: Call) -> Reply:
        """Answer the fence of each stripe."""
        return _fences(self._controller.fences(call.names["tenant"]))

    def provision(self, call: Call) -> Reply:
        """Create the tenant here."""
        wanted = _read(call, Provision)
        if wanted.start is not None and (
            wanted.role != "standby" or len(wanted.start) != wanted.stripes
        ):
            raise InvalidInput("invalid_data", problem="`start`: a standby's, one a stripe")
        fences = [_fence(wanted, stripe) for stripe in range(wanted.stripes)]
        made = self._controller.provision(call.names["tenant"], fences, call.deadline_ms)
        return _fences(made)

    def freeze(self, call: Call) -> Reply:
        """Freeze every stripe."""
        ask = _read(call, Freeze)
        return self._change(call, lambda f, _: transitions.freeze(f, epoch=ask.epoch, op=ask.op))

    def activate(self, call: Call) -> Reply:
        """Activate every stripe."""
        ask = _read(call, Activate)
        positions = None if ask.positions is None else [(p.seq, p.chain) for p in ask.positions]
        fences = self._controller.activate(
            call.names["tenant"],
            epoch=ask.epoch,
            mode=ask.mode,
            positions=positions,
            op=ask.op,
            deadline_ms=call.deadline_ms,
        )
        return _fences(fences)

    def seal(self, call: Call) -> Reply:
        """Seal every stripe."""
        ask = _read(call, Retire)
        return self._change(
            call, lambda f, _: transitions.seal(f, epoch=ask.epoch, home_hint=ask.home_hint)
        )

    def fence_off(self, call: Call) -> Reply:
        """Fence every stripe off."""
        ask = _read(call, Retire)
        return self._change(
            call, lambda f, _: transitions.fence_off(f, epoch=ask.epoch, home_hint=ask.home_hint)
        )

    def truncate(self, call: Call) -> Reply:
        """Undo a part of a quarantined tail."""
        ask = _read(call, Truncate)
        fence, more = self._remover.truncate(
            call.names["tenant"], ask.stripe, epoch=ask.epoch, seq=ask.seq, chain=ask.chain
        )
        return Reply({"fence": fence_fields(fence), "more": more}, fence)

    def drop(self, call: Call) -> Reply:
        """Remove a part of the tenant."""
        ask = _read(call, Drop)
        return Reply(
            {"more": self._remover.drop(call.names["tenant"], ask.epoch, call.deadline_ms)}
        )

    def digest(self, call: Call) -> Reply:
        """Answer the digest's sum over a page of entities."""
        fence, scan = self._replicator.scan(
            call.names["tenant"], call.stripe(), after=call.after(), limit=call.limit()
        )
        after = None if scan.after is None else cursor(scan.after)
        body = {"sum": f"{scan.sum:064x}", "count": scan.count, "after": after}
        return Reply({**body, "fence": fence_fields(fence)}, fence)

    def apply(self, call: Call) -> Reply:
        """Append entries."""
        ask = _read(call, Apply)
        _check_replicating(call, ask)
        fence = self._replicator.apply(
            call.names["tenant"],
            call.stripe(),
            ask.epoch,
            ask.entries,
            call.deadline_ms,
            wanted=_preparation(ask),
        )
        return Reply({"fence": fence_fields(fence)}, fence)

    def take(self, call: Call) -> Reply:
        """Import documents."""
        copied = [_document(document) for document in _read(call, Import).documents]
        fence, written = self._replicator.take(
            call.names["tenant"], call.stripe(), copied, call.deadline_ms
        )
        return Reply({"fence": fence_fields(fence), "written": written}, fence)

    def adopt(self, call: Call) -> Reply:
        """Keep orphans."""
        entries = _read(call, Orphans).entries
        fence, written = self._replicator.adopt(call.names["tenant"], call.stripe(), entries)
        return Reply({"fence": fence_fields(fence), "written": written}, fence)

    def _change(self, call: Call, decide: Callable[[Fence, int], Any]) -> Reply:
        return _fences(self._controller.change(call.names["tenant"], decide, call.deadline_ms))

    def _export(self, name: str, prefix: str, summary: str) -> Route:
        def handle(call: Call) -> Reply:
            after = call.after()
            if after is not None and not after.startswith(prefix):
                raise InvalidInput("invalid_query", at="after")
            fence, page = self._replicator.export(
                call.names["tenant"], call.stripe(), prefix, after=after, limit=call.limit()
            )
            point = None if page.after is None else cursor(page.after)
            body = {"documents": [_copied(d) for d in page.documents], "after": point}
            return Reply({**body, "fence": fence_fields(fence)}, fence)

        return _get(f"{_STRIPE}/{name}", f"export_{name}", summary, handle, "Exported")


def _get(
    template: str,
    id_: str,
    summary: str,
    handle: Callable[[Call], Reply],
    answer: str,
    query: Sequence[str] = _PAGE,
) -> Route:
    return Route(
        method="GET",
        template=template,
        id=id_,
        summary=summary,
        handle=handle,
        scope="control",
        query=query,
        answer=answer,
    )


def _post(
    name: str,
    summary: str,
    handle: Callable[[Call], Reply],
    body: type[Strict],
    answer: str = "Fences",
) -> Route:
    return Route(
        method="POST",
        template=f"{_TENANT}/{name}",
        id=name.replace("-", "_"),
        summary=summary,
        handle=handle,
        scope="control",
        body=body,
        codes=("invalid_data", "fence_refused", "contention", "outcome_unknown", "diverged"),
        answer=answer,
    )


def _post_stripe(
    name: str, summary: str, handle: Callable[[Call], Reply], body: type[Strict]
) -> Route:
    return Route(
        method="POST",
        template=f"{_STRIPE}/{name}",
        id=f"{name}_stripe",
        summary=summary,
        handle=handle,
        scope="control",
        body=body,
        body_bytes_max=CONTROL_REQUEST_BYTES_MAX,
        codes=("invalid_data", "fence_refused", "contention", "outcome_unknown", "diverged", "gap"),
        answer="Written",
    )


def _read(call: Call, model: type[Model]) -> Model:
    # Copied documents hold JSON as text, so control bodies nest no deeper than others.
    return read(model, parse(call.request.body, JSON_DEPTH_MAX))


def _check_replicating(call: Call, ask: Apply) -> None:
    """Hold a home that pushes its own entries to the epoch of its grant, and to entries."""
    if not ask.entries and ask.prepare is None:
        raise InvalidInput(problem="`entries` may be empty only with `prepare`")
    if call.grant is None or call.grant.scope != "replicate":
        return
    if ask.prepare is not None:
        raise Refused("grant_scope", at="/prepare")
    if ask.epoch != call.grant.epoch:
        raise Refused("grant_tenant", at="/epoch")


def _preparation(ask: Apply) -> transitions.Preparation | None:
    wanted = ask.prepare
    if wanted is None:
        return None
    return transitions.Preparation(epoch=wanted.epoch, seq=wanted.seq, chain=wanted.chain)


def _fence(wanted: Provision, stripe: int) -> Fence:
    start = wanted.start[stripe] if wanted.start else None
    return Fence(
        role=Role(wanted.role),
        epoch=wanted.epoch,
        seq=start.seq if start else 0,
        chain=start.chain if start else GENESIS,
        digest=start.digest if start else GENESIS,
        stripes=wanted.stripes,
        home_hint=wanted.home_hint,
    )


def _fences(fences: Sequence[Fence]) -> Reply:
    return Reply({"fences": [fence_fields(fence) for fence in fences]}, fences[0])


def _copied(document: Document) -> dict[str, Any]:
    return {
        "key": document.key,
        "version": document.version,
        "body": document.body,
        "deleted": document.deleted,
    }


def _document(copied: Copied) -> Document:
    return Document(copied.key, copied.version, copied.body, deleted=copied.deleted)
