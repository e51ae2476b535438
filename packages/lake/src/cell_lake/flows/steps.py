"""What a flow may ask of its shell. A flow is a generator: it yields one of these, gets the result.

A flow does no I/O and reads no clock, so that it can be dropped between any two steps, which is
what a crash is, and two of them can be run in any order. Errors are thrown into it.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from cell_core.domain.documents import Batch
from cell_lake.domain.rows import Row
from cell_lake.domain.shards import Stripe
from cell_lake.ports import LakeHandle

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Read:
    """`CellStore.read`; the result is its `Snapshot`."""

    partition: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadPage:
    """`CellStore.page`; the result is its `Page`."""

    partition: str
    prefix: str
    after: str | None
    limit: int


@dataclass(frozen=True, slots=True)
class Commit:
    """`CellStore.commit`."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Open:
    """`LakeTable.open`; the result is a fresh `LakeHandle`."""

    application: str


@dataclass(frozen=True, slots=True)
class Append:
    """`LakeHandle.append`."""

    handle: LakeHandle
    n: int
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Held:
    """`LakeHandle.held`; the result is its set of (epoch, seq, index)."""

    handle: LakeHandle
    stripe: Stripe
    first: int
    last: int


Step: TypeAlias = Read | ReadPage | Commit | Open | Append | Held
Flow: TypeAlias = Generator[Step, Any, Result]
