"""What cells, keys, targets, lag and recovery mean to an operator, and what to do. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from cell_control.domain.key_ring import KeyEntry, KeyState
from cell_control.domain.lag import Totals
from cell_control.domain.records import Cell, Lifecycle

if TYPE_CHECKING:
    from cell_control.server.pages import CellShown
    from cell_control.server.recovery_routes import Recovery

PROBE_AGE_MS_MAX: Final = 15 * 60_000
"""A cell that was not probed for so long gets no tenants."""

FULL_SHARE: Final = 0.9
LAG_MS_MAX: Final = 60_000

_TARGET_FAULTS: Final = {
    "target_unreachable": "cannot be reached: is its url right, and a file's folder there?",
    "target_denied": "refuses the credential, or has no such place.",
    "target_status": "answered with an error; it is tried again.",
    "target_ahead": "holds more than this registry: another one publishes there, or this one was "
    "set back. If so: cellctl registry recover --begin",
    "registry_unavailable": "waits for the registry's database.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        way: What to do.
    """

    level: Literal["error", "warning"]
    subject: str
    text: str
    way: str


def of_cells(cells: Sequence["CellShown"], now_ms: int) -> Iterator[Finding]:
    """Yield what is wrong with the cells, one by one and together."""
    used = [c for c in cells if c.cell.lifecycle is not Lifecycle.RETIRED]
    for one in used:
        yield from _parity(one.cell, now_ms)
        yield from _fullness(one)
    open_clouds = {c.cell.cloud for c in used if c.cell.lifecycle is Lifecycle.ACTIVE}
    if len(open_clouds) < 2:
        clouds = ", ".join(sorted(open_clouds)) or "none"
        yield Finding(
            level="warning",
            subject="clouds",
            text=f"Clouds with an active cell: {clouds}; one cloud's loss would lose its tenants.",
            way="Add a cell in another cloud: cellctl cell add ... --activate",
        )


def of_keys(ring: Sequence[KeyEntry], now_ms: int) -> Iterator[Finding]:
    """Yield what is due, or missing, of the keys."""
    for purpose in ("control", "edge", "registry"):
        states = {entry.state for entry in ring if entry.purpose == purpose}
        if KeyState.SIGNING not in states:
            yield Finding(
                level="error",
                subject=f"{purpose} key",
                text=f"No key signs for {purpose}.",
                way=f"Do each step that is due: cellctl keys rotate {purpose} --keys FOLDER",
            )
    for entry in ring:
        is_due = entry.state in (KeyState.NEW, KeyState.PUBLISHED, KeyState.OLD)
        if is_due and now_ms >= entry.next_ms:
            yield Finding(
                level="warning",
                subject=entry.kid,
                text=f"Key {entry.kid} is {entry.state.value}: its next step may be done.",
                way=f"cellctl keys rotate {entry.purpose} --keys FOLDER",
            )


def of_lag(totals: Totals) -> Iterator[Finding]:
    """Yield whether a standby is behind for long."""
    if totals.longest_ms > LAG_MS_MAX:
        yield Finding(
            level="warning",
            subject="replication",
            text=f"A standby has been behind for {totals.longest_ms // 1000} s, "
            f"{totals.tenants:,} tenants in all.",
            way="See which with: cellctl replication; then: cellctl tenant lag T",
        )


def of_targets(targets: Mapping[str, str]) -> Iterator[Finding]:
    """Yield which targets do not get what is published."""
    for name, result in targets.items():
        if result != "ok":
            yield Finding(
                level="error",
                subject=name,
                text=f"Routers that read {name} are told nothing new.",
                way=f"{name} {target_fault(result)}",
            )


def target_fault(code: str) -> str:
    """Return how a sentence about a target goes on that could not be published to."""
    return _TARGET_FAULTS.get(code, f"failed: {code}.")


def of_recovery(now: "Recovery") -> Iterator[Finding]:
    """Yield whether a recovery runs, and what it waits for."""
    if now.dark:
        yield Finding(
            level="error",
            subject="recovery",
            text=f"The recovery waits for {', '.join(now.dark)}; no tenant is moved until then.",
            way="Bring it back; if it is lost for good: cellctl registry recover --without CELL",
        )
    elif now.running:
        yield Finding(
            level="warning",
            subject="recovery",
            text="The registry is being compared with the cells; no tenant is moved until then.",
            way="Wait for it: cellctl registry recover",
        )


def _parity(cell: Cell, now_ms: int) -> Iterator[Finding]:
    again = f"cellctl cell probe {cell.id}"
    probe = cell.probe
    if probe is None:
        text, way = f"{cell.id} was never probed, so it gets no tenants.", again
        yield Finding(level="error", subject=cell.id, text=text, way=again)
    elif probe.problems:
        found = "; ".join(probe.problems[:3])
        text = f"{cell.id} does not answer the parity probe as every cell has to: {found}."
        way = f"Reach it, deploy the release that the other cells have, then: {again}"
        yield Finding(level="error", subject=cell.id, text=text, way=way)
    elif now_ms - probe.at_ms > PROBE_AGE_MS_MAX:
        text = f"{cell.id} was last probed {(now_ms - probe.at_ms) // 60_000} minutes ago."
        way = f"Is it reachable, and do the control plane's loops run? Then: {again}"
        yield Finding(level="error", subject=cell.id, text=text, way=way)


def _fullness(one: "CellShown") -> Iterator[Finding]:
    cell, room = one.cell, one.cell.capacity.tenants
    taken = one.usage.homes + one.usage.standbys
    if cell.lifecycle is Lifecycle.ACTIVE and taken >= room * FULL_SHARE:
        yield Finding(
            level="error" if taken >= room else "warning",
            subject=cell.id,
            text=f"{cell.id} holds {taken:,} of {room:,} tenants, homes and standbys.",
            way=f"Raise its capacity (cellctl cell set {cell.id} --tenants N), or add a cell.",
        )
