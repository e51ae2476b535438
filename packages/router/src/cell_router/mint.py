"""Makes command ids for clients that send none: UUIDv7 (RFC 9562), so they sort by time."""


def uuid7(now_ms: int, bits: int) -> str:
    """Return the UUID of version 7 with the time `now_ms` and 74 random `bits`."""
    random_a = bits >> 62 & 0xFFF
    random_b = bits & (1 << 62) - 1
    value = now_ms << 80 | 7 << 76 | random_a << 64 | 2 << 62 | random_b
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
