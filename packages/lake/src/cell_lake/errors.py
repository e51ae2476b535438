"""What can go wrong between a relay and the lake, as kinds of the errors that core has.

What may be done next is the same as there: read again after a `Conflict`, try again later after
`Unavailable`, which wrote nothing; after any other, running the same intent again tells.
"""

from cell_core.domain.errors import (
    CellError,
    Conflict,
    InvariantBroken,
    OutcomeUnknown,
    Unavailable,
)


class LakeConflict(Conflict):
    """Another commit came between; open the table again, its version tells what is there.

    It may be this one's own: an object store's client that lost the answer of its put tries again,
    and finds that somebody, itself, was faster.
    """

    code = "lake_conflict"


class LakeUnavailable(Unavailable):
    """The object store did not answer; nothing was written."""

    code = "lake_unavailable"


class LakeOutcomeUnknown(OutcomeUnknown):
    """The commit may be in the table's log; the transaction's version tells."""

    code = "lake_outcome_unknown"


class LakeSchemaDiffers(CellError):
    """The table's columns are not ones that this code may write to; an operator must look."""

    code = "lake_schema_differs"


class StateLost(InvariantBroken):
    """The relay's state and the table's transactions cannot both be right; nothing is written.

    One of them was restored from a backup or begun anew: going on would lose rows, or write them
    twice. `found` is the table's version of the application, `n` the relay's last.
    """

    code = "lake_state_lost"
