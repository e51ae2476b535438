"""Commands of one stripe that arrive together share one commit: one bundle in flight per stripe.

Writers of a hot stripe would only race each other (cell.md 2). The first goes at once, with no
added wait; what arrives meanwhile forms the next bundle. Each client gets its own answer.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from cell_core.domain.limits import BUNDLE_ENVELOPES_MAX
from cell_router.decide import Failure
from cell_router.limits import BUNDLE_SENT_BYTES_MAX, LANE_WAITING_MAX
from cell_router.messages import CellAnswer
from cell_router.wire_texts import Result, read_results, read_settled

BUNDLE_TARGET: Final = b"/v1/bundle"


class Rider(Protocol):
    """A request that can share a commit."""

    body: bytes

    def wake(self, event: object) -> None: ...  # noqa: D102 - see `Lead`


class Lead:
    """Tells a waiting request that it now carries `riders` along with itself."""

    __slots__ = ("riders",)

    def __init__(self, riders: Sequence[Rider]) -> None:
        self.riders = riders


class Lanes:
    """One lane for each stripe that has a command under way."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], deque[Rider] | None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(len(waiting) for waiting in self._waiting.values() if waiting)

    def is_taken(self, key: tuple[str, int]) -> bool:
        """Say whether a command of this stripe is under way."""
        return key in self._waiting

    def enter(self, key: tuple[str, int]) -> bool:
        """Take the lane of `key` if it is free; otherwise `queue` behind what is in flight."""
        if key in self._waiting:
            return False
        self._waiting[key] = None
        return True

    def queue(self, key: tuple[str, int], rider: Rider, *, whatever: bool) -> bool:
        """Wait for the next bundle; return False if too many do (`whatever`: even then not)."""
        waiting = self._waiting[key]
        if waiting is None:
            waiting = self._waiting[key] = deque()
        if len(waiting) >= LANE_WAITING_MAX and not whatever:
            return False
        waiting.append(rider)
        return True

    def abandon(self, key: tuple[str, int], rider: Rider) -> bool:
        """Wait no longer; return False if it is under way already."""
        waiting = self._waiting.get(key)
        if not waiting or rider not in waiting:
            return False
        waiting.remove(rider)
        return True

    def leave(self, key: tuple[str, int]) -> None:
        """Give the lane to those that wait: the first leads, and as many as fit ride along."""
        waiting = self._waiting[key]
        if not waiting:
            del self._waiting[key]
            return
        leader = waiting.popleft()
        riders: list[Rider] = []
        room = BUNDLE_SENT_BYTES_MAX - len(leader.body)
        while waiting and len(riders) < BUNDLE_ENVELOPES_MAX - 1 and len(waiting[0].body) < room:
            riders.append(waiting.popleft())
            room -= len(riders[-1].body) + 1
        leader.wake(Lead(riders))


def bundle_of(bodies: Sequence[bytes]) -> bytes:
    """Return the body of a bundle of envelopes."""
    return b'{"envelopes":[%s]}' % b",".join(bodies)


_FENCE: Final[tuple[bytes, ...]] = (b"x-tenant-epoch", b"x-tenant-seq", b"x-tenant-chain")
_ACK: Final = b"x-cell-ack"


def split(outcome: CellAnswer | Failure, count: int) -> list[CellAnswer | Failure]:
    """Return what each of `count` envelopes of a bundle got, as if it had been sent alone.

    What certifies something of the bundle (a 421, a freeze, no answer) certifies it of each.
    """
    if isinstance(outcome, Failure):
        # The leader's time is over, not that of the others.
        own = Failure.UNKNOWN if outcome is Failure.TIMEOUT else outcome
        return [outcome, *[own] * (count - 1)]
    if outcome.status != 200:
        return [outcome] * count
    try:
        results = read_results(outcome.body).results
        if len(results) == count:
            return [_own(outcome, result) for result in results]
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # Not the answer to a bundle: the cell broke its word, the outcome is open.
    return [Failure.UNKNOWN] * count


_SPOILED: Final = frozenset({400, 413, 415, 422})


def is_spoiled(outcome: CellAnswer | Failure) -> bool:
    """Say whether the cell refused a bundle as a whole, for something that stands in it."""
    return isinstance(outcome, CellAnswer) and outcome.status in _SPOILED


def _own(answer: CellAnswer, result: Result) -> CellAnswer:
    body = bytes(result.body)
    headers = {name: answer.headers[name] for name in _FENCE if name in answer.headers}
    headers[b"cache-control"] = b"no-store"
    ack = answer.ack
    seq = read_settled(body).position.seq if ack or result.status == 200 else -1
    if ack and seq >= 0:
        headers[_ACK] = ack  # What has no position is in no journal, and nobody's to hold.
    if result.status == 200:
        headers[b"content-type"] = b"application/json"
        headers[b"etag"] = b'"%d"' % seq
    else:
        headers[b"content-type"] = b"application/problem+json"
        if result.status in (429, 503):
            headers[b"retry-after"] = b"1"
    return CellAnswer(result.status, headers, body)
