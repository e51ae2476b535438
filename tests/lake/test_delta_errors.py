"""Whatever delta-rs raises is one of this package's errors, which says what may be done next."""

import deltalake.exceptions
import pytest
from deltalake.exceptions import CommitFailedError, DeltaError, SchemaMismatchError

from cell_core.domain.errors import CellError
from cell_lake.delta_errors import translated
from cell_lake.errors import (
    LakeConflict,
    LakeOutcomeUnknown,
    LakeSchemaDiffers,
    LakeUnavailable,
)

TREE = [getattr(deltalake.exceptions, name) for name in deltalake.exceptions.__all__]


def lands(fault: Exception, writes: str = "") -> CellError:
    with pytest.raises(CellError) as landed, translated("append", writes=writes):
        raise fault
    return landed.value


@pytest.mark.parametrize("kind", [*TREE, OSError, TimeoutError, ValueError])
@pytest.mark.parametrize("writes", ["", "commit"])
def test_every_error_of_the_vendor_is_one_of_ours(kind: type[Exception], writes: str) -> None:
    error = lands(kind("secret=s3cr3t"), writes)

    assert "s3cr3t" not in f"{error} {error.fields} {error.reason}"
    assert isinstance(
        error, LakeConflict | LakeOutcomeUnknown | LakeSchemaDiffers | LakeUnavailable
    )


@pytest.mark.parametrize(
    ("fault", "writes", "kind"),
    [
        (CommitFailedError("Concurrent transaction failed."), "commit", LakeConflict),
        (CommitFailedError("Exceeded max commit attempts"), "commit", LakeConflict),
        (CommitFailedError("a put timed out"), "commit", LakeOutcomeUnknown),
        (DeltaError("Generic S3 error"), "commit", LakeOutcomeUnknown),
        (DeltaError("Generic S3 error"), "", LakeUnavailable),
        (OSError("connection reset"), "commit", LakeOutcomeUnknown),
        (SchemaMismatchError("a column"), "commit", LakeSchemaDiffers),
    ],
)
def test_what_may_be_written_is_told_from_what_is_not(
    fault: Exception, writes: str, kind: type[CellError]
) -> None:
    assert type(lands(fault, writes)) is kind


def test_a_bug_of_ours_is_no_fault_of_the_lake() -> None:
    with pytest.raises(KeyError), translated("append", writes="commit"):
        raise KeyError("a bug")
