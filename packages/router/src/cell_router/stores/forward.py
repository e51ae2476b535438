"""What a store writes for a change, and whether it may: epochs only grow.

Pure, and one for every store. Refuses to know how a store writes.
"""

from cell_core.wire.registry import Change


def key_of(change: Change) -> bytes:
    """Return the key at which the record of `change` is stored."""
    return f"{change.kind[0]}:{change.key}".encode()


def admits(held: bytes | None, change: Change) -> bool:
    """Say whether `change` may follow the text `held`.

    A tombstone always may: it has the newest rev. A cell has no epoch.
    """
    if held is None or change.value is None or change.kind == "cell":
        return True
    return _epoch(change.value) >= _epoch(held.decode())


def _epoch(text: str) -> int:
    return int(text.partition(" ")[0])
