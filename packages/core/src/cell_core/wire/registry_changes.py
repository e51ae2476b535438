"""A signed batch of registry changes: what a feed delivers, and the answer for one tenant.

Refuses a batch that is not the text its key signed, or that lies about its order or its bounds.
"""

from dataclasses import dataclass
from typing import Any, Final, cast, get_args

from cell_core.domain.limits import INTEGER_MAX
from cell_core.wire.registry import Change, Kind, RegistryRefused
from cell_core.wire.registry_seal import Sealed, Signer, Verify, seal, unseal

MAGIC: Final = b"cells-changes 1\n"
BATCH_BYTES_MAX: Final = 1024 * 1024
CHANGES_MAX: Final = 1000

_MEMBERS = {"kid", "rev", "after", "created_ms", "changes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Every change with `after` < rev <= `rev`, in order; none is a sign of life.

    Attributes:
        created_ms: When the registry made it, wall clock: how fresh the holder now is.
    """

    after: int
    rev: int
    created_ms: int
    changes: tuple[Change, ...]

    def __post_init__(self) -> None:
        revs = [self.after, *(change.rev for change in self.changes), self.rev]
        if self.changes and self.changes[0].rev <= self.after:
            raise RegistryRefused(part="batch")
        if len(self.changes) > CHANGES_MAX or revs != sorted(revs):
            raise RegistryRefused(part="batch")


def seal_batch(batch: Batch, signer: Signer) -> bytes:
    """Return `batch` as it travels.

    Raises:
        RegistryRefused: `registry_too_large`; send it as two.
    """
    members = {
        "after": batch.after,
        "created_ms": batch.created_ms,
        "changes": [[one.rev, one.kind, one.key, one.value] for one in batch.changes],
    }
    data = seal(MAGIC, members, batch.rev, signer)
    if len(data) > BATCH_BYTES_MAX:
        raise RegistryRefused("registry_too_large", part="batch")
    return data


def open_batch(data: bytes, verify: Verify) -> Batch:
    """Return the batch in `data`.

    Raises:
        RegistryRefused: No trusted key signed it, or it is not a batch.
    """
    sealed = unseal_batch(data)
    sealed.check(verify)
    return read_batch(sealed)


def unseal_batch(data: bytes) -> Sealed:
    """Return the unverified head of `data`, which must be all there is.

    Raises:
        RegistryRefused: It is not a batch in shape or size.
    """
    if len(data) > BATCH_BYTES_MAX:
        raise RegistryRefused("registry_too_large", part="batch")
    sealed = unseal(data, MAGIC, BATCH_BYTES_MAX)
    if sealed.end != len(data):
        raise RegistryRefused(part="batch")
    return sealed


def read_batch(sealed: Sealed) -> Batch:
    """Return the batch in a head that was verified.

    Raises:
        RegistryRefused: Its members are not a batch's.
    """
    members = sealed.members()
    if members.keys() != _MEMBERS or not isinstance(members["changes"], list):
        raise RegistryRefused(part="batch")
    if len(members["changes"]) > CHANGES_MAX:
        raise RegistryRefused("registry_too_large", part="batch")
    return Batch(
        after=count_of(members["after"]),
        rev=sealed.rev,
        created_ms=count_of(members["created_ms"]),
        changes=tuple(map(_read_change, members["changes"])),
    )


def count_of(value: object) -> int:
    """Return `value`, which has to be an integer that is not negative.

    Raises:
        RegistryRefused: It is not.
    """
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise RegistryRefused(part="count")
    return value


def _read_change(raw: Any) -> Change:  # noqa: ANN401 - untrusted JSON
    if not isinstance(raw, list) or len(raw) != 4:
        raise RegistryRefused(part="change")
    rev, kind, key, value = raw
    if kind not in get_args(Kind) or not isinstance(key, str):
        raise RegistryRefused(part="change")
    if value is not None and not isinstance(value, str):
        raise RegistryRefused(part="change")
    return Change(rev=count_of(rev), kind=cast("Kind", kind), key=key, value=value)
