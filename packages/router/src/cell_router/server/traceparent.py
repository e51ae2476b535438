"""The header `traceparent` of W3C Trace Context: read strictly, written exactly. Pure."""

import re
from dataclasses import dataclass
from typing import Final

_FORM: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_BYTES_MAX: Final = 256
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceParent:
    """Who asks: a trace, a span in it, and whether it is recorded."""

    trace_id: int
    span_id: int
    sampled: bool

    def header(self) -> bytes:
        """Return the value to send."""
        return b"00-%032x-%016x-%02x" % (self.trace_id, self.span_id, self.sampled)


def read_traceparent(value: bytes | None) -> TraceParent | None:
    """Return what `value` says, or None if there is none or it breaks the rules."""
    if value is None or len(value) > _BYTES_MAX:
        return None
    found = _FORM.fullmatch(value)
    if found is None:
        return None
    version, trace, span, flags, rest = found.groups()
    # Version 00 has nothing behind the flags; ff is forbidden; later ones may have more.
    if version == b"ff" or (version == b"00" and rest):
        return None
    trace_id, span_id = int(trace, 16), int(span, 16)
    if not trace_id or not span_id:
        return None
    return TraceParent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))
