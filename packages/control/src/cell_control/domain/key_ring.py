"""Which key signs, which is only verified, and when the next step of a rotation may be done.

Pure. A rotation is: a new key beside the old one, publish, switch, retire. Refuses each step before
the one ahead of it has had time to reach everyone. Holds no key, only their names and dates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Literal

from cell_control.errors import Conflict, Invalid, NotFound, Reason, Refused
from cell_core.domain.ids import is_id

Purpose = Literal["control", "edge", "registry"]
"""What is signed: grants of the control plane, grants of the edge, or the registry."""

PURPOSES: Final[tuple[Purpose, ...]] = ("control", "edge", "registry")
KEYS_MAX: Final = 1000
LIVE_MAX: Final = 4
"""Keys of one purpose that are verified at a time: a key set is read by every cell at its start."""

PUBLISH_WAIT_MS: Final = 10 * 60_000
"""From the publishing of a key to its use, so that whoever verifies has it before it signs."""

OVERLAP_MS: Final = {"control": 3_600_000, "edge": 3_600_000, "registry": 7 * 24 * 3_600_000}
"""From the switch to the end of the old key: grants live 30 s, a snapshot may be a week old."""


class KeyState(StrEnum):
    """How far a key is."""

    NEW = "new"
    PUBLISHED = "published"
    SIGNING = "signing"
    OLD = "old"
    RETIRED = "retired"


LIVE: Final = (KeyState.NEW, KeyState.PUBLISHED, KeyState.SIGNING, KeyState.OLD)
"""In these a key's public half belongs into the key set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyEntry:
    """One key.

    Attributes:
        since_ms: When it came into its state.
        next_ms: When it may go into the next one; 0 for at once.
    """

    kid: str
    purpose: Purpose
    state: KeyState
    made_ms: int
    since_ms: int
    next_ms: int = 0


KeyRing = tuple[KeyEntry, ...]


def with_new(ring: KeyRing, purpose: Purpose, kid: str, now_ms: int) -> KeyRing:
    """Return the ring with a new key beside those that are there.

    Raises:
        Invalid: `invalid_key`; `kid` is no identifier.
        Conflict: `id_taken`.
        Refused: `key_refused`; a rotation is under way.
    """
    if not is_id(kid) or purpose not in PURPOSES:
        raise Invalid("invalid_key", at="kid", problem="an identifier, of a known purpose")
    if any(entry.kid == kid for entry in ring):
        raise Conflict("id_taken", kid=kid)
    waiting = [
        e for e in ring if e.purpose == purpose and e.state in (KeyState.NEW, KeyState.PUBLISHED)
    ]
    if waiting:
        raise _no(waiting[0].kid, "not_switched", "switch to it before another one is made")
    live = [entry for entry in ring if entry.purpose == purpose and entry.state in LIVE]
    if len(live) >= LIVE_MAX or len(ring) >= KEYS_MAX:
        raise _no(kid, "too_many", f"retire a key first, {LIVE_MAX} at most are verified at a time")
    entry = KeyEntry(kid=kid, purpose=purpose, state=KeyState.NEW, made_ms=now_ms, since_ms=now_ms)
    return (*ring, entry)


def published(ring: KeyRing, now_ms: int) -> KeyRing:
    """Return the ring after the key sets went out: new keys may sign once everyone has them."""
    return tuple(
        replace(e, state=KeyState.PUBLISHED, since_ms=now_ms, next_ms=now_ms + _wait_ms(ring, e))
        if e.state is KeyState.NEW
        else e
        for e in ring
    )


def switched(ring: KeyRing, kid: str, now_ms: int, *, at_once: bool = False) -> KeyRing:
    """Return the ring with `kid` signing, and the key that signed before on its way out.

    `at_once` waits for nobody: for a key that was stolen, at the price of refused requests.

    Raises:
        NotFound: `key_not_found`.
        Refused: `key_refused`; it was not published, or not long enough ago.
    """
    entry = _entry(ring, kid)
    if entry.state is KeyState.SIGNING:
        return ring
    if entry.state is not KeyState.PUBLISHED:
        raise _no(kid, "not_published", f"it is {entry.state.value}; publish a new key first")
    if not at_once:
        _check_time(entry, now_ms)
    old_ms = now_ms + OVERLAP_MS[entry.purpose]

    def after(e: KeyEntry) -> KeyEntry:
        if e.kid == kid:
            return replace(e, state=KeyState.SIGNING, since_ms=now_ms, next_ms=0)
        if e.purpose == entry.purpose and e.state is KeyState.SIGNING:
            return replace(e, state=KeyState.OLD, since_ms=now_ms, next_ms=old_ms)
        return e

    return tuple(after(e) for e in ring)


def retired(ring: KeyRing, kid: str, now_ms: int, *, at_once: bool = False) -> KeyRing:
    """Return the ring without trust in `kid`; `at_once` as in `switched`.

    Raises:
        NotFound: `key_not_found`.
        Refused: `key_refused`; it signs, or what it signed may still be about.
    """
    entry = _entry(ring, kid)
    if entry.state is KeyState.RETIRED:
        return ring
    if entry.state is KeyState.SIGNING:
        raise _no(kid, "signing", "switch to another key first")
    if entry.state is KeyState.OLD and not at_once:
        _check_time(entry, now_ms)
    gone = replace(entry, state=KeyState.RETIRED, since_ms=now_ms, next_ms=0)
    return tuple(gone if e.kid == kid else e for e in ring)


def signing(ring: KeyRing, purpose: Purpose) -> KeyEntry:
    """Return the key that signs for `purpose`.

    Raises:
        NotFound: `key_not_found`; none does.
    """
    for entry in ring:
        if entry.purpose == purpose and entry.state is KeyState.SIGNING:
            return entry
    raise NotFound("key_not_found", purpose=purpose)


def live(ring: Sequence[KeyEntry], *purposes: Purpose) -> list[KeyEntry]:
    """Return the keys of `purposes` whose public halves belong into the key set."""
    return [entry for entry in ring if entry.purpose in purposes and entry.state in LIVE]


def _wait_ms(ring: KeyRing, entry: KeyEntry) -> int:
    # The first key of its purpose replaces none: there is nobody to wait for.
    others = (e for e in ring if e.purpose == entry.purpose and e.state is KeyState.SIGNING)
    return PUBLISH_WAIT_MS if any(others) else 0


def _entry(ring: KeyRing, kid: str) -> KeyEntry:
    for entry in ring:
        if entry.kid == kid:
            return entry
    raise NotFound("key_not_found", kid=kid)


def _check_time(entry: KeyEntry, now_ms: int) -> None:
    if now_ms < entry.next_ms:
        wait_s = -(-(entry.next_ms - now_ms) // 1000)
        raise _no(entry.kid, "too_early", f"come again in {wait_s} s")


def _no(kid: str, code: str, way: str) -> Refused:
    reason = Reason(code=code, subject=kid, text=f"Key {kid}: {way}.")
    return Refused("key_refused", [reason], kid=kid)
