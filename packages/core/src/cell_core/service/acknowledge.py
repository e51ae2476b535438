"""Have a tenant's standby hold what was written before it is answered (protocol.md 5).

The home pushes its journal to the standby's `apply`, which is idempotent: a push whose outcome is
unknown is made again, and two instances may push the same entries. Refuses to undo anything: what
was committed stands, and is merely not acknowledged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cell_core.domain import transitions
from cell_core.domain.canonical import sent_bytes
from cell_core.domain.documents import LOG, log_key
from cell_core.domain.errors import (
    BackendError,
    Conflict,
    Fenced,
    InvalidInput,
    NotFound,
    OutcomeUnknown,
)
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import owner, partition_of, stripe_of
from cell_core.domain.limits import APPLY_ENTRIES_MAX
from cell_core.domain.transitions import Sets
from cell_core.ports import CellStore, Clock, Patience, StandbyLink
from cell_core.service.control import Cell, Controller
from cell_core.service.plan import Answered
from cell_core.wire.message import STANDBY
from cell_core.wire.standby import (
    Declined,
    Held,
    Missing,
    Push,
    Standby,
    Superseded,
    Unsure,
    Verdict,
    apply_request,
    read_verdict,
)

PUSHES_MAX: Final = 100
"""In one request: a standby that is further behind than 3,000 entries is the replicator's."""

PUSH_BYTES_MAX: Final = 3_500_000
"""Of entries as they are sent; a cell takes 4 MiB."""

PUSH_MIN_MS: Final = 200
SILENT_MS: Final = 1000
"""A standby that did not answer in time is let alone so long by those who do not insist: else each
of their requests would spend all of its time on it, and the home be as slow as the standby is."""

