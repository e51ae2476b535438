"""What a request asks about its standby, and what its answer says of it (docs/adr/0012)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cell_core.app.routes import Call
from cell_core.domain.errors import OutcomeUnknown
from cell_core.domain.fence import Fence
from cell_core.service.acknowledge import Acknowledger, Asked
from cell_core.service.plan import Answered
from cell_core.service.process import Settled
from cell_core.wire.message import ACK, REQUEST_ID
from cell_core.wire.standby import Standby, standby_of

WITH_STANDBY: Final = "standby"
LOCAL: Final = "local"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Who holds what was answered, for the answer's headers and for the log; empty if unasked."""

    headers: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str | int] = field(default_factory=dict)


class Acknowledging:
    """Between the commit of a request and its answer."""

    def __init__(self, acknowledger: Acknowledger | None) -> None:
        """Take what pushes, or None for a cell that has no link to others."""
        self._acknowledger = acknowledger

    def asked(self, call: Call) -> Standby | None:
        """Return the standby that the request names, before anything is done.

        Raises:
            InvalidInput: It is named wrongly.
            OutcomeUnknown: This cell cannot reach it; nothing was done.
        """
        standby = standby_of(call.request.headers)
        if standby is None:
            return None
        if self._acknowledger is not None:
            self._acknowledger.check(standby)
        elif not standby.degrade:
            raise OutcomeUnknown("standby")
        return standby

    def obtain(
        self, call: Call, standby: Standby | None, settled: Sequence[Settled], fence: Fence | None
    ) -> Acknowledged:
        """Return who holds the journaled ones of `settled`, after having `standby` take them.

        Raises:
            OutcomeUnknown: The standby does not, and the request wants no answer then.
            Fenced: `moved`; see `Acknowledger.acknowledge`.
        """
        answers = [answer for answer in settled if isinstance(answer, Answered)]
        if standby is None or not answers or fence is None:
            return Acknowledged()
        if self._acknowledger is None:
            return _only_here("no_link")
        asked = Asked(
            tenant=answers[0].entry.tenant,
            epoch=fence.epoch,
            to=standby,
            deadline_ms=call.deadline_ms,
            request_id=call.request.headers.get(REQUEST_ID, ""),
        )
        try:
            self._acknowledger.acknowledge(asked, answers, fence)
        except OutcomeUnknown as unknown:
            if not standby.degrade:
                raise
            return _only_here(unknown.reason)
        return Acknowledged({ACK: WITH_STANDBY}, {"ack": WITH_STANDBY})


def _only_here(why: str) -> Acknowledged:
    return Acknowledged({ACK: LOCAL}, {"ack": LOCAL, "ack_reason": why})
