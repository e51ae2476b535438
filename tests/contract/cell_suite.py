"""What a cell promises on any store, as tests: the class that a binding inherits.

It needs one fixture, `open_store`. As with `CellStoreContract`, no binding overrides, drops or
marks a promise away.
"""

from tests.contract.cell_copying import ApplyPromises
from tests.contract.cell_importing import ImportPromises
from tests.contract.cell_owning import OwnershipPromises
from tests.contract.cell_preparing import PreparePromises
from tests.contract.cell_removing import RemovePromises
from tests.contract.cell_serving import ServePromises
from tests.contract.cell_sweeping import SweepPromises
from tests.contract.cell_writing import CommandPromises


class CellContract(
    CommandPromises,
    ServePromises,
    OwnershipPromises,
    ApplyPromises,
    PreparePromises,
    ImportPromises,
    RemovePromises,
    SweepPromises,
):
    """Every promise of a cell's services."""
