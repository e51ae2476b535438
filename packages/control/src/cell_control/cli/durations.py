"""Durations as people write them: `90s`, `30m`, `12h`, `7d`. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from cell_control.cli.failures import usage

_MS: Final[Mapping[str, int]] = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TEXT: Final = re.compile(r"([0-9]{1,6})([smhd])")


def ms_of(text: str) -> int:
    """Return how many milliseconds `text` is.

    Raises:
        Failed: It is no duration.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise usage("A duration is a number and s, m, h or d, such as 12h.")
    return int(found[1]) * _MS[found[2]]
