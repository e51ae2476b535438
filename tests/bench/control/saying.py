"""How the control plane's benches print a figure, tell how far they are, and end."""

import sys
from typing import Never


def figure(value: float) -> str:
    """Return `value` as it stands in a table."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def say(text: str) -> None:
    """Tell whoever waits."""
    sys.stderr.write(f"{text}\n")


def leave(*_signal: object) -> Never:
    """End in order at a signal: what was started is ended on the way out."""
    raise SystemExit(143)
