"""What can go wrong, split by what the caller may do next.

    CellError
    ├── Rejected            sending it again cannot help (4xx)
    │   ├── InvalidInput    malformed; never reaches a store, never journaled
    │   ├── Refused         not allowed: the grant, or what it is for
    │   ├── NotFound
    │   └── DomainRejected  the domain's own answer; journaled, the answer for good
    ├── Conflict            nothing was written: read again, then decide
    │   ├── LostRace        another writer took this position
    │   ├── Fenced          the fence's role or epoch does not admit this
    │   ├── VersionMismatch the caller's expectation does not hold
    │   ├── Gap             entries are missing before the ones sent
    │   └── Diverged        two logs disagree; stop and alarm
    ├── BackendError
    │   ├── Unavailable     nothing was written; try again after `retry_after_ms`
    │   │   └── Throttled   the store asks for less
    │   └── OutcomeUnknown  it may be written; the same batch may be committed again
    └── InvariantBroken     a bug of ours; nothing was written

An error carries a stable `code` and fields; a text for people is made at the edge. Fields name
ids, never values or secrets.
"""

from typing import Any


class CellError(Exception):
    """Anything this package raises on purpose.

    Attributes:
        code: Stable on the wire.
        fields: What a client may see beside it, JSON values only.
        reason: For the log alone: a vendor's code or an exception's type, never its text.
    """

    code = "internal"
    reason = ""

    def __init__(self, code: str | None = None, **fields: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(code or self.code)
        self.code = code or self.code
        self.fields: dict[str, Any] = fields

    def __str__(self) -> str:
        """Return the code and its fields, for a log line."""
        return f"{self.code} {self.fields}" if self.fields else self.code


class Rejected(CellError):
    """Sending the same thing again cannot help."""


class InvalidInput(Rejected):
    """The request is malformed; no store was asked."""

    code = "invalid_envelope"


class Refused(Rejected):
    """The caller may not do this."""

    code = "grant_invalid"


class NotFound(Rejected):
    """What the request names is not here."""

    code = "tenant_not_found"


class DomainRejected(Rejected):
    """A domain's own no. It is journaled, so the first answer is the answer for good."""


class Conflict(CellError):
    """Nothing was written; read again, then decide."""


class LostRace(Conflict):
    """Another writer took this position."""

    code = "contention"


class Fenced(Conflict):
    """The fence does not admit this request.

    Attributes:
        code: `moved`, `frozen`, `epoch_behind` or, for control calls, `fence_refused`.
    """

    code = "fence_refused"


class VersionMismatch(Conflict):
    """The caller's `expected_version` is not the version found."""

    code = "version_mismatch"


class Gap(Conflict):
    """Entries are missing before the first one sent; `have` is the last one held."""

    code = "gap"


class Diverged(Conflict):
    """Two logs that must be one differ. Nothing is overwritten; an operator must look."""

    code = "diverged"


class BackendError(CellError):
    """The store failed; nothing is known to be wrong with the request."""

    code = "store_unavailable"


class Unavailable(BackendError):
    """Nothing was written; try again after `retry_after_ms`."""

    code = "store_unavailable"

    def __init__(self, operation: str = "", *, retry_after_ms: int = 1000) -> None:
        super().__init__()
        self.operation = operation
        self.retry_after_ms = retry_after_ms


class Throttled(Unavailable):
    """The store asks for less; nothing was written."""

    code = "throttled"


class OutcomeUnknown(BackendError):
    """The write may have happened; committing the same batch again is safe and tells."""

    code = "outcome_unknown"

    def __init__(self, operation: str = "") -> None:
        super().__init__()
        self.operation = operation


class InvariantBroken(CellError):
    """A domain broke one of its own rules, or stored state is not what this code wrote."""

    code = "internal"
