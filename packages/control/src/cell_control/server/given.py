"""What a process of the control plane is made of: adapters, keys and settings, each replaceable."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from cell_control.ports import Registry
from cell_control.server.cell_addresses import CellPolicy
from cell_control.server.config import Loops, Publish
from cell_control.server.machine import Machine
from cell_control.server.movers import MakeMover
from cell_control.server.tokens import TokenBook
from cell_control.service.publishing import Target
from cell_core.wire.grants import GrantSigner
from cell_core.wire.registry_seal import Signer

CONTRACT: Final = "1"
"""What cells have to keep; a parity probe says whether one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """All of it.

    Attributes:
        signer: Of the registry.
        grants: Signs what cells are asked with.
        transport: How cells are reached.
        connections_max: To one cell.
        targets: Where the registry is published.
        contract: The contract version that cells have to keep.
        make_mover: In place of the real one.
    """

    machine: Machine
    registry: Registry
    tokens: TokenBook
    signer: Signer
    grants: GrantSigner
    transport: httpx.AsyncBaseTransport
    policy: CellPolicy
    connections_max: int
    loops: Loops
    targets: Sequence[tuple[Publish, Target]] = ()
    contract: str = CONTRACT
    make_mover: MakeMover | None = None
