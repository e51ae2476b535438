"""What a flow may ask of its shell. A flow is a generator: it yields one of these, gets the result.

A flow does no I/O and reads time from a clock it was given, so that one can be stopped after any
step, run in virtual time, or be driven by two shells at once. Every step is one effect; a shell may
drop a flow between any two of them, which is what a crash is.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from cell_control.domain.records import Kind
from cell_control.ports import Key, Write

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Send one request to a cell's control interface; the result is a `CellAnswer` or `NoAnswer`.

    The shell adds the grant. Nothing is retried below a flow.

    Attributes:
        path: Below `/v1/control/tenants`, beginning with a slash or empty.
    """

    cell: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    timeout_ms: int = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAnswer:
    """What a cell said.

    Attributes:
        body: Parsed JSON.
    """

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return self.status == 200

    @property
    def code(self) -> str:
        """The problem's code; empty if there is none."""
        if self.ok or not isinstance(self.body, Mapping):
            return ""
        return str(self.body.get("code", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """Nothing came back in time, or no more than a broken answer: it may have been done."""

    reason: str


@dataclass(frozen=True, slots=True)
class Together:
    """Send requests at the same time (at most 64); the result is a tuple in their order."""

    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class Get:
    """Read records; the result is a tuple of `Record | None`. Throws `RegistryUnavailable`."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRecords:
    """As `Registry.list`; the result is a tuple of records. Throws `RegistryUnavailable`."""

    kind: Kind
    tag: str | None = None
    prefix: str = ""
    after: str = ""
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class Commit:
    """As `Registry.commit`; the result is the rev. Throws its errors into the flow."""

    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class SkipTo:
    """As `Registry.skip_to`; the result is the rev. Throws its errors into the flow."""

    rev: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Go on after so many milliseconds."""

    ms: int


Effect: TypeAlias = Ask | Together | Get | ListRecords | Commit | SkipTo | Pause
Flow: TypeAlias = Generator[Effect, Any, Result]
