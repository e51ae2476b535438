"""A lake in a folder, a control plane and what cellctl lends, for tests of `cellctl lake`."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cell_control.cli.failures import Failed
from cell_control.cli.plugs import failed
from cell_lake.cli.main import main
from cell_lake.table_delta import DeltaLakeTable
from tests.lake.table_suite import DAY_MS, INGESTED_MS, ROW, rows

HOME, AWAY = "aws-alpha", "azure-beta"

MOVED = {"tenant": "T-1", "epoch": 18, "home": AWAY, "at_ms": INGESTED_MS, "by": "op",
         "base": {"mode": "planned", "source": HOME, "source_epoch": 17,
                  "positions": [{"seq": 2, "chain": ROW.chain}]}}  # fmt: skip


@dataclass
class Control:
    """A control plane that knows one tenant with one stripe."""

    seq: int
    chain: str = ROW.chain
    unknown: list[str] = field(default_factory=list)
    lineage: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, path: str) -> Any:
        if path.startswith("/v1/lineage"):
            return {"rev": 9, "lineage": self.lineage, "after": None}
        if path.startswith("/v1/tenants?"):
            return {"tenants": [{"id": "T-1"}], "after": None}
        assert path == "/v1/tenants/T-1/positions"
        fence = {"cell": HOME, "stripe": 0, "role": "active", "epoch": 17, "seq": self.seq,
                 "chain": self.chain}  # fmt: skip
        standby = {**fence, "cell": AWAY, "role": "standby", "seq": 0}
        known = [] if self.unknown else [fence]
        return {"tenant": "T-1", "home": HOME, "epoch": 17, "positions": [*known, standby],
                "unknown": self.unknown}  # fmt: skip


@dataclass
class Lent:
    """What cellctl lends."""

    ask: Any
    json: bool = False
    kept: Mapping[str, str] = field(default_factory=dict)
    out: io.StringIO = field(default_factory=io.StringIO)
    err: io.StringIO = field(default_factory=io.StringIO)
    input: io.StringIO = field(default_factory=io.StringIO)
    fail: Any = failed

    def confirm(self, question: str, *, yes: bool) -> None:
        if not yes:
            raise Failed("Nothing was done.", code="usage")

    def now_ms(self) -> int:
        return INGESTED_MS + DAY_MS


class Lake:
    """A lake in a folder with three rows of one tenant, and someone who asks it."""

    def __init__(self, folder: Path) -> None:
        self.root = str(folder)
        self.table = DeltaLakeTable(f"{folder}/events")
        for n, row in enumerate(rows(1, 3), 1):
            self.table.open("aws-alpha/3").append(n, [row])

    def run(self, *words: str, control: Control | None = None, **lent: Any) -> tuple[int, str]:
        around = Lent(ask=(control or Control(3)).ask, kept={"lake": self.root}, **lent)
        code = main(words, around)
        return code, around.out.getvalue()
