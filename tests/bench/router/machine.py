"""The machine that a run's figures belong to."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What decides over absolute figures."""

    cpu: str
    cores: int
    kernel: str
    python: str

    @classmethod
    def here(cls) -> Self:
        """Return this one."""
        return cls(
            cpu=_cpu(),
            cores=len(os.sched_getaffinity(0)),
            kernel=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
        )

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores, {self.kernel}, Python {self.python}"


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return model[1] if model else platform.machine()
