"""Memory and CPU time of a supervisor and its workers, from /proc."""

import os
from pathlib import Path


def workers_of(pid):
    """Return the process ids of its children."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return sorted(found)


def pss_bytes(pid):
    """Return its proportional set size: shared pages are counted by how many share them."""
    return _field(pid, "Pss:")


def anonymous_bytes(pid):
    """Return what it has allocated itself.

    The share of a library's pages grows when other processes that map it end, so a growth is
    measured without them: it was 5 % in a run while the machine around it became quiet.
    """
    return _field(pid, "Pss_Anon:")


def private_bytes(pid):
    """Return what no other process shares."""
    return _field(pid, "Private_Clean:") + _field(pid, "Private_Dirty:")


def cpu_seconds(pid):
    """Return how long it has computed, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _field(pid, name):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
