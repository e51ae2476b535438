"""Registry records: where cells are, and which epoch, hence which cell, a tenant is at.

An epoch names its owner (`ids.owner`), so a tenant's row needs no cell. One record has exactly one
text. Standard library only: a Worker at the edge imports this. Refuses to know how records are
signed or stored; `registry_snapshot` and `registry_changes` carry them.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, cast

from cell_core.domain.canonical import canonical, parse
from cell_core.domain.errors import InvalidInput, Rejected
from cell_core.domain.ids import CELLS_MAX, STRIPES_MAX, is_id
from cell_core.wire.message import AUTHORIZATION, GRANT

EPOCH_TEXT_MAX: Final = 10**15 - 1
"""Fifteen digits, so that a pattern bounds it; far below `ids.EPOCH_MAX`, far above any move."""

CELL_BYTES_MAX: Final = 2048

Status = Literal["active", "held", "blocked"]
"""`held`: a cut-over is under way, requests wait; `blocked`: an operator put it in quarantine."""

Ack = Literal["local", "refuse", "degrade"]
"""When a write is answered: once the home has it, or once the standby has it too; while that one
cannot be reached, `refuse` answers no, and `degrade` answers and says so."""

Kind = Literal["cell", "group", "tenant"]

_STATUSES: Final = ("active", "held", "blocked")
_NAME = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}"
_EPOCH = r"(?:0|[1-9][0-9]{0,14})"
_STRIPES = r"(?:[1-9]|[1-5][0-9]|6[0-4])"
_ACKS: Final[Mapping[str, Ack]] = {"r": "refuse", "d": "degrade"}
_STANDBY = r"(?:1[0-5]|[0-9])[rd]"
_STATUS = rf"(?:held|blocked|(?:active|held|blocked) {_STANDBY})"
ROW_PATTERN: Final = rf"{_EPOCH}(?: {_STRIPES}(?: (?:-|{_NAME})(?: {_STATUS})?)?)?"
"""Every text of a tenant's record, and a few that are not its shortest form."""

NAME_PATTERN: Final = _NAME

_ROW = re.compile(ROW_PATTERN)
_EPOCH_ALONE = re.compile(_EPOCH)
_WORD = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9a-f:.]{2,45}\])"
_BASE_URL = re.compile(
    rf"https?://{_HOST}(?::[1-9][0-9]{{0,4}})?(?:/[A-Za-z0-9._~-]{{1,64}}){{0,8}}"
)
_ORDINAL = re.compile(r"0|[1-9]|1[0-5]")


class RegistryRefused(Rejected):
    """A part of the registry is not what a trusted key signed, or not what may follow what is held.

    Attributes:
        code: `registry_malformed`, `registry_truncated`, `registry_too_large`,
            `registry_signature_invalid`, `registry_key_unknown`, `registry_rolled_back` or
            `registry_too_old`.
    """

    code = "registry_malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """A cell, as the edge reaches it.

    Attributes:
        ordinal: 0 to 15; the remainder of the epochs that this cell owns.
        base_url: Scheme, host and prefix, without a slash at the end; what may stand there is the
            edge's configuration (hosts, https), not this codec's.
        grant_header: The header that carries a grant to it, in lower case.
    """

    id: str
    ordinal: int
    cloud: str
    region: str
    base_url: str
    grant_header: str = AUTHORIZATION

    def __post_init__(self) -> None:
        sound = (
            is_id(self.id)
            and 0 <= self.ordinal < CELLS_MAX
            and _WORD.fullmatch(self.cloud)
            and _WORD.fullmatch(self.region)
            and _BASE_URL.fullmatch(self.base_url)
            and self.grant_header in (AUTHORIZATION, GRANT)
        )
        if not sound:
            raise RegistryRefused(record="cell")


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRecord:
    """Where a tenant lives, unless its group's epoch is larger.

    Attributes:
        standby: The ordinal of the cell that has to have a write before it is answered, None where
            `ack` is `local`. The home's own says that there is none at the moment.
        ack: What is done when it cannot be reached.
    """

    tenant: str
    epoch: int
    stripes: int = 1
    group: str = ""
    status: Status = "active"
    standby: int | None = None
    ack: Ack = "local"

    def __post_init__(self) -> None:
        sound = (
            is_id(self.tenant)
            and 0 <= self.epoch <= EPOCH_TEXT_MAX
            and 1 <= self.stripes <= STRIPES_MAX
            and (not self.group or is_id(self.group))
            and self.status in _STATUSES
        )
        if not (sound and self._names_who_acknowledges()):
            raise RegistryRefused(record="tenant")

    def _names_who_acknowledges(self) -> bool:
        if self.standby is None:
            return self.ack == "local"
        return 0 <= self.standby < CELLS_MAX and self.ack in _ACKS.values()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRecord:
    """A placement group: raising its epoch moves every tenant in it whose own is not larger."""

    group: str
    epoch: int

    def __post_init__(self) -> None:
        if not (is_id(self.group) and 0 <= self.epoch <= EPOCH_TEXT_MAX):
            raise RegistryRefused(record="group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record as it is from `rev` on; without a value it is gone.

    Attributes:
        key: A tenant, a group, or a cell's ordinal in decimal.
        value: The record's text.
    """

    rev: int
    kind: Kind
    key: str
    value: str | None

    def __post_init__(self) -> None:
        key_is_sound = _ORDINAL.fullmatch if self.kind == "cell" else is_id
        if self.rev < 0 or not key_is_sound(self.key):
            raise RegistryRefused(record="change")
        if self.value is not None:
            _require_sound(self.kind, self.key, self.value)


