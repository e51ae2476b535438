"""What `cell_control.ports.Registry` promises, as tests: one class that a binding inherits.

It needs one fixture, `make_registry`: a function that opens independent registries onto one empty
backend. No binding overrides, drops or marks a promise away.
"""

from tests.control.registry.changing import ChangePromises, ForgetPromises
from tests.control.registry.racing import RacePromises
from tests.control.registry.reading import ReadPromises
from tests.control.registry.skipping import SkipPromises
from tests.control.registry.waiting import WaitPromises
from tests.control.registry.writing import WritePromises


class RegistryContract(
    ReadPromises,
    WritePromises,
    ChangePromises,
    ForgetPromises,
    SkipPromises,
    WaitPromises,
    RacePromises,
):
    """Every promise of a registry."""
