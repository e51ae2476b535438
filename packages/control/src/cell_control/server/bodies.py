"""The JSON that writes take; each is turned into what a service asks for.

Refuses what it does not know; whether it makes sense is the services' business.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from cell_control.domain.records import Ack, Capacity, Lifecycle, Policy
from cell_control.server.routing import Body
from cell_core.domain.ids import CELLS_MAX, ID_PATTERN, STRIPES_MAX

LISTED_MAX: Final = 1000
"""Of tenants in one body of 64 KiB; a larger operation names its source."""

Id = Annotated[str, Field(pattern=ID_PATTERN, examples=["T-100"])]
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Words = Annotated[tuple[Word, ...], Field(max_length=16, strict=False)]
Reason = Annotated[str, Field(max_length=500, description="Kept in the audit.")]
BaseUrl = Annotated[str, Field(max_length=512, examples=["https://alpha.example/api"])]


class Reasoned(Body):
    """A write that needs to say nothing but why."""

    reason: Reason = ""


class CapacityBody(Body):
    """What a cell takes at most, homes and standbys together."""

    tenants: int = Field(ge=0, le=10_000_000)
    bytes: int = Field(default=10**12, ge=0, le=2**53)
    commands_per_s: int = Field(default=10**5, ge=0, le=10**9)

    def to_capacity(self) -> Capacity:
        """Return it as the record has it."""
        return Capacity(**self.model_dump())


class CellBody(Reasoned):
    """A cell as its operator declares it."""

    ordinal: int = Field(ge=0, lt=CELLS_MAX)
    cloud: Word
    region: Word
    base_url: BaseUrl
    grant_header: Literal["authorization", "x-cell-grant"] = "authorization"
    labels: Words = ()
    capacity: CapacityBody = CapacityBody(tenants=10_000)
    weight: int = Field(default=100, ge=1, le=1000)

    def fields(self) -> dict[str, Any]:
        """Return what was given, as a cell's specification names it."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name != "reason"}
        return {**given, "capacity": self.capacity.to_capacity()}


class CellPatch(Reasoned):
    """What of a cell is to change."""

    base_url: BaseUrl | None = None
    grant_header: Literal["authorization", "x-cell-grant"] | None = None
    labels: Words | None = None
    capacity: CapacityBody | None = None
    weight: int | None = Field(default=None, ge=1, le=1000)

    def changes(self) -> dict[str, Any]:
        """Return what was given."""
        given = {
            name: value
            for name in type(self).model_fields
            if name != "reason" and (value := getattr(self, name)) is not None
        }
        if self.capacity is not None:
            given["capacity"] = self.capacity.to_capacity()
        return given


class LifecycleBody(Reasoned):
    """What a cell is to become."""

    to: Lifecycle = Field(strict=False)


class PolicyBody(Body):
    """What may be done with a tenant; what is left out stays as it is, or is as by default."""

    allowed_cells: tuple[Id, ...] | None = Field(default=None, max_length=16, strict=False)
    labels: Words | None = None
    ack: Ack | None = None
    failover: Literal["AP", "CP"] | None = None
    priority: int | None = Field(default=None, ge=0, le=9)
    freeze_budget_ms: int | None = Field(default=None, ge=0, le=60_000)

    def over(self, policy: Policy) -> Policy:
        """Return `policy` with what was given."""
        kept = {name: getattr(policy, name) for name in type(self).model_fields}
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return Policy(**kept | {name: v for name, v in given.items() if v is not None})


class TenantBody(Reasoned):
    """A new tenant; without an id it gets one, without a home placement chooses."""

    id: Id | None = None
    stripes: int = Field(default=1, ge=1, le=STRIPES_MAX)
    policy: PolicyBody = PolicyBody()
    home: Id | None = None
    standby: bool | Id = True


class PinBody(Reasoned):
    """The cell that a tenant is to stay in; left out, the one where it is at home."""

    cell: Id | None = None


class PolicyChange(Reasoned):
    """What of a tenant's policy is to change."""

    policy: PolicyBody


class VerifyBody(Body):
    """How thoroughly to look, and at which other cell; left out, the standby."""

    depth: Literal["positions", "digests", "behaviour"] = "digests"
    other: Id | None = None


class OperationBody(Reasoned):
    """What is to be done with which tenants; the same id again is the same operation."""

    id: Id
    kind: Literal["move", "drain", "failback", "standby"]
    tenants: tuple[Id, ...] = Field(default=(), max_length=LISTED_MAX, strict=False)
    source: Id | None = None
    dest: Id | None = None
    parallel_max: int = Field(default=4, ge=1, le=64)
    freeze_budget_ms: int = Field(default=0, ge=0, le=2**40)
    dry_run: bool = False
