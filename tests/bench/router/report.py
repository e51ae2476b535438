"""The report of a run: a Markdown table for each job, the same as JSON, and a chart."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.bench.router.chart import chart
from tests.bench.router.figures import Figures
from tests.bench.router.jobs import GRANT_KEPT_S, Job
from tests.bench.router.machine import Machine
from tests.bench.router.measure import Measured, Plan

_HEADINGS: Final = (
    ("peer", ":--"),
    ("CPU us a request", "--:"),
    ("range", "--:"),
    ("ratio", "--:"),
    ("requests/s", "--:"),
    ("p50 us", "--:"),
    ("p99 us", "--:"),
    ("added p50 us", "--:"),
    ("memory MB", "--:"),
    ("connections / 1,000", "--:"),
    ("failed", "--:"),
)
_SHORT: Final = (
    "- rounds shorter than a grant's life: whoever keeps tokens and grants verifies and signs for "
    "most of these requests, which it does for few in the long run."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """What one job showed."""

    job: Job
    figures: list[Figures]
    absent: list[Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one run showed."""

    machine: Machine
    versions: Mapping[str, str]
    plan: Plan
    jobs: list[JobReport]

    def write(self, folder: Path) -> list[Path]:
        """Write `router.md`, `router.json` and `router.svg`; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"router.md": self.markdown(), "router.json": self._json(), "router.svg": ""}
        texts["router.svg"] = chart([(one.job, one.figures) for one in self.jobs])
        for name, text in texts.items():
            (folder / name).write_text(text)
        return [folder / name for name in texts]

    def markdown(self) -> str:
        """Return the whole report."""
        plan = self.plan
        versions = "; ".join(f"{name} {version}" for name, version in self.versions.items())
        manner = (
            f"{plan.rounds} rounds of {plan.seconds} s (of {plan.long_seconds} s where clients are "
            f"many), peers in turn, {plan.connections} connections; medians, and ratios to the "
            "unit in the same round."
        )
        head = [
            "# Router benchmark",
            "",
            f"{self.machine}. {manner} {_cores(plan)}",
            "",
            f"Versions: {versions}.",
        ]
        return "\n".join([*head, *(line for one in self.jobs for line in _section(one, plan)), ""])

    def _json(self) -> str:
        jobs = {
            one.job.name: {
                "figures": [asdict(figures) for figures in one.figures],
                "absent": {measured.peer: measured.failure for measured in one.absent},
            }
            for one in self.jobs
        }
        told = {"machine": asdict(self.machine), "versions": dict(self.versions)}
        return json.dumps({**told, "plan": asdict(self.plan), "jobs": jobs}, indent=2)


def _section(one: JobReport, plan: Plan) -> list[str]:
    notes = list(dict.fromkeys(figures.note for figures in one.figures if figures.note))
    rows = [
        _row([text for text, _ in _HEADINGS]),
        _row([align for _, align in _HEADINGS]),
        *(_row(_cells(figures, notes)) for figures in one.figures),
    ]
    footnotes = [f"- ({number}) {note}." for number, note in enumerate(notes, 1)]
    absent = [f"- not measured: {m.peer}: {m.failure}" for m in one.absent]
    short = one.job.whole_life and plan.long_seconds < GRANT_KEPT_S
    return ["", f"## {one.job.title}", "", *rows, "", *footnotes, *absent, *[_SHORT] * short]


def _cells(figures: Figures, notes: list[str]) -> list[str]:
    mark = f" ({notes.index(figures.note) + 1})" if figures.note else ""
    return [
        figures.peer + mark,
        f"{figures.cpu_us:.1f}",
        f"{figures.cpu_us_low:.1f} to {figures.cpu_us_high:.1f}",
        "" if figures.ratio is None else f"{figures.ratio:.2f}",
        f"{figures.per_second:,.0f}",
        f"{figures.p50_us:,.0f}",
        f"{figures.p99_us:,.0f}",
        f"{figures.added_us:,.0f}",
        f"{figures.memory_mb:,.0f}",
        f"{figures.connections_per_1000:.1f}",
        str(figures.failed),
    ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cores(plan: Plan) -> str:
    if plan.peer_cores is None:
        return "No core is reserved."
    return f"Peers run on core {plan.peer_cores}, load and cells on {plan.other_cores}."
