"""What the answers look like: models for the OpenAPI; a test holds real answers against them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cell_core.schema import Copied, Hash, Id, Seq, Strict


class StripePosition(Strict):
    """Where a stripe stands."""

    stripe: int = Field(ge=0)
    seq: Seq
    chain: Hash


class WireEvent(Strict):
    """A fact; `id` is the entry's seq and the event's index in it."""

    id: str = Field(pattern=r"^[0-9]+\.[0-9]+$")
    type: str
    data: dict[str, JsonValue]


class PastEvent(WireEvent):
    """A fact with its circumstances."""

    command_id: str
    time_ms: int
    epoch: int


class Applied(Strict):
    """The commands were carried out; `replayed` if that was earlier."""

    status: Literal["applied"]
    tenant_id: Id
    domain: Id
    stream: Id
    command_id: str
    position: StripePosition
    events: list[WireEvent]
    replayed: bool


class BundleResult(Strict):
    """The answer to one envelope."""

    status: int
    body: dict[str, JsonValue]


class BundleAnswer(Strict):
    """An answer for each envelope, in order."""

    results: list[BundleResult]


class StreamAnswer(Strict):
    """A stream's position: that of its stripe."""

    domain: Id
    stream: Id
    position: StripePosition


class EntityAnswer(Strict):
    """One entity; `seq` is its last change."""

    id: str
    seq: Seq
    body: dict[str, JsonValue]


class EntityPage(Strict):
    """Entities; `after` is null on the last page."""

    entities: list[EntityAnswer]
    after: str | None


class EventPage(Strict):
    """Events; `after` is null on the last page."""

    events: list[PastEvent]
    after: str | None


class ViewAnswer(Strict):
    """What a view came to."""

    view: Id
    value: dict[str, JsonValue]


class FenceAnswer(Strict):
    """A stripe's fence."""

    role: Literal["active", "frozen", "standby", "quarantine"]
    epoch: int
    seq: Seq
    chain: Hash
    digest: Hash
    stripes: int
    op: str
    home_hint: str
    base: str


class Tenants(Strict):
    """Tenants in the order of their names."""

    tenants: list[Id]
    after: str | None


class Fences(Strict):
    """The fence of each stripe, as it is after the call."""

    fences: list[FenceAnswer]


class Truncated(Strict):
    """The fence after a part of the tail is undone; call again while there is `more`."""

    fence: FenceAnswer
    more: bool


class Dropped(Strict):
    """Call again while there is `more`."""

    more: bool


class Exported(Strict):
    """Documents, and the fence read before them."""

    documents: list[Copied]
    after: str | None
    fence: FenceAnswer


class Digest(Strict):
    """The digest's sum over a page of entities."""

    sum: Hash
    count: int
    after: str | None
    fence: FenceAnswer


class Written(Strict):
    """The fence after the call, and how many documents were new."""

    fence: FenceAnswer
    written: int | None = None


class Health(Strict):
    """It answers."""

    status: Literal["ok"]


class ProblemAnswer(BaseModel):
    """RFC 9457 problem details; `code` is the stable part, other members depend on it."""

    model_config = ConfigDict(extra="allow", strict=True)

    type: str
    title: str
    status: int
    code: str
    detail: str
    retryable: bool


MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        Applied,
        BundleAnswer,
        StreamAnswer,
        EntityAnswer,
        EntityPage,
        EventPage,
        ViewAnswer,
        Tenants,
        Fences,
        Truncated,
        Dropped,
        Exported,
        Digest,
        Written,
        Health,
        ProblemAnswer,
    )
}
