"""Bodies that are no strict JSON in UTF-8, or too long."""

from collections.abc import Iterator

from tests.parity.bad_samples import GOOD_TEXT, SECRET, send
from tests.parity.steps import Step


def texts() -> Iterator[Step]:
    """Yield bodies that are no strict JSON."""
    for length in range(0, len(GOOD_TEXT), 3):
        yield send(f"cut at {length}", GOOD_TEXT[:length], "invalid_json")
    secret = SECRET.encode()
    at_amount = {
        "nan": b"NaN",
        "infinity": b"Infinity",
        "minus infinity": b"-Infinity",
        "python": b"None",
        "hexadecimal": b"0x10",
        "plus": b"+1",
        "leading zero": b"01",
        "bare dot": b"1.",
        "leading dot": b".1",
        "large integer": b"9007199254740992",
        "small integer": b"-9007199254740992",
        "huge integer": b"9" * 5000,
        "large number": b"1e16",
        "infinite number": b"1e400",
        "high surrogate": b'"\\ud83d"',
        "low surrogate": b'"\\ude00"',
        "swapped surrogates": b'"\\ude00\\ud83d"',
        "surrogate as a name": b'{"\\ud83d":1}',
        "single quotes": b"'1'",
        "raw newline": b'"a\nb"',
        "raw nul": b'"a\0b"',
        "bad escape": b'"\\x41"',
        "short escape": b'"\\u12"',
        "comment": b"1/*" + secret + b"*/",
        "trailing comma": b"[1,]",
        "deep list": b"[" * 15 + b"]" * 15,
        "deep object": b'{"a":' * 15 + b"1" + b"}" * 15,
        "very deep list": b"[" * 1500 + b"]" * 1500,
        "deeper list": b"[" * 30_000 + b"]" * 30_000,
        "never ending list": b"[" * 60_000,
        "duplicate": b'{"a":1,"a":1}',
        "deep duplicate": b'[[[{"b":{"a":1,"a":2}}]]]',
        "escaped duplicate": b'{"a":1,"\\u0061":2}',
        "latin-1": b'"' + secret + b'\xe9"',
        "overlong": b'"\xc0\xaf"',
        "encoded surrogate": b'"\xed\xa0\x80"',
        "beyond unicode": b'"\xf4\x90\x80\x80"',
        "lone continuation": b'"\x80"',
    }
    for name, text in at_amount.items():
        yield send(f"amount: {name}", GOOD_TEXT.replace(b'"1"', text), "invalid_json")
    whole = {
        "a byte order mark": b"\xef\xbb\xbf" + GOOD_TEXT,
        "utf-16": GOOD_TEXT.decode().encode("utf-16"),
        "utf-16 without a mark": GOOD_TEXT.decode().encode("utf-16-le"),
        "utf-32": GOOD_TEXT.decode().encode("utf-32"),
        "two values": GOOD_TEXT + GOOD_TEXT,
        "a nul behind": GOOD_TEXT + b"\0",
        "a comma behind": GOOD_TEXT + b",",
        "a form feed before": b"\f" + GOOD_TEXT,
        "a no-break space before": "\u00a0".encode() + GOOD_TEXT,
        "nothing": b"",
        "only space": b" \n",
        "a form": b"tenant_id=T-a&domain=" + secret,
        "xml": b"<a>" + secret + b"</a>",
        "a duplicate tenant": GOOD_TEXT[:-1] + b',"tenant_id":"T-b"}',
        "a duplicate of a unknown field": GOOD_TEXT[:-1] + b',"x":1,"x":2}',
    }
    for name, text in whole.items():
        yield send(name, text, "invalid_json")
    for name, text in {"a text": b'"%b"' % secret, "a number": b"17", "null": b"null"}.items():
        yield send(f"{name} as an envelope", text)
    yield send("one byte too long", GOOD_TEXT.ljust(65_537), "payload_too_large", 413)
    yield send("far too long", b"[" * 300_000, "payload_too_large", 413)
