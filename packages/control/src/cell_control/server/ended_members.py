"""Counts members of operations that have ended, each once, however often its record is written.

Its figures come with a later write than its end. Refuses to remember members without end.
"""

from collections import OrderedDict
from typing import Final

from cell_control.codec import read
from cell_control.domain.records import Member
from cell_control.ports import Record
from cell_control.server.metrics import Figures

ENDED: Final = frozenset({"done", "failed", "aborted"})
KNOWN_MAX: Final = 10_000


class EndedMembers:
    """Those seen to have ended."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._known: OrderedDict[str, bool] = OrderedDict()
        """By key: whether its freeze was counted."""

    def note(self, record: Record) -> None:
        """Count the member that `record` holds, if it has ended."""
        if record.tag not in ENDED or record.deleted:
            return
        member = read(Member, record)
        is_new, has_freeze = record.key not in self._known, member.freeze_ms > 0
        if is_new:
            self._figures.members.labels(member.status).inc()
        if has_freeze and not self._known.get(record.key, False):
            self._figures.freeze_s.observe(member.freeze_ms / 1000)
        self._known[record.key] = has_freeze or self._known.get(record.key, False)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
