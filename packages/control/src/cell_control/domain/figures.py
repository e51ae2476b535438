"""What a move came to, as one run of a mover saw it: for the member's record. Bookkeeping, no I/O.

A run that took over in the middle did not see the beginning: it counts from when the cut-over was
put on record, which is earlier than the freeze.
"""

from dataclasses import dataclass, replace

from cell_control.domain.actions import Rewrite
from cell_control.domain.records import Member


@dataclass(slots=True)
class Figures:
    """Counts of one run.

    Attributes:
        entries, tail: Journal entries sent and not yet in the member's record; those while frozen.
        frozen_ms: When the request to freeze was sent; 0 if nothing is frozen by this run.
        freeze_ms: From then until the new home was active; 0 if that was not seen.
    """

    entries: int = 0
    tail: int = 0
    frozen_ms: int = 0
    freeze_ms: int = 0

    def froze(self, now_ms: int) -> None:
        """Note that the home is asked to freeze; the first time of an attempt counts."""
        self.frozen_ms = self.frozen_ms or now_ms

    def served(self, now_ms: int) -> None:
        """Note that there is an active home."""
        if self.frozen_ms:
            self.freeze_ms = now_ms - self.frozen_ms
            self.frozen_ms = 0

    def copied(self, entries: int) -> None:
        """Note entries that were brought before the freeze."""
        self.entries += entries

    def brought(self, entries: int) -> None:
        """Note entries that were brought during the freeze."""
        self.entries += entries
        self.tail += entries

    def member(
        self, member: Member | None, action: Rewrite, cutover_ms: int, now_ms: int
    ) -> Member | None:
        """Return `member` as it is after `action`; None if there is none or it stays as it is.

        `cutover_ms` is when the cut-over that `action` ends was put on record; 0 if it ends none.
        """
        if member is None or not (action.ends or action.rolled_back):
            return None
        after = replace(
            member,
            entries=member.entries + self.entries,
            tail=member.tail + self.tail,
            rollbacks=member.rollbacks + action.rolled_back,
            note=action.note or member.note,
        )
        if not action.ends:
            return after
        freeze_ms = max(0, now_ms - (self.frozen_ms or cutover_ms)) if cutover_ms else 0
        return replace(after, status=action.ends, ended_ms=now_ms, freeze_ms=freeze_ms)

    def written(self, action: Rewrite) -> None:
        """Note that the member's record holds what was counted."""
        if action.ends or action.rolled_back:
            self.entries = self.tail = 0
        if action.rolled_back:
            self.frozen_ms = 0
