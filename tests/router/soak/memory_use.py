"""Proportional memory of a supervisor's workers, from /proc."""

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


def private_bytes(pid):
    """Return what no other process shares."""
    return _field(pid, "Private_Clean:") + _field(pid, "Private_Dirty:")


def _field(pid, name):
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