_SILENT_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose entries, on behalf of which request.

    Attributes:
        epoch: At which the request was served.
        deadline_ms: On the wall clock; behind it nothing is sent.
    """

    tenant: str
    epoch: int
    to: Standby
    deadline_ms: int
    request_id: str = ""


@dataclass(slots=True)
class _Tail:
    """What the standby has yet to hold: the entries from `first` to `last` of one stripe."""

    asked: Asked
    stripe: int
    first: int
    last: int
    chain: str
    known: Mapping[int, str]
    in_doubt: bool = False
    attempt: int = field(default=0)


class Acknowledger:
    """Pushes the entries of a request's answers to the standby that the request names."""

    def __init__(
        self,
        store: CellStore,
        clock: Clock,
        patience: Patience,
        controller: Controller,
        cell: Cell,
        link: StandbyLink,
    ) -> None:
        self._store = store
        self._clock = clock
        self._patience = patience
        self._controller = controller
        self._cell = cell
        self._link = link
        self._silent_until_ms: dict[str, int] = {}

    def check(self, standby: Standby) -> None:
        """Return if the link may lead to `standby`.

        Raises:
            InvalidInput: Its URL is none that a cell may have.
        """
        if not self._link.admits(standby.base_url):
            raise InvalidInput(problem="a standby is named wrongly", at=STANDBY)

    def acknowledge(self, asked: Asked, answers: Sequence[Answered], fence: Fence) -> None:
        """Return once the standby holds the journal up to the last of `answers`, all of a stripe.

        Raises:
            OutcomeUnknown: It is not known to hold them; `reason` says why. They stand here.
            Fenced: `moved`; the tenant lives elsewhere since before they were written. This cell
                has fenced itself off, and nobody was told that they were written.
        """
        silent_until_ms = self._silent_until_ms.get(asked.to.base_url, 0)
        if asked.to.degrade and self._clock.now_ms() < silent_until_ms:
            raise _unknown("standby_silent")
        tail = _tail(asked, answers, fence)
        for _ in range(PUSHES_MAX):
            left_ms = asked.deadline_ms - self._clock.now_ms()
            if left_ms <= 0:
                self._note_silence(tail)
                raise _unknown("standby_deadline")
            if not self._goes_on(tail, self._push(tail, left_ms)):
                return
        raise _unknown("standby_far_behind")

    def _push(self, tail: _Tail, left_ms: int) -> Verdict:
        """Send the next entries once; say what came of it."""
        try:
            bodies = self._bodies(tail)
        except BackendError as failed:
            return Unsure(failed.code)
        if not bodies:
            return Declined("history_missing")  # Copied here later than this cell became the home.
        # Half of what is left, so that a lost answer can be asked for again.
        timeout_ms = min(left_ms, max(PUSH_MIN_MS, left_ms // 2))
        asked = tail.asked
        push = Push(
            tenant=asked.tenant,
            stripe=tail.stripe,
            epoch=asked.epoch,
            bodies=bodies,
            request_id=asked.request_id,
        )
        request = apply_request(push, asked.to, timeout_ms=timeout_ms)
        try:
            verdict = read_verdict(self._link.send(asked.to.base_url, request, timeout_ms))
        except OutcomeUnknown:
            return Unsure("standby_silent")
        if not isinstance(verdict, Unsure):
            self._silent_until_ms.pop(asked.to.base_url, None)
        return verdict

    def _goes_on(self, tail: _Tail, verdict: Verdict) -> bool:
        """Say whether there is more to push after `verdict`, from where `tail` then says."""
        match verdict:
            case Held(seq, chain) if seq >= tail.last:
                if seq == tail.last and chain != tail.chain:
                    raise _unknown("standby_diverged")
                return False
            case Held(seq, _) if seq >= tail.first:
                tail.first = seq + 1
            case Missing(have) if have < tail.first - 1:
                tail.first = have + 1
            case Superseded(epoch, home):
                raise self._superseded(tail, epoch, home)
            case Declined(code):
                raise _unknown(f"standby_{code}")
            case _:
                # No answer, one that asks to wait, or one that makes no sense: it may hold them.
                tail.in_doubt = True
                self._wait(tail)
        return True

    def _wait(self, tail: _Tail) -> None:
        tail.attempt += 1
        if not self._patience.wait(tail.attempt, tail.asked.deadline_ms):
            self._note_silence(tail)
            raise _unknown("standby_unreachable")

    def _note_silence(self, tail: _Tail) -> None:
        if tail.in_doubt:
            if len(self._silent_until_ms) >= _SILENT_MAX:
                self._silent_until_ms.clear()  # It costs a push each to learn them again.
            self._silent_until_ms[tail.asked.to.base_url] = self._clock.now_ms() + SILENT_MS

    def _bodies(self, tail: _Tail) -> list[str]:
        """Return the next entries of `tail` in order; none if this cell lacks the first one."""
        if tail.first in tail.known:
            seqs = range(tail.first, min(tail.last, tail.first + APPLY_ENTRIES_MAX - 1) + 1)
            found = {seq: tail.known[seq] for seq in seqs if seq in tail.known}
        else:
            page = self._store.page(
                partition_of(tail.asked.tenant, tail.stripe),
                LOG,
                after=log_key(tail.first - 1),
                limit=APPLY_ENTRIES_MAX,
            )
            found = {d.version: d.body for d in page.documents if d.version <= tail.last}
        bodies: list[str] = []
        total = 0
        for seq in range(tail.first, tail.first + len(found)):
            body = found.get(seq)
            total += 0 if body is None else sent_bytes(body)
            if body is None or (bodies and total > PUSH_BYTES_MAX):
                break
            bodies.append(body)
        return bodies

    def _superseded(self, tail: _Tail, epoch: int, home: str) -> Fenced | OutcomeUnknown:
        """Fence this cell off if `epoch` shows that the tenant lives elsewhere; return the answer.

        A frozen fence is left alone: its mover seals it, and what it froze is in the lineage.
        """
        if epoch <= tail.asked.epoch or owner(epoch) == self._cell.ordinal:
            return _unknown("standby_fence_refused")

        def decide(fence: Fence, _stripe: int) -> Sets | None:
            if fence.role is not Role.ACTIVE or fence.epoch >= epoch:
                return None
            return transitions.fence_off(fence, epoch=epoch, home_hint=home)

        asked = tail.asked
        try:
            fences = self._controller.change(asked.tenant, decide, asked.deadline_ms)
        except (Conflict, NotFound, BackendError):
            return _unknown("standby_superseded")
        if tail.in_doubt or fences[tail.stripe].role is not Role.QUARANTINE:
            return _unknown("standby_superseded")
        return Fenced("moved", epoch=epoch, home=home)


def _tail(asked: Asked, answers: Sequence[Answered], fence: Fence) -> _Tail:
    entries = [answer.entry for answer in answers]
    last = max(entries, key=lambda entry: entry.seq)
    # A standby that keeps up has everything before what was written just now.
    first = min((a.entry.seq for a in answers if not a.replayed), default=last.seq)
    return _Tail(
        asked,
        stripe_of(last.domain, last.stream, fence.stripes),
        first,
        last.seq,
        last.chain,
        {entry.seq: entry.body for entry in entries},
    )


def _unknown(reason: str) -> OutcomeUnknown:
    error = OutcomeUnknown("standby")
    error.reason = reason
    return error
