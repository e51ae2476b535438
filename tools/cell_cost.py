"""Derive what a cell costs a month, at rest and at 100 commands/s, from what a command consumes.

`python -m tools.cell_cost` prints the tables of docs/cost-of-a-cell.md, and a test compares. What a
command reads and writes comes from `tools.costs`; prices are list prices, and only as good as their
date: the units beside them hold in any case.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COMMANDS_S: Final = 100
HOURS: Final = 730
COMMANDS: Final = COMMANDS_S * 3600 * HOURS

# One warm transfer, as docs/costs.md has it; a test holds the two together.
RCU, WCU, RU = 4.0, 10.0, 32

INVOCATION_S: Final = 0.030
"""Assumed: two calls to the database of about 10 ms, and what the worker does between them."""

MEMORY_GB: Final = 2
LOG_BYTES: Final = 300
"""A line of the worker's log, one a command."""

TELEMETRY_BYTES: Final = 1000
"""Assumed: what Application Insights keeps of a request beside that line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is billed.

    Attributes:
        amount: Of `unit`, in a month of 730 hours.
        price_usd: List price of one unit, in the clouds' regions in the east of the United States.
    """

    what: str
    amount: float
    unit: str
    price_usd: float

    @property
    def usd(self) -> float:
        """What it costs a month."""
        return self.amount * self.price_usd


GB_MONTH: Final = 1e-9 * COMMANDS

AWS_AT_REST: Final = (
    Line(what="key", amount=1, unit="key", price_usd=1.00),
    Line(what="alarms", amount=8, unit="alarm", price_usd=0.10),
)

AWS_BUSY: Final = (
    Line(what="writes", amount=WCU * COMMANDS / 1e6, unit="million write units", price_usd=0.625),
    Line(what="reads", amount=RCU * COMMANDS / 1e6, unit="million read units", price_usd=0.125),
    Line(what="worker, requests", amount=COMMANDS / 1e6, unit="million", price_usd=0.20),
    Line(
        what="worker, time",
        amount=COMMANDS * INVOCATION_S * MEMORY_GB,
        unit="GB-second",
        price_usd=0.0000166667,
    ),
    Line(what="HTTP API", amount=COMMANDS / 1e6, unit="million", price_usd=1.00),
    Line(what="logs", amount=LOG_BYTES * GB_MONTH, unit="GB", price_usd=0.50),
)

AZURE_AT_REST: Final = (
    Line(
        what="state, a tenth of 4000 RU/s", amount=4 * HOURS, unit="100 RU/s hour", price_usd=0.012
    ),
    Line(what="private addresses", amount=6 * HOURS, unit="hour", price_usd=0.01),
    Line(what="private zones", amount=5, unit="zone", price_usd=0.50),
    Line(what="alarms on metrics", amount=2, unit="alarm", price_usd=0.10),
    Line(what="alarms on logs", amount=2, unit="alarm", price_usd=1.50),
)

AZURE_BUSY: Final = (
    Line(
        what="state, beyond a tenth",
        amount=(RU * COMMANDS_S - 400) / 100 * HOURS,
        unit="100 RU/s hour",
        price_usd=0.012,
    ),
    Line(what="worker, requests", amount=COMMANDS / 1e6, unit="million", price_usd=0.40),
    Line(
        what="worker, time (at most)",
        amount=COMMANDS * INVOCATION_S * MEMORY_GB,
        unit="GB-second",
        price_usd=0.000026,
    ),
    Line(what="logs", amount=(LOG_BYTES + TELEMETRY_BYTES) * GB_MONTH, unit="GB", price_usd=2.30),
)


def main() -> int:
    """Print the tables; return the exit code."""
    print("\n".join(document()))
    return 0


def document() -> Iterator[str]:
    """Yield the lines of the derived part of docs/cost-of-a-cell.md."""
    yield from _table("AWS, at rest", AWS_AT_REST)
    yield from _table("AWS, what 100 commands/s add", AWS_BUSY)
    yield from _table("Azure, at rest", AZURE_AT_REST)
    yield from _table("Azure, what 100 commands/s add", AZURE_BUSY)
    aws, azure = (sum(line.usd for line in busy) for busy in (AWS_BUSY, AZURE_BUSY))
    million = COMMANDS / 1e6
    yield f"A million commands: {aws / million:.2f} USD on AWS, {azure / million:.2f} on Azure."


def _table(title: str, lines: tuple[Line, ...]) -> Iterator[str]:
    yield f"| {title} | amount a month | unit | USD a unit | USD a month |"
    yield "|---|---|---|---|---|"
    for line in lines:
        price = f"{line.price_usd:.10f}".rstrip("0").rstrip(".")
        yield f"| {line.what} | {line.amount:,.0f} | {line.unit} | {price} | {line.usd:,.0f} |"
    yield f"| **together** | | | | **{sum(line.usd for line in lines):,.0f}** |"
    yield ""


if __name__ == "__main__":
    sys.exit(main())
