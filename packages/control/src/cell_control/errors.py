"""What the control plane refuses, split by what the caller may do next.

    ControlError
    ├── NotFound       there is no such thing
    ├── Invalid        the request is malformed; sending it again cannot help
    ├── Conflict       the id is taken by another request, or others won: read again, then decide
    ├── Refused        a rule forbids it; `reasons` say which, and what to do
    └── Unavailable    the registry or a cell cannot be reached; try again

A code is stable on the wire; fields hold ids and numbers, never values, secrets or texts of others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a rule forbids something.

    Attributes:
        code: Stable on the wire, such as `no_headroom`.
        subject: The cell, tenant or operation it is about.
        text: One sentence that says what to do.
    """

    code: str
    subject: str
    text: str

    def fields(self) -> dict[str, str]:
        """Return it as JSON."""
        return {"code": self.code, "subject": self.subject, "text": self.text}


class ControlError(Exception):
    """Anything the services raise on purpose.

    Attributes:
        code: Stable on the wire.
        fields: What a caller may see beside it, JSON values only.
    """

    code = "internal"

    def __init__(self, code: str | None = None, **fields: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(code or self.code)
        self.code = code or self.code
        self.fields: dict[str, Any] = fields

    def __str__(self) -> str:
        """Return the code and its fields, for a log line."""
        return f"{self.code} {self.fields}" if self.fields else self.code


class NotFound(ControlError):
    """`tenant_not_found`, `cell_not_found`, `operation_not_found` or `key_not_found`."""

    code = "tenant_not_found"


class Invalid(ControlError):
    """The request is malformed; `at` names the field, `problem` what is wrong with it."""

    code = "invalid_request"


class Conflict(ControlError):
    """`id_taken` (by another request), or `contention` (others won; the same may be sent again)."""

    code = "contention"


class Refused(ControlError):
    """A rule forbids it.

    Attributes:
        reasons: Each rule that does, with what to do about it.
    """

    code = "refused"

    def __init__(self, code: str, reasons: Iterable[Reason], **fields: Any) -> None:  # noqa: ANN401 - JSON
        self.reasons = tuple(reasons)
        super().__init__(code, **fields, reasons=[reason.fields() for reason in self.reasons])


class Unavailable(ControlError):
    """`registry_unavailable` (nothing was done) or `outcome_unknown` (read again to know)."""

    code = "registry_unavailable"
