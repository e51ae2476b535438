"""What must be true in every state, and of every step (protocol.md 10).

I8 and I9 belong to the lake and I10 to the adapters; their tests are elsewhere.
"""

from tests.model.data_plane import reads_here
from tests.model.scope import Fault, Scope
from tests.model.state import (
    ACTIVE,
    CELL_NAMES,
    CUTOVER,
    FROZEN,
    QUARANTINE,
    State,
    cell_of,
    command_of,
    commands_in,
    common_length,
    healthy,
    owner,
)


def broken(state: State, scope: Scope) -> str:
    """Return which invariant does not hold in this state; empty if all do."""
    return (
        _single_writer(state)
        or _at_most_once(state)
        or _no_lost_ack(state, scope)
        or _no_stale_read(state, scope)
        or _no_freeze_without_intent(state)
        or _no_home_fenced_off(state)
        or _somebody_can_serve(state)
    )


def broken_step(before: State, after: State) -> str:
    """Return which invariant a step breaks (I5 EpochMonotone); empty if none."""
    for old, new in ((before.a, after.a), (before.b, after.b)):
        if old is not new and any(n.epoch < o.epoch for o, n in zip(old, new, strict=True)):
            return "I5 EpochMonotone: a fence's epoch went back"
    if after.record.epoch < before.record.epoch and after.fate.lost == before.fate.lost:
        return "I5 EpochMonotone: the registry's epoch went back"
    return ""


def _single_writer(state: State) -> str:
    """I1: with a forced failover or a restored registry two may be active, at two epochs."""
    for mine, theirs in zip(state.a, state.b, strict=True):
        if mine.role != ACTIVE or theirs.role != ACTIVE:
            continue
        if mine.epoch == theirs.epoch:
            return "I1 SingleWriter: two active fences at one epoch"
        if not state.fate.forced and not state.fate.lost:
            return "I1 SingleWriter: two active fences without a forced failover"
    return ""


def _at_most_once(state: State) -> str:
    """I4: one command has at most one entry in a log."""
    for cell, fences in enumerate((state.a, state.b)):
        for stripe, fence in enumerate(fences):
            if len(commands_in(fence.log)) != len(fence.log):
                return f"I4 AtMostOnce: a command twice in {CELL_NAMES[cell]}/{stripe}"
    return ""


def _no_lost_ack(state: State, scope: Scope) -> str:
    """I2, always: what was acknowledged is somewhere. At rest see `_at_rest`."""
    acked = state.clients.acked
    if not acked:
        return _at_rest(state, scope) if healthy(state) else ""
    kept = frozenset(command_of(entry) for entry in state.orphans)
    for fence in (*state.a, *state.b):
        kept |= commands_in(fence.log)
    if not acked <= kept:
        return f"I2 NoLostAck: {sorted(acked - kept)} is nowhere"
    return _at_rest(state, scope) if healthy(state) else ""


def _at_rest(state: State, scope: Scope) -> str:
    """I2 and I3 at rest: in the home's log, or in quarantine; the standby's log is its prefix."""
    home = owner(state.record.epoch)
    there = frozenset[int]()
    for mine, theirs in zip(cell_of(state, home), cell_of(state, 1 - home), strict=True):
        there |= commands_in(mine.log)
        if common_length(mine.log, theirs.log) < len(theirs.log):
            return "I3 LogMatching: the standby's log is no prefix of its home's"
    acked, synced, _ = state.clients
    if not synced <= there:
        return f"RPO 0: {sorted(synced - there)} was acknowledged by the standby, and is lost"
    excused = frozenset[int]()
    if (state.fate.forced or state.fate.lost) and scope.fault is not Fault.STRICT_RPO:
        excused = frozenset(command_of(entry) for entry in state.orphans)
    if not acked <= there | excused:
        return f"I2 NoLostAck: {sorted(acked - there)} is not at home"
    return ""


def _no_stale_read(state: State, scope: Scope) -> str:
    """I6: without a forced failover, whoever serves a read has every acknowledged write."""
    if state.fate.forced or state.fate.lost or not state.clients.acked:
        return ""
    for epoch in dict.fromkeys(state.routers):
        for stripe, fence in enumerate(cell_of(state, owner(epoch))):
            if not reads_here(fence, epoch, scope.fault):
                continue
            wanted = {c for c in state.clients.acked if c % scope.stripes == stripe}
            if not wanted <= commands_in(fence.log):
                return f"I6 NoStaleRead: {CELL_NAMES[owner(epoch)]} serves without {wanted}"
    return ""


def _no_freeze_without_intent(state: State) -> str:
    """Rule i: nothing is frozen at the record's own epoch unless the record says CUTOVER."""
    record = state.record
    if record.phase == CUTOVER or state.fate.lost:
        return ""
    if any(
        f.role == FROZEN and f.epoch == record.epoch for f in cell_of(state, owner(record.epoch))
    ):
        return "Rule i: frozen at the record's epoch without an intent"
    return ""


def _no_home_fenced_off(state: State) -> str:
    """Protocol.md 7: only what is no longer the home is fenced off."""
    record = state.record
    if state.fate.lost:
        return ""
    if any(f.role == QUARANTINE for f in cell_of(state, owner(record.epoch))):
        return "The record's home is in quarantine"
    return ""


def _somebody_can_serve(state: State) -> str:
    """I7, seen at once: what is in quarantine cannot be a home, so never both are."""
    for mine, theirs in zip(state.a, state.b, strict=True):
        if mine.role == theirs.role == QUARANTINE:
            return "I7 Recoverable: both cells are in quarantine"
    return ""
