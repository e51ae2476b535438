"""What operators ask about operations."""

from dataclasses import dataclass

from cell_control.domain.records import Operation, OperationStatus
from cell_control.server.bodies import OperationBody, Reasoned
from cell_control.server.pages import MembersPage, OperationsPage, PageQuery
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.roles import OPERATORS, VIEWERS
from cell_control.server.routing import Call, Reply, Route, asked, sent
from cell_control.service.operations import NewOperation, Operations
from cell_control.service.planning import Blast, Plan

_OPERATION = "/v1/operations/{operation}"


class OperationsQuery(PageQuery):
    """Which page, and how far those on it are."""

    status: OperationStatus | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of the request.

    Attributes:
        operation: As it was begun; None of a dry run.
        plan: What a dry run found.
        blast: What it does; None if it was begun by the same request before.
    """

    operation: Operation | None = None
    plan: Plan | None = None
    blast: Blast | None = None


class OperationRoutes:
    """The rows of operations."""

    def __init__(self, operations: Operations, threads: RegistryThreads) -> None:
        self._operations = operations
        self._call = threads.call

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            Route(
                method="POST",
                path="/v1/operations",
                id="begin_operation",
                summary="Move, drain, fail back, or make standbys; or say what that would do",
                handle=self._begin,
                roles=OPERATORS,
                body=OperationBody,
                answer=Asked,
                codes=("invalid_operation", "too_many", "cell_not_found", "tenant_not_found",
                       "id_taken", "operation_refused", "nothing_fits"),
            ),
            Route(
                method="GET",
                path="/v1/operations",
                id="list_operations",
                summary="Operations in the order of their ids",
                handle=self._list,
                roles=VIEWERS,
                query=OperationsQuery,
                answer=OperationsPage,
            ),
            Route(
                method="GET",
                path=_OPERATION,
                id="show_operation",
                summary="How far an operation is",
                handle=self._show,
                roles=VIEWERS,
                answer=Operation,
                codes=("operation_not_found",),
            ),
            Route(
                method="GET",
                path=f"{_OPERATION}/members",
                id="list_members",
                summary="What became of each tenant of an operation",
                handle=self._members,
                roles=VIEWERS,
                query=PageQuery,
                answer=MembersPage,
                codes=("operation_not_found",),
            ),
            Route(
                method="POST",
                path=f"{_OPERATION}/abort",
                id="abort_operation",
                summary="Begin no more members, and roll back those that can be",
                handle=self._abort,
                roles=OPERATORS,
                body=Reasoned,
                answer=Operation,
                codes=("operation_not_found", "operation_over"),
            ),
        ]  # fmt: skip

    async def _begin(self, call: Call) -> Reply:
        body = sent(call, OperationBody)
        wanted = NewOperation(
            id=body.id,
            kind=body.kind,
            tenants=body.tenants,
            source=body.source or "",
            dest=body.dest or "",
            parallel_max=body.parallel_max,
            freeze_budget_ms=body.freeze_budget_ms,
        )
        if body.dry_run:
            plan = await self._call(
                self._operations.dry_run, wanted, by=call.by, reason=body.reason
            )
            return Reply(Asked(plan=plan))
        begun = await self._call(self._operations.begin, wanted, by=call.by, reason=body.reason)
        return Reply(Asked(operation=begun.operation, blast=begun.blast))

    async def _list(self, call: Call) -> Reply:
        query = asked(call, OperationsQuery)
        found, after = await self._call(
            self._operations.page, after=query.after, limit=query.limit, status=query.status
        )
        return Reply(OperationsPage(found, after or None))

    async def _show(self, call: Call) -> Reply:
        return Reply(await self._call(self._operations.show, call.names["operation"]))

    async def _members(self, call: Call) -> Reply:
        query, operation = asked(call, PageQuery), call.names["operation"]
        found, after = await self._call(
            self._operations.members, operation, after=query.after, limit=query.limit
        )
        return Reply(MembersPage(found, after or None))

    async def _abort(self, call: Call) -> Reply:
        reason = sent(call, Reasoned).reason
        operation = call.names["operation"]
        return Reply(await self._call(self._operations.abort, operation, by=call.by, reason=reason))