def tenant_text(record: TenantRecord) -> str:
    """Return `epoch[ stripes[ group[ status[ standby]]]]`, without the defaults at its end.

    `standby` is its cell's ordinal and one letter: `r` for refuse, `d` for degrade.
    """
    fields = [str(record.epoch), str(record.stripes), record.group or "-", record.status]
    if record.standby is not None:
        return " ".join([*fields, f"{record.standby}{record.ack[0]}"])
    for default in ("active", "-", "1"):
        if fields[-1] != default:
            break
        fields.pop()
    return " ".join(fields)


def read_tenant(tenant: str, text: str) -> TenantRecord:
    """Return the record of `tenant` that `text` holds.

    Raises:
        RegistryRefused: It is none.
    """
    if _ROW.fullmatch(text) is None:
        raise RegistryRefused(record="tenant")
    epoch, stripes, group, status, standby = (*text.split(" "), "", "", "", "")[:5]
    return TenantRecord(
        tenant=tenant,
        epoch=int(epoch),
        stripes=int(stripes or 1),
        group="" if group == "-" else group,
        status=cast("Status", status or "active"),
        standby=int(standby[:-1]) if standby else None,
        ack=_ACKS[standby[-1]] if standby else "local",
    )


def group_text(record: GroupRecord) -> str:
    """Return the text of a group: its epoch."""
    return str(record.epoch)


def read_group(group: str, text: str) -> GroupRecord:
    """Return the record of `group` that `text` holds.

    Raises:
        RegistryRefused: It is none.
    """
    if _EPOCH_ALONE.fullmatch(text) is None:
        raise RegistryRefused(record="group")
    return GroupRecord(group=group, epoch=int(text))


def cell_text(record: CellRecord) -> str:
    """Return the text of a cell: canonical JSON."""
    return canonical(asdict(record))


def read_cell(text: str) -> CellRecord:
    """Return the cell that `text` holds.

    Raises:
        RegistryRefused: It is none.
    """
    if len(text) > CELL_BYTES_MAX:
        raise RegistryRefused("registry_too_large", record="cell")
    try:
        raw = parse(text.encode(), 1)
    except (InvalidInput, UnicodeEncodeError):
        raise RegistryRefused(record="cell") from None
    return cell_from(raw)


def cell_from(raw: object) -> CellRecord:
    """Return the cell that a JSON object holds.

    Raises:
        RegistryRefused: It has a member too few, too many, or of another type.
    """
    texts = ("id", "cloud", "region", "base_url", "grant_header")
    if not isinstance(raw, dict) or raw.keys() != {*texts, "ordinal"}:
        raise RegistryRefused(record="cell")
    if type(raw["ordinal"]) is not int or not all(isinstance(raw[name], str) for name in texts):
        raise RegistryRefused(record="cell")
    return CellRecord(**raw)


def _require_sound(kind: Kind, key: str, value: str) -> None:
    if kind == "tenant":
        read_tenant(key, value)
    elif kind == "group":
        read_group(key, value)
    elif str(read_cell(value).ordinal) != key:
        raise RegistryRefused(record="cell")
