"""Effective partition key: where in the hash space a logical partition lies.

MurmurHash3 x64 128 over the encoded key, as hash version 2 does. Refuses nothing: the caller
has checked that the values are primitives. An absent value is `{}`.
"""

import struct
from collections.abc import Sequence

_MASK = (1 << 64) - 1
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F


def effective_partition_key(values: Sequence[object], *, hierarchical: bool) -> str:
    """The key's place as upper-case hex: 32 digits, or 32 per level when hierarchical."""
    encoded = [_encode(value) for value in values]
    if hierarchical:
        return "".join(_place(level) for level in encoded)
    return _place(b"".join(encoded))


def murmur3_128(data: bytes) -> tuple[int, int]:
    """MurmurHash3 x64 128 with seed 0, as its two 64-bit halves."""
    h1 = h2 = 0
    whole = len(data) // 16 * 16
    for k1, k2 in struct.iter_unpack("<QQ", data[:whole]):
        h1 ^= _mix_first(k1)
        h1 = ((_rotate(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= _mix_second(k2)
        h2 = ((_rotate(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK
    k1, k2 = struct.unpack("<QQ", data[whole:].ljust(16, b"\0"))
    h2 ^= _mix_second(k2)  # zero bytes mix to zero, so a short tail needs no case of its own
    h1 ^= _mix_first(k1)
    h1 ^= len(data)
    h2 ^= len(data)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    h1, h2 = _finish(h1), _finish(h2)
    h1 = (h1 + h2) & _MASK
    return h1, (h2 + h1) & _MASK


def _encode(value: object) -> bytes:
    """One byte for the type, then the value; a string ends in 0xFF."""
    if value is None:
        return b"\x01"
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if isinstance(value, int | float):
        return b"\x05" + struct.pack("<d", float(value))
    if isinstance(value, str):
        return b"\x08" + value.encode() + b"\xff"
    return b"\x00"  # undefined, which the wire writes as {}


def _place(encoded: bytes) -> str:
    h1, h2 = murmur3_128(encoded)
    # The top two bits are reserved, so places run from 00.. to 3F..
    return f"{(h2 << 64 | h1) & ~(0xC0 << 120):032X}"


def _rotate(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & _MASK


def _mix_first(word: int) -> int:
    return _rotate(word * _C1 & _MASK, 31) * _C2 & _MASK


def _mix_second(word: int) -> int:
    return _rotate(word * _C2 & _MASK, 33) * _C1 & _MASK


def _finish(word: int) -> int:
    word ^= word >> 33
    word = word * 0xFF51AFD7ED558CCD & _MASK
    word ^= word >> 33
    word = word * 0xC4CEB9FE1A85EC53 & _MASK
    return word ^ (word >> 33)
