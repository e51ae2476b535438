"""How many workers "one a core" means here: a container's share counts, not the machine's cores."""

from math import ceil
from typing import Final

WORKERS_MAX: Final = 256


def workers_for(cores: int, cpu_max: str) -> int:
    """Return the number of workers.

    Args:
        cores: Those that this process may run on.
        cpu_max: The text of the cgroup's `cpu.max`, `200000 100000` for two cores' time and
            `max 100000` for no bound; "" where there is none.
    """
    quota, _, period = cpu_max.strip().partition(" ")
    if quota.isdigit() and period.isdigit() and int(period):
        cores = min(cores, ceil(int(quota) / int(period)))
    return max(1, min(cores, WORKERS_MAX))
