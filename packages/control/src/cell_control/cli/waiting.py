"""Sees an operation to its end: a progress bar, lines, or JSON lines, whoever looks.

Refuses to give up because the control plane restarts: only when it was gone for a minute.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Final, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from cell_control.cli.failures import Exit, Failed
from cell_control.cli.output import lasting
from cell_control.cli.session import Session
from cell_control.domain.records import Member, Operation, OperationStatus

POLL_S: Final = 0.5
GONE_S_MAX: Final = 60.0
MOVING_SHOWN_MAX: Final = 8
UNDER_WAY: Final = (OperationStatus.PLANNING, OperationStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpse:
    """An operation now, and the states of its members' moves."""

    operation: Operation
    states: tuple[tuple[str, int], ...] = ()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.operation.status not in UNDER_WAY

    def text(self) -> str:
        """Return it as a line."""
        one = self.operation
        states = ", ".join(f"{count} {state}" for state, count in self.states)
        failed = f", {one.failed} failed" if one.failed else ""
        return (
            f"{one.id}: {one.status.value}, {one.finished + one.failed} of {one.tenants}"
            f"{failed}{f' ({states})' if states else ''}, frozen {lasting(one.freeze_ms_total)}"
        )


def glimpse(session: Session, operation: str) -> Glimpse:
    """Return how far an operation is. Raises `Failed`."""
    found = session.control.operation(operation).value
    if found.status not in UNDER_WAY:
        return Glimpse(operation=found)
    page = session.control.members(operation).value.members
    moving = [one for one in page if one.status == "moving"]
    states = Counter(_state(session, one) for one in moving[:MOVING_SHOWN_MAX])
    return Glimpse(operation=found, states=tuple(sorted(states.items())))


def wait_for(session: Session, operation: str, timeout_s: float, *, lines: bool) -> Operation:
    """Return an operation once it has ended; with `lines`, print a line for each change.

    Raises:
        Failed: It has not ended in time, or the control plane is gone.
    """
    around = session.around
    deadline_s = around.now_s() + timeout_s
    seen = ""
    with _Bar(session, hidden=lines) as bar:
        while True:
            now = _patient(session, operation)
            bar.show(now)
            text = json.dumps(asdict(now), default=str)
            if lines and text != seen:
                session.out.line(_document(now), now.text())
            seen = text
            if now.over:
                return now.operation
            if around.now_s() >= deadline_s:
                raise Failed(
                    f"Operation {operation} goes on; this stops waiting for it.",
                    f"Look at it with: cellctl ops watch {operation}",
                    exit_code=Exit.UNAVAILABLE,
                    code="still_running",
                )
            around.sleep(POLL_S)


def _state(session: Session, member: Member) -> str:
    try:
        return session.control.tenant(member.tenant).value.state.value
    except Failed:
        return "unknown"


def _patient(session: Session, operation: str) -> Glimpse:
    around = session.around
    until_s = around.now_s() + GONE_S_MAX
    while True:
        try:
            return glimpse(session, operation)
        except Failed as failed:
            if failed.exit_code is not Exit.UNAVAILABLE or around.now_s() >= until_s:
                raise
        around.sleep(POLL_S)


def _document(now: Glimpse) -> dict[str, object]:
    return {
        **asdict(now.operation),
        "status": now.operation.status.value,
        "states": dict(now.states),
    }


class _Bar:
    """A progress bar on a terminal; a line for each change elsewhere; nothing for programs."""

    def __init__(self, session: Session, *, hidden: bool) -> None:
        self._session = session
        self._is_live = not hidden and not session.out.json and session.out.notes.is_terminal
        self._is_plain = not hidden and not session.out.json and not self._is_live
        self._said = ""
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}", markup=False),
            console=session.out.notes,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._is_live:
            self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._is_live:
            self._progress.stop()

    def show(self, now: Glimpse) -> None:
        one = now.operation
        if self._is_plain and now.text() != self._said:
            self._said = now.text()
            self._session.out.note(self._said)
        if not self._is_live:
            return
        if self._task is None:
            self._task = self._progress.add_task(one.kind, total=one.tenants, said="")
        states = ", ".join(f"{count} {state}" for state, count in now.states)
        said = f"frozen {lasting(one.freeze_ms_total)} {states}"
        self._progress.update(
            self._task, completed=one.finished + one.failed, total=one.tenants, said=said
        )
