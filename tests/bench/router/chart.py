"""A bar chart of the CPU ratios as SVG; logarithmic, for peers differ by two orders."""

import math
from html import escape
from typing import Final

from tests.bench.router.figures import Figures
from tests.bench.router.jobs import Job

_ROW: Final = 22
_LABEL: Final = 220
_WIDE: Final = 560
_STYLE: Final = (
    "text{font:13px sans-serif;fill:#333}.title{font-weight:bold}.bar{fill:#8aa4c8}"
    ".ours{fill:#d2691e}.unit{stroke:#333;stroke-dasharray:3 3}"
)


def chart(jobs: list[tuple[Job, list[Figures]]]) -> str:
    """Return the chart: CPU of each request relative to the unit, one block for each job."""
    shown = [(job, [f for f in figures if f.ratio]) for job, figures in jobs]
    most = max((f.ratio or 1 for _, figures in shown for f in figures), default=1)
    parts, y = [], 30
    for job, figures in shown:
        parts.append(_text(10, y, f"{job.title}: CPU a request, plain nginx = 1", "title"))
        top = y + 6
        for one in figures:
            y += _ROW
            parts += _bar(y, one, _length(one.ratio or 1, most))
        x = _LABEL + _length(1, most)
        parts.append(f'<line class="unit" x1="{x:.0f}" x2="{x:.0f}" y1="{top}" y2="{y + 6}"/>')
        y += 2 * _ROW
    size = f'width="{_LABEL + _WIDE + 80}" height="{y}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _length(ratio: float, most: float) -> float:
    """Return the length of a bar; a half of the unit has none."""
    return max(_WIDE * math.log(ratio * 2) / math.log(most * 2), 1)


def _bar(y: int, one: Figures, length: float) -> list[str]:
    kind = "ours" if one.peer == "this router" else "bar"
    return [
        _text(10, y, one.peer),
        f'<rect class="{kind}" x="{_LABEL}" y="{y - 13}" width="{length:.0f}" height="16"/>',
        _text(int(_LABEL + length + 6), y, f"{one.ratio:.2f}"),
    ]


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(text)}</text>'
