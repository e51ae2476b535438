"""Models of untrusted input; the same models validate and make the OpenAPI.

The only module of core that knows pydantic's errors. It turns parsed JSON into values of the
domain and refuses everything else with `InvalidInput`, naming places and kinds, never values.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import EPOCH_MAX, ID_PATTERN, STRIPES_MAX
from cell_core.domain.limits import (
    APPLY_ENTRIES_MAX,
    BATCH_COMMANDS_MAX,
    BUNDLE_ENVELOPES_MAX,
    IMPORT_DOCUMENTS_MAX,
    INTEGER_MAX,
)

ERRORS_SHOWN_MAX = 10

Id = Annotated[str, Field(pattern=ID_PATTERN, examples=["T-100"])]
Amount = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$", examples=["250"])]
"""A positive whole number of at most 18 digits, in a string."""

TimeMs = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Rev = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Seq = Annotated[int, Field(ge=0, le=INTEGER_MAX)]
Epoch = Annotated[int, Field(ge=0, le=EPOCH_MAX)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    """A closed object without coercion: what is not named is refused, `"1"` is not `1`.

    Its validator is built at first use: a cold start pays only for what its request needs.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class NamedCommand(Strict):
    """One command of a batch."""

    command: Id
    data: dict[str, JsonValue]


class Envelope(Strict):
    """One command, or up to 20 of one stream, all or nothing."""

    tenant_id: Id
    domain: Id
    stream: Id = "main"
    command: Id | None = None
    data: dict[str, JsonValue] | None = None
    commands: list[NamedCommand] | None = Field(
        default=None, min_length=1, max_length=BATCH_COMMANDS_MAX
    )
    command_id: Id
    expected_version: Seq | None = None


class Bundle(Strict):
    """Up to 30 independent envelopes of one stripe; each gets its own answer."""

    envelopes: list[dict[str, JsonValue]] = Field(min_length=1, max_length=BUNDLE_ENVELOPES_MAX)


class Position(Strict):
    """Where a stripe stands."""

    seq: Seq
    chain: Hash


class Start(Position):
    """Where a standby begins: the home's position and digest when the copy was begun."""

    digest: Hash


class Provision(Strict):
    """Create a tenant's fences."""

    role: Literal["active", "standby"] = "active"
    epoch: Epoch
    stripes: int = Field(default=1, ge=1, le=STRIPES_MAX)
    home_hint: Id | Literal[""] = ""
    start: list[Start] | None = Field(default=None, min_length=1, max_length=STRIPES_MAX)


class Freeze(Strict):
    """Stop writes and linearizable reads at `epoch`, for operation `op`."""

    epoch: Epoch
    op: Id


class Activate(Strict):
    """Make this cell the home from `epoch` on."""

    epoch: Epoch
    mode: Literal["planned", "forced", "rollback"] = "planned"
    positions: list[Position] | None = Field(default=None, min_length=1, max_length=STRIPES_MAX)
    op: Id | Literal[""] = ""


class Retire(Strict):
    """Seal or fence off: the tenant lives at `home_hint` since `epoch`."""

    epoch: Epoch
    home_hint: Id


class Truncate(Strict):
    """Take a quarantined stripe back to the common prefix."""

    stripe: int = Field(ge=0, lt=STRIPES_MAX)
    epoch: Epoch
    seq: Seq
    chain: Hash


class Drop(Strict):
    """Remove a tenant that does not live here."""

    epoch: Epoch


class Prepare(Position):
    """The epoch from which this cell may be the home, and the old home's final position."""

    epoch: Epoch


class Apply(Strict):
    """Journal entries of the home at `epoch`, in order; none only to `prepare`."""

    epoch: Epoch
    entries: list[str] = Field(max_length=APPLY_ENTRIES_MAX)
    prepare: Prepare | None = None


class Copied(Strict):
    """One document of the home."""

    key: str = Field(max_length=255)
    version: Seq
    body: str
    deleted: bool = False


class Import(Strict):
    """Documents of the home, in any order."""

    documents: list[Copied] = Field(min_length=1, max_length=IMPORT_DOCUMENTS_MAX)


class Orphans(Strict):
    """Entries that were written by a cell that was no longer the home."""

    entries: list[str] = Field(min_length=1, max_length=APPLY_ENTRIES_MAX)


Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], value: Any, code: str = "invalid_envelope") -> Model:  # noqa: ANN401
    """Return `value` (parsed JSON) as `model`.

    Raises:
        InvalidInput: `code`, with up to 10 places and kinds of problem; never with values.
    """
    try:
        return model.model_validate(value)
    except ValidationError as invalid:
        raise InvalidInput(code, errors=_problems(invalid)) from None


def _problems(invalid: ValidationError) -> list[Mapping[str, str]]:
    found = invalid.errors(include_url=False, include_context=False, include_input=False)
    return [
        {"at": "/" + "/".join(str(part)[:64] for part in e["loc"]), "problem": e["type"]}
        for e in found[:ERRORS_SHOWN_MAX]
    ]
