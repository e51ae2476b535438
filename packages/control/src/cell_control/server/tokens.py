"""Verifies bearer tokens against the file, which is read again when it changes.

Only hashes are kept, compared in constant time. A file that breaks a rule never replaces a good
one. Refuses to say of a credential why it is not known.
"""

import hmac
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cell_control.errors import ControlError, Invalid
from cell_control.server.roles import Principal, Role
from cell_control.server.token_file import FILE_BYTES_MAX, TEXTS, Token, read_token_file
from cell_core.wire.bearer_text import LOCAL_ENV, digest

GLANCE_S: Final = 1.0
"""Between two looks at the file's times: a revoked token works that long."""

_BEARER: Final = "bearer "
_NOBODY: Final = bytes(32)

_Stamp = tuple[int, int, int]


class AuthRefused(ControlError):
    """`credential_missing`, `credential_invalid` or `role_refused`."""

    code = "credential_invalid"


class TokenBook:
    """The live tokens, by id."""

    def __init__(
        self,
        path: Path,
        *,
        local: bool,
        now_s: Callable[[], int],
        on_refused: Callable[[str], None] = lambda _code: None,
    ) -> None:
        """Read the file.

        Args:
            path: See `token_file`.
            local: Whether tokens of the environment `local` are good.
            now_s: The wall clock.
            on_refused: Told the code when a changed file cannot be used.

        Raises:
            Invalid: It breaks a rule.
            OSError: It cannot be read.
        """
        self._path = path
        self._local = local
        self._now_s = now_s
        self._on_refused = on_refused
        self._stamp = _stamp(path.stat())
        self._looked_s = now_s()
        self._tokens = self._read()

    def who(self, header: str | None) -> Principal:
        """Return who sent `header`, the value of `Authorization`.

        Raises:
            AuthRefused: Nobody known did.
        """
        self._look()
        if not header:
            raise AuthRefused("credential_missing")
        text = header[len(_BEARER) :].strip().encode("ascii", "replace")
        token_id = TEXTS.id_of(text) if header[: len(_BEARER)].lower() == _BEARER else None
        token = self._tokens.get(token_id or "")
        expected = bytes.fromhex(token.sha256) if token else _NOBODY
        same = hmac.compare_digest(digest(text), expected)
        if token is None or not same or not self._admits(token):
            raise AuthRefused("credential_invalid")
        return Principal(name=token.name, role=token.role, token=token.id)

    def _admits(self, token: Token) -> bool:
        return token.is_live(self._now_s()) and (self._local or token.env != LOCAL_ENV)

    def _look(self) -> None:
        now_s = self._now_s()
        if abs(now_s - self._looked_s) < GLANCE_S:
            return
        self._looked_s = now_s
        try:
            stamp = _stamp(self._path.stat())
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._tokens = self._read()
        except OSError:
            self._on_refused("tokens_unreadable")
        except Invalid as refused:
            self._on_refused(refused.code)

    def _read(self) -> Mapping[str, Token]:
        with self._path.open("rb") as file:
            found = read_token_file(file.read(FILE_BYTES_MAX + 1), self._now_s())
        return {token.id: token for token in found.tokens}


def require(principal: Principal, roles: frozenset[Role]) -> None:
    """Return if `principal` has one of `roles`.

    Raises:
        AuthRefused: `role_refused`, with the roles that would do.
    """
    if principal.role not in roles:
        raise AuthRefused("role_refused", roles=sorted(roles))


def _stamp(found: os.stat_result) -> _Stamp:
    return found.st_mtime_ns, found.st_ino, found.st_size
