"""Verifies API keys against the SHA-256 of each; the keys themselves are nowhere."""

import hmac
import math
from dataclasses import dataclass, field
from typing import Final

from cell_router.auth.api_key_file import EVERY_TENANT, ApiKey, KeyFile, KeyFileInvalid
from cell_router.auth.api_key_text import LOCAL_ENV, digest, id_of
from cell_router.auth.principal import Principal, known_scopes
from cell_router.auth.refused import EXPIRED, INVALID, AuthRefused


@dataclass(frozen=True, slots=True)
class _Known:
    digest: bytes = field(repr=False)
    revoked: bool
    principal: Principal


# Compared with where there is no such id, so that both take the same time. Nothing hashes to it
# that anybody could find.
_NOBODY: Final = bytes(32)


class ApiKeys:
    """The keys of one file, as they were when it was read; a new file means a new object."""

    def __init__(self, file: KeyFile, *, local: bool = False) -> None:
        """Take over the keys of `file`.

        Raises:
            KeyFileInvalid: One is for development and this is not the local world.
        """
        for index, key in enumerate(file.keys):
            if key.env == LOCAL_ENV and not local and key.revoked_s is None:
                raise KeyFileInvalid(f"$.keys[{index}].env", "a development key")
        self._known = {key.id: _known(key) for key in file.keys}

    def verify(self, presented: bytes, now_s: int) -> Principal:
        """Return whom the key `presented` speaks for at `now_s`, in wall clock seconds.

        Raises:
            AuthRefused: `credential_invalid` or `credential_expired`.
        """
        key_id = id_of(presented)
        if key_id is None:
            raise AuthRefused(INVALID, "malformed_key")
        known = self._known.get(key_id)
        matches = hmac.compare_digest(digest(presented), known.digest if known else _NOBODY)
        if known is None:
            raise AuthRefused(INVALID, "unknown_key")
        if not matches:
            raise AuthRefused(INVALID, "wrong_key")
        if known.revoked:
            raise AuthRefused(INVALID, "key_revoked")
        if now_s >= known.principal.expires_s:
            raise AuthRefused(EXPIRED, "key_expired")
        return known.principal


def _known(key: ApiKey) -> _Known:
    principal = Principal(
        id=f"key:ck_{key.env}_{key.id}",
        tenants=None if key.tenants == EVERY_TENANT else frozenset(key.tenants),
        scopes=known_scopes(key.scopes),
        expires_s=math.inf if key.expires_s is None else key.expires_s,
    )
    return _Known(bytes.fromhex(key.sha256), key.revoked_s is not None, principal)
