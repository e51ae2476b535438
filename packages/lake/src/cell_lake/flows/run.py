"""Drive a flow over a cell's store and the lake, to its end."""

from typing import Any, TypeVar

from cell_core.domain.errors import CellError
from cell_core.ports import CellStore
from cell_lake.flows.steps import Append, Commit, Flow, Held, Open, Read, ReadPage, Step
from cell_lake.ports import LakeTable

Result = TypeVar("Result")


def perform(step: Step, store: CellStore, table: LakeTable) -> Any:  # noqa: ANN401 - as the step says
    """Do one step and return its result."""
    match step:
        case Read(partition, keys):
            return store.read(partition, keys)
        case ReadPage(partition, prefix, after, limit):
            return store.page(partition, prefix, after=after, limit=limit)
        case Commit(batch):
            return store.commit(batch)
        case Open(application):
            return table.open(application)
        case Append(handle, n, rows):
            return handle.append(n, rows)
        case Held(handle, stripe, first, last):
            return handle.held(stripe, first, last)


def run(flow: Flow[Result], store: CellStore, table: LakeTable) -> Result:
    """Return what `flow` returns.

    Raises:
        CellError: What the flow makes of a failed step, or of what it found.
    """
    try:
        step = next(flow)
        while True:
            try:
                result = perform(step, store, table)
            except CellError as error:
                step = flow.throw(error)
            else:
                step = flow.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # the generator's own type says what it is
