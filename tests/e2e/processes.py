"""Which processes a program started, found from outside; Linux only, as it reads /proc."""

from pathlib import Path

_PROC = Path("/proc")


def available() -> bool:
    """Say whether this machine can be asked."""
    return (_PROC / "self" / "environ").exists()


def descendants(pid: int) -> set[int]:
    """Return the ids of the processes that `pid` started, and that those started, so far."""
    parents = {each: _parent(each) for each in _all()}
    found, layer = set[int](), {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer} - found
        found |= layer
    return found


def environment(pid: int) -> dict[str, str]:
    """Return the environment with which `pid` was started; empty if it is gone."""
    try:
        text = (_PROC / str(pid) / "environ").read_bytes().decode()
    except OSError:
        return {}
    return dict(line.split("=", 1) for line in text.split("\0") if "=" in line)


def alive(pids: set[int]) -> set[int]:
    """Return those of `pids` that still run."""
    return {pid for pid in pids if _state(pid) not in ("", "Z")}


def _all() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _state(pid: int) -> str:
    fields = _stat(pid)
    return fields[0] if fields else ""


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the name, which may hold anything."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
