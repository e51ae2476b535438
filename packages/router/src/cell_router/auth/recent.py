"""Remembers the recently used, within a number of entries and of bytes; each step costs O(1).

Two generations: a full young one becomes the old one, and the old one is dropped; what is used
again moves to the young. Popping the oldest of one dict would walk over the holes of those popped
before it; an entry unused for a whole generation is as good a victim.
"""

from typing import Generic, TypeVar

_V = TypeVar("_V")


class Recent(Generic[_V]):
    """A bounded mapping from bytes that forgets what has not been used for long."""

    def __init__(self, *, entries_max: int, bytes_max: int) -> None:
        """Hold at most `entries_max` entries, whose keys take at most `bytes_max` bytes.

        The last `entries_max // 2` entries used are always there, if their bytes allow.
        """
        self._entries_max = max(1, entries_max // 2)
        self._bytes_max = bytes_max // 2
        self._young: dict[bytes, _V] = {}
        self._old: dict[bytes, _V] = {}
        self._bytes = 0

    def get(self, key: bytes) -> _V | None:
        """Return what is remembered for `key`."""
        found = self._young.get(key)
        if found is not None:
            return found
        found = self._old.get(key)
        if found is not None:
            self.put(key, found)
        return found

    def put(self, key: bytes, value: _V) -> None:
        """Remember `value`, which is not None, for `key`; others may be forgotten for it."""
        size = len(key)
        if size > self._bytes_max:
            return
        full = len(self._young) >= self._entries_max or self._bytes + size > self._bytes_max
        if full and key not in self._young:
            self._old, self._young, self._bytes = self._young, {}, 0
        if key not in self._young:
            self._bytes += size
        self._young[key] = value

    def drop(self, key: bytes) -> None:
        """Forget `key`."""
        if self._young.pop(key, None) is not None:
            self._bytes -= len(key)
        self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young) + len(self._old.keys() - self._young.keys())

    def __repr__(self) -> str:
        # The keys are credentials.
        return f"Recent({len(self)} entries)"
