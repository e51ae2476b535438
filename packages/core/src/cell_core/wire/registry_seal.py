"""The signed head of whatever carries the registry: magic line, one JSON line, signature line.

The JSON line begins with `kid` and `rev`, so that both are found without parsing what nobody has
verified yet. The check itself is a callable: `cryptography` on servers, Web Crypto in a Worker.
Refuses to read the line before that: `Sealed.check` first, then `Sealed.members`.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cell_core.domain.canonical import canonical, parse
from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import is_id
from cell_core.domain.limits import INTEGER_MAX
from cell_core.wire.registry import RegistryRefused

HEAD_PEEK_BYTES: Final = 256
"""This much of a snapshot or a batch is enough for `peek`."""

_START = re.compile(rb'\{"kid":"([A-Za-z0-9][A-Za-z0-9._~-]{0,63})","rev":(0|[1-9][0-9]{0,15}),')
_SIGNATURE = re.compile(rb"[A-Za-z0-9_-]{86}")
_SIGNATURE_LINE_BYTES = 87
_MAGIC_BYTES_MAX = 32

Verify = Callable[[str, bytes, bytes], None]
"""`verify(kid, signature, message)` raises `RegistryRefused` unless a trusted key signed it."""


class Signer(Protocol):
    """Signs with one private key of the registry's."""

    @property
    def kid(self) -> str:
        """The name under which the public half is trusted."""

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of `message`, 64 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A head whose signature may be right; nothing in it is trusted yet.

    Attributes:
        message: What was signed: the magic line and the JSON line.
        end: Where the body begins.
    """

    kid: str
    rev: int
    message: bytes
    signature: bytes
    end: int

    def check(self, verify: Verify) -> None:
        """Have the signature verified.

        Raises:
            RegistryRefused: No trusted key made it.
        """
        verify(self.kid, self.signature, self.message)

    def members(self) -> dict[str, Any]:
        """Return the JSON line's members; call it on a verified head only.

        Raises:
            RegistryRefused: It is not the strict JSON it has to be.
        """
        line = self.message[self.message.index(b"\n") + 1 :]
        try:
            found = parse(line)
        except InvalidInput:
            raise RegistryRefused(part="head") from None
        # Strict parsing refuses duplicates, so the two members peeked at are these.
        if not isinstance(found, dict) or (found["kid"], found["rev"]) != (self.kid, self.rev):
            raise RegistryRefused(part="head")
        return found


def seal(magic: bytes, members: Mapping[str, Any], rev: int, signer: Signer) -> bytes:
    """Return a signed head of `members`, in which `kid` and `rev` come first."""
    if not is_id(signer.kid) or not 0 <= rev <= INTEGER_MAX:
        raise RegistryRefused(part="head")
    start = canonical({"kid": signer.kid, "rev": rev})[:-1]
    message = magic + f"{start},{canonical(members)[1:]}\n".encode()
    signature = base64.urlsafe_b64encode(signer.sign(message)).rstrip(b"=")
    return message + signature + b"\n"


def unseal(data: bytes, magic: bytes, line_bytes_max: int) -> Sealed:
    """Split the head off `data` without trusting any of it.

    Raises:
        RegistryRefused: It does not have this shape, or its line is longer than allowed.
    """
    kid, rev = peek(data, magic)
    line_end = data.find(b"\n", len(magic), len(magic) + line_bytes_max) + 1
    if not line_end:
        longer = len(data) >= len(magic) + line_bytes_max
        raise RegistryRefused("registry_too_large" if longer else "registry_truncated", part="head")
    end = line_end + _SIGNATURE_LINE_BYTES
    if len(data) < end:
        raise RegistryRefused("registry_truncated", part="signature")
    return Sealed(
        kid=kid,
        rev=rev,
        message=data[:line_end],
        signature=_read_signature(data[line_end:end]),
        end=end,
    )


def peek(data: bytes, magic: bytes) -> tuple[str, int]:
    """Return the key's name and the rev that `data` claims; it may be only the beginning.

    Raises:
        RegistryRefused: It does not begin as `magic` says.
    """
    if not data.startswith(magic):
        begins = len(data) < len(magic) and magic.startswith(data)
        raise RegistryRefused("registry_truncated" if begins else None, part="magic")
    found = _START.match(data, len(magic), len(magic) + HEAD_PEEK_BYTES - _MAGIC_BYTES_MAX)
    if found is None:
        raise RegistryRefused(part="head")
    return found[1].decode(), int(found[2])


def _read_signature(line: bytes) -> bytes:
    if not line.endswith(b"\n") or _SIGNATURE.fullmatch(line, 0, len(line) - 1) is None:
        raise RegistryRefused(part="signature")
    try:
        signature = base64.urlsafe_b64decode(line[:-1] + b"==")
    except (binascii.Error, ValueError):
        raise RegistryRefused(part="signature") from None
    # 86 characters hold 516 bits: the last four must be zero, or two texts mean one signature.
    if base64.urlsafe_b64encode(signature).rstrip(b"=") != line[:-1]:
        raise RegistryRefused(part="signature")
    return signature
