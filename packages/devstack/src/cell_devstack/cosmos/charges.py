"""Request charges: what an operation would roughly cost in request units.

An approximation: straight lines between the points of the table Microsoft publishes under
"Request unit consumption" for items with few properties. Refuses to be a bill: indexing,
property count and query plans are not modelled.
"""

import math
from bisect import bisect_left

_KILOBYTES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
_READ = (1.00, 1.04, 1.14, 1.33, 1.67, 2.19, 4.76, 9.95, 20.28, 40.95, 145.90, 291.80)
_WRITE = (4.95, 6.29, 6.67, 7.04, 9.52, 11.23, 22.67, 48.19, 98.29, 184.57, 625.00, 1250.00)

# Published as the least a query costs; then what it returns is paid as if it had been read.
QUERY_BASE_RU = 2.3
REFUSED_RU = 1.0

_STRONG = {"", "strong", "boundedstaleness"}


def read_charge(size_bytes: int, consistency: str = "") -> float:
    """Cost of reading so many bytes; twice as much under Strong, the account's default."""
    factor = 2 if consistency.lower() in _STRONG else 1
    return round(_interpolate(_READ, size_bytes) * factor, 2)


def write_charge(size_bytes: int) -> float:
    """Cost of writing or deleting an item of so many bytes."""
    return round(_interpolate(_WRITE, size_bytes), 2)


def query_charge(size_bytes: int, consistency: str = "") -> float:
    """Cost of a query page of so many bytes."""
    return round(QUERY_BASE_RU + read_charge(size_bytes, consistency), 2)


def _interpolate(costs: tuple[float, ...], size_bytes: int) -> float:
    kilobytes = max(1, math.ceil(size_bytes / 1024))
    upper = bisect_left(_KILOBYTES, kilobytes)
    if upper == 0:
        return costs[0]
    if upper == len(_KILOBYTES):
        return costs[-1] * kilobytes / _KILOBYTES[-1]
    lower = upper - 1
    share = (kilobytes - _KILOBYTES[lower]) / (_KILOBYTES[upper] - _KILOBYTES[lower])
    return costs[lower] + share * (costs[upper] - costs[lower])
