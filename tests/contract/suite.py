"""What the ports promise, as tests: the classes that a binding inherits.

`CellStoreContract` needs one fixture, `open_store`; `FailingStoreContract` one for each way in
which a backend breaks. No binding overrides, drops or marks a promise away; `Contract.no_races`
says why a stand-in cannot be raced.
"""

from tests.contract.failing import FailingPromises
from tests.contract.fencing import FencePromises
from tests.contract.paging import PagePromises
from tests.contract.racing import RacePromises
from tests.contract.reading import ReadPromises
from tests.contract.repeating import RepeatPromises
from tests.contract.writing import WritePromises


class CellStoreContract(
    ReadPromises, FencePromises, WritePromises, RepeatPromises, PagePromises, RacePromises
):
    """Every promise of `cell_core.ports.CellStore` over a backend that works."""


class FailingStoreContract(FailingPromises):
    """Every promise of `cell_core.ports.CellStore` over a backend that breaks."""
