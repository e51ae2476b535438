"""Stands in for PyJWT inside the Worker, where there is no `cryptography`: Web Crypto verifies.

It has those names of PyJWT that `cell_router.auth` and `cell_core.wire.grants` import, so that all
rules on tokens and keys are the server's own, word for word. Signs nothing, and decodes nothing.
"""

from collections.abc import Sequence

from cell_router.shell_worker_verdicts import VERDICTS
from jwt.algorithms import Jwk


class PyJWTError(Exception):
    """What PyJWT raises."""


class InvalidKeyError(PyJWTError):
    """A JWK that is no key."""


class InvalidSignatureError(PyJWTError):
    """A signature that this key has not made."""


class PyJWS:
    """Checks signatures of tokens."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        self._algorithms = frozenset(algorithms)

    def decode_complete(self, token: bytes, key: Jwk, algorithms: Sequence[str]) -> None:
        """Return if `key` made the signature of `token` with the one of `algorithms`.

        Raises:
            InvalidSignatureError: It did not.
            NotYetVerified: Web Crypto has to be asked first; it is none of PyJWT's errors.
        """
        (algorithm,) = algorithms
        if algorithm not in self._algorithms or not VERDICTS.take(token, key, algorithm):
            raise InvalidSignatureError
