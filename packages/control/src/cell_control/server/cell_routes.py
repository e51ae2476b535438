"""What operators ask about cells."""

from collections.abc import Awaitable, Callable

from cell_control.domain.records import Cell, Probe
from cell_control.server.bodies import CellBody, CellPatch, LifecycleBody, Reasoned
from cell_control.server.pages import CellShown, CellsShown, shown
from cell_control.server.registry_threads import RegistryThreads
from cell_control.server.roles import ADMINS, OPERATORS, VIEWERS
from cell_control.server.routing import Call, Reply, Route, sent
from cell_control.service.cells import Cells, CellSpec

_CELL = "/v1/cells/{cell}"
_REFUSED = ("cell_refused", "invalid_cell", "invalid_labels")

ProbeCell = Callable[[Cell], Awaitable[Probe]]
"""Runs the parity probe against a live cell."""


class CellRoutes:
    """The rows of cells."""

    def __init__(self, cells: Cells, threads: RegistryThreads, probe: ProbeCell) -> None:
        self._cells = cells
        self._call = threads.call
        self._probe = probe

    def rows(self) -> list[Route]:
        """Return this part's rows."""
        return [
            Route(
                method="GET",
                path="/v1/cells",
                id="list_cells",
                summary="All cells, and what is taken of them",
                handle=self._list,
                roles=VIEWERS,
                answer=CellsShown,
            ),
            Route(
                method="GET",
                path=_CELL,
                id="show_cell",
                summary="A cell, and what is taken of it",
                handle=self._show,
                roles=VIEWERS,
                answer=CellShown,
                codes=("cell_not_found",),
            ),
            Route(
                method="PUT",
                path=_CELL,
                id="declare_cell",
                summary="Declare a cell, or change all of its declaration",
                handle=self._declare,
                roles=ADMINS,
                body=CellBody,
                answer=Cell,
                codes=_REFUSED,
            ),
            Route(
                method="PATCH",
                path=_CELL,
                id="change_cell",
                summary="Change some of a cell's declaration",
                handle=self._change,
                roles=ADMINS,
                body=CellPatch,
                answer=Cell,
                codes=("cell_not_found", *_REFUSED),
            ),
            Route(
                method="POST",
                path=f"{_CELL}/lifecycle",
                id="change_cell_lifecycle",
                summary="Give a cell another lifecycle",
                handle=self._become,
                roles=ADMINS,
                body=LifecycleBody,
                answer=Cell,
                codes=("cell_not_found", "lifecycle_refused"),
            ),
            Route(
                method="POST",
                path=f"{_CELL}/probe",
                id="probe_cell",
                summary="Run the parity probe against the cell, and keep what it finds",
                handle=self._probed,
                roles=OPERATORS,
                body=Reasoned,
                answer=Cell,
                codes=("cell_not_found",),
            ),
        ]

    async def _list(self, _call: Call) -> Reply:
        found = await self._call(self._cells.all)
        return Reply(CellsShown(tuple(map(shown, found))))

    async def _show(self, call: Call) -> Reply:
        return Reply(shown(await self._call(self._cells.show, call.names["cell"])))

    async def _declare(self, call: Call) -> Reply:
        body = sent(call, CellBody)
        spec = CellSpec(id=call.names["cell"], **body.fields())
        return Reply(await self._call(self._cells.declare, spec, by=call.by, reason=body.reason))

    async def _change(self, call: Call) -> Reply:
        body = sent(call, CellPatch)
        cell, changes = call.names["cell"], body.changes()
        return Reply(
            await self._call(self._cells.patch, cell, changes, by=call.by, reason=body.reason)
        )

    async def _become(self, call: Call) -> Reply:
        body = sent(call, LifecycleBody)
        cell = call.names["cell"]
        return Reply(
            await self._call(self._cells.become, cell, body.to, by=call.by, reason=body.reason)
        )

    async def _probed(self, call: Call) -> Reply:
        site = await self._call(self._cells.show, call.names["cell"])
        found = await self._probe(site.cell)
        return Reply(await self._call(self._cells.probed, site.cell.id, found, by=call.by))
