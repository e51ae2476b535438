"""Turns what a request presents into a principal: one look-up for a credential seen before.

Refuses to choose: a request that presents two credentials is nobody's.
"""

from typing import Final

from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.jwt import TokenVerifier
from cell_router.auth.principal import Principal
from cell_router.auth.recent import Recent
from cell_router.auth.refused import INVALID, MISSING, AuthRefused

REMEMBERED_MAX: Final = 100_000
REMEMBERED_BYTES_MAX: Final = 128 * 1024 * 1024
_SCHEME: Final = b"bearer "
_KEY_PREFIX: Final = b"ck_"


class Authenticator:
    """Verifies each credential once and remembers it, by its bytes, until it expires.

    Refusals are not remembered: an attacker would choose what fills the memory. The look-up by
    the credential's bytes gives nothing away, as bytes are compared only under an equal hash, whose
    key is drawn anew by each process. For one thread; `forget` may come from any.
    """

    def __init__(
        self,
        tokens: TokenVerifier,
        keys: ApiKeys,
        *,
        remembered_max: int = REMEMBERED_MAX,
        remembered_bytes_max: int = REMEMBERED_BYTES_MAX,
    ) -> None:
        self._tokens = tokens
        self._keys = keys
        self._limits = {"entries_max": remembered_max, "bytes_max": remembered_bytes_max}
        self.forget()

    def authenticate(
        self, authorization: bytes | None, api_key: bytes | None, now_s: int
    ) -> Principal:
        """Return whoever makes a request with these values of `Authorization` and `X-Api-Key`.

        Args:
            authorization: `Bearer` and a token or an API key; None if there is no such header.
            api_key: An API key; None if there is no such header.
            now_s: Wall clock seconds.

        Raises:
            AuthRefused: `credential_missing`, `credential_invalid`, `credential_expired` or
                `auth_unavailable`.
        """
        if api_key is None:
            found = None if authorization is None else self._bearers.get(authorization)
        else:
            found = None if authorization is not None else self._bare_keys.get(api_key)
        if found is not None and now_s < found.expires_s:
            return found
        return self._verify(authorization, api_key, now_s)

    def forget(self) -> None:
        """Verify every credential anew: a key was withdrawn."""
        # Replaced, not emptied: this may run beside `authenticate`.
        self._bearers: Recent[Principal] = Recent(**self._limits)
        self._bare_keys: Recent[Principal] = Recent(**self._limits)

    def __len__(self) -> int:
        """Return how many credentials are remembered."""
        return len(self._bearers) + len(self._bare_keys)

    def _verify(self, authorization: bytes | None, api_key: bytes | None, now_s: int) -> Principal:
        # Into the memory of before: what was verified by a key withdrawn meanwhile goes with it.
        bearers, bare_keys = self._bearers, self._bare_keys
        if authorization is not None and api_key is not None:
            raise AuthRefused(INVALID, "two_credentials")
        if authorization is not None:
            bearers.drop(authorization)
            found = self._verify_bearer(authorization, now_s)
            bearers.put(authorization, found)
        elif api_key is not None:
            bare_keys.drop(api_key)
            found = self._keys.verify(api_key, now_s)
            bare_keys.put(api_key, found)
        else:
            raise AuthRefused(MISSING, "no_credential")
        return found

    def _verify_bearer(self, authorization: bytes, now_s: int) -> Principal:
        if authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise AuthRefused(INVALID, "scheme_refused")
        credential = authorization[len(_SCHEME) :]
        if credential.startswith(_KEY_PREFIX):
            return self._keys.verify(credential, now_s)
        return self._tokens.verify(credential, now_s)
