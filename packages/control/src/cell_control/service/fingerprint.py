"""A short hash of what was asked, by which the same request is told from another one.

Refuses to keep the request itself.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from cell_core.domain.canonical import canonical


def fingerprint(asked: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits, the same for equal JSON."""
    return sha256(canonical(dict(asked)).encode()).hexdigest()[:16]
