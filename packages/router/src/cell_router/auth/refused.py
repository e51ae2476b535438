"""Why a credential is not accepted: a code for the client, a reason for the log.

Both are words fixed in this package. No credential, claim or exception text ever stands in either.
"""

from typing import Final

from cell_core.domain.errors import CellError

MISSING: Final = "credential_missing"
INVALID: Final = "credential_invalid"
EXPIRED: Final = "credential_expired"
UNAVAILABLE: Final = "auth_unavailable"


class AuthRefused(CellError):
    """This request is nobody's.

    Attributes:
        code: `credential_missing`, `credential_invalid` or `credential_expired` (401), or
            `auth_unavailable` (503): the issuer's keys are not known, so nothing was decided.
        reason: For the log alone, such as `unknown_kid` or `bad_signature`.
    """

    code = INVALID

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code)
        self.reason = reason
