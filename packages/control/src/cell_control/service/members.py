"""An operation's members: written part by part, and given up the same way.

An operation is PLANNING until all its members are there, so that none begins before. Refuses to
plan: `planning` does.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from cell_control.codec import key_of, read, write_of
from cell_control.domain.records import Member, Operation, OperationStatus
from cell_control.ports import Write
from cell_control.service.desk import Decided, Desk, held

CHUNK_MAX: Final = 900
"""Members in one commit, which takes 1,000 writes."""

_GET_MAX: Final = 100


class Members:
    """The members of operations."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def write(self, operation: Operation, members: Sequence[Member]) -> Operation:
        """Write those of `members` that are missing, then let the operation begin; return it.

        One that was aborted meanwhile gets no more members and is returned as it is.
        """
        for start in range(0, len(members), CHUNK_MAX):
            part = members[start : start + CHUNK_MAX]
            self._desk.commit(partial(self._part, operation.id, part))
        return self._desk.commit(partial(self._begin, operation.id))

    def abort_waiting(self, operation: str) -> None:
        """Abort each member that has not begun."""
        while self._desk.commit(partial(self._aborted, operation)):
            pass

    def _part(self, operation: str, part: Sequence[Member]) -> Decided[None]:
        found = self._desk.operation(operation)
        if found.value.status is not OperationStatus.PLANNING:
            return Decided(None)
        missing = self._missing(part)
        # With the operation's own record, so that one that is aborted meanwhile gets no more.
        return Decided(None, [write_of(found.value, found.rev), *missing] if missing else [])

    def _begin(self, operation: str) -> Decided[Operation]:
        found = self._desk.operation(operation)
        if found.value.status is not OperationStatus.PLANNING:
            return Decided(found.value)
        begun = ready(counted(found.value, self._all(operation)))
        return Decided(begun, [write_of(begun, found.rev)])

    def _aborted(self, operation: str) -> Decided[bool]:
        records = self._desk.registry.list(
            "member", tag="waiting", prefix=f"{operation}/", limit=CHUNK_MAX
        )
        ended_ms = self._desk.now_ms()
        writes = [
            write_of(replace(read(Member, r), status="aborted", ended_ms=ended_ms), r.rev)
            for r in records
        ]
        return Decided(bool(writes), writes)

    def _missing(self, part: Sequence[Member]) -> list[Write]:
        missing: list[Write] = []
        for start in range(0, len(part), _GET_MAX):
            some = part[start : start + _GET_MAX]
            records = self._desk.registry.get([key_of(member) for member in some])
            pairs = zip(some, records, strict=True)
            missing += [write_of(m, 0) for m, record in pairs if held(Member, record) is None]
        return missing

    def _all(self, operation: str) -> list[Member]:
        prefix, after, found = f"{operation}/", "", list[Member]()
        while records := self._desk.registry.list(
            "member", prefix=prefix, after=after, limit=10_000
        ):
            found += [read(Member, record) for record in records]
            after = records[-1].key
        return found


def counted(operation: Operation, members: Sequence[Member]) -> Operation:
    """Return the operation with the number of its members, and of those failed already."""
    failed = sum(member.status == "failed" for member in members)
    return replace(operation, tenants=len(members), failed=failed)


def ready(operation: Operation) -> Operation:
    """Return the operation as it may begin; one without members is done."""
    if operation.tenants:
        return replace(operation, status=OperationStatus.RUNNING)
    return replace(operation, status=OperationStatus.DONE, ended_ms=operation.began_ms)
