"""The text of a bearer credential of ours: `<prefix>_<env>_<id>_<random><checksum>`.

The checksum refuses a typing error or half a credential without a look-up, and lets a scanner tell
a real one from a word (the idea is GitHub's, "Behind GitHub's new authentication token formats",
2021). It proves nothing: anybody can compute it. Refuses to draw the random part itself.
"""

import hashlib
import re
import zlib
from dataclasses import dataclass, field
from typing import Final

ENV_PATTERN: Final = r"^[a-z]{2,8}\Z"
ID_PATTERN: Final = r"^[a-z0-9]{4,16}\Z"
LOCAL_ENV: Final = "local"
"""Credentials of this environment are for development and refused anywhere else."""

ENTROPY_BYTES: Final = 40
_ID_BYTES: Final = 8
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 12
_RANDOM_LENGTH: Final = 43
"""62^43 is just above 2^256."""

_CHECKSUM_LENGTH: Final = 6
"""62^6 is above 2^32."""

_BYTES_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class NewKey:
    """A credential just made; the only time that its text exists here."""

    text: str = field(repr=False)
    env: str
    id: str
    sha256: str


class BearerText:
    """The texts that begin with one prefix, such as `ck` for API keys at the edge."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._text = re.compile(
            rb"(%b_([a-z]{2,8})_([a-z0-9]{4,16})_[0-9A-Za-z]{%d})([0-9A-Za-z]{%d})"
            % (prefix.encode(), _RANDOM_LENGTH, _CHECKSUM_LENGTH)
        )

    def make(self, env: str, entropy: bytes) -> NewKey:
        """Return the credential of `env` that `ENTROPY_BYTES` of unpredictable bytes make.

        Raises:
            ValueError: `env` is not 2 to 8 small letters, or the bytes are too few.
        """
        if re.fullmatch(ENV_PATTERN, env) is None:
            raise ValueError("env: 2 to 8 small letters")
        if len(entropy) != ENTROPY_BYTES:
            raise ValueError(f"entropy: {ENTROPY_BYTES} bytes")
        key_id = _base(36, entropy[:_ID_BYTES], _ID_LENGTH).lower()
        random_part = _base(62, entropy[_ID_BYTES:], _RANDOM_LENGTH)
        body = f"{self._prefix}_{env}_{key_id}_{random_part}"
        text = body + _checksum(body.encode())
        return NewKey(text, env, key_id, digest(text.encode()).hex())

    def id_of(self, text: bytes) -> str | None:
        """Return the id that `text` names, or None if it is no such credential, or mistyped."""
        if len(text) > _BYTES_MAX:
            return None
        found = self._text.fullmatch(text)
        if found is None or _checksum(found[1]).encode() != found[4]:
            return None
        return found[3].decode()


def digest(text: bytes) -> bytes:
    """Return what is kept of a credential. A fast hash is enough: there are 2^256 to try."""
    return hashlib.sha256(text).digest()


def _checksum(body: bytes) -> str:
    return _base(62, zlib.crc32(body).to_bytes(4, "big"), _CHECKSUM_LENGTH)


def _base(base: int, raw: bytes, length: int) -> str:
    number = int.from_bytes(raw, "big")
    digits = []
    for _ in range(length):
        number, digit = divmod(number, base)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
