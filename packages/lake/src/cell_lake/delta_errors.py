"""What deltalake raises, as this package's errors; the texts are deltalake 1.6's.

An exception's text is looked at for its kind only, and never passed on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
)

from cell_core.domain.errors import CellError
from cell_lake.errors import (
    LakeConflict,
    LakeOutcomeUnknown,
    LakeSchemaDiffers,
    LakeUnavailable,
)

_CAME_BETWEEN: Final = (
    "concurrent",  # "Concurrent transaction failed." and its kin
    "changed since last commit",
    "existing table version",
    "already exists",
    "commit attempts",
)


@contextmanager
def translated(operation: str, *, writes: str = "") -> Iterator[None]:
    """Turn what deltalake raises inside into errors of ours.

    `writes` names what may have been written although it failed; empty if nothing can be.
    """
    try:
        yield
    except CommitFailedError as fault:
        raise _commit_failed(operation, fault) from fault
    except (SchemaMismatchError, DeltaProtocolError) as fault:
        raise LakeSchemaDiffers(operation=operation) from fault
    except (DeltaError, OSError, ValueError) as fault:
        unknown: CellError = LakeOutcomeUnknown(operation) if writes else LakeUnavailable(operation)
        unknown.reason = type(fault).__name__
        raise unknown from fault


def _commit_failed(operation: str, fault: CommitFailedError) -> CellError:
    text = str(fault).lower()
    if any(sign in text for sign in _CAME_BETWEEN):
        return LakeConflict(operation=operation)
    # The put that makes a commit may have arrived; only reading the log tells.
    return LakeOutcomeUnknown(operation)
