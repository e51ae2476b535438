"""What goes wrong when, by the number of requests so far: pure, one seed one schedule."""

import random
from dataclasses import dataclass

from cell_devstack.memory_cell_faults import CellFaults

CRASH, STOP, BREAK, MOVE = "crash", "stop", "break", "move"
WHOLE = CellFaults()
FAULTS = (
    (CRASH, WHOLE),
    (CRASH, WHOLE),
    (STOP, WHOLE),
    (BREAK, CellFaults(slow_ms=20, spread=1.0)),
    (BREAK, CellFaults(slow_ms=100, spread=1.0)),
    (BREAK, CellFaults(slow_ms=400, spread=1.0)),
    (BREAK, CellFaults(unanswered=0.1, dropped=0.1)),
    (BREAK, CellFaults(unanswered=0.4)),
    (BREAK, CellFaults(uncoded=0.2, slow_ms=5)),
    (BREAK, CellFaults(uncoded=1.0)),
    (BREAK, CellFaults(garbage=0.1)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """From request `at` to request `until`, `what` happens to `cell`.

    Attributes:
        tenants: For a move: how many tenants leave the cell.
    """

    at: int
    until: int
    what: str
    cell: str
    faults: CellFaults = WHOLE
    tenants: int = 0


def schedule(seed, *, requests, cells, segment, tenants_moved):
    """Return the cells' faults, one after another, and the moves, which go on beside them."""
    generator = random.Random(seed)
    faults, moves, bag = [], [], []
    # The last segment is left in peace, so that what is open can be settled.
    for start in range(segment, requests - segment, segment):
        if not bag:
            bag = generator.sample(FAULTS, len(FAULTS))
        what, broken = bag.pop()
        at = start + generator.randrange(segment // 4)
        until = at + generator.randrange(segment // 4, segment // 2)
        cell = generator.choice(cells)
        faults.append(Event(at=at, until=until, what=what, cell=cell, faults=broken))
        at = start + generator.randrange(segment)
        tenants = generator.randint(1, tenants_moved)
        cell = generator.choice(cells)
        moves.append(Event(at=at, until=start + segment, what=MOVE, cell=cell, tenants=tenants))
    return faults, moves
