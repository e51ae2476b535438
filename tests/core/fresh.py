"""The services of a cell, loaded anew, one of their modules perhaps with a planted fault."""

from typing import Final

from tests.router import fresh

# In the order of their imports.
NAMES: Final = (
    "domain.transitions", "service.plan", "service.serving", "service.replicate",
    "service.process", "service.acknowledge", "app.acknowledging", "app.commands", "app.control",
    "app.application",
)  # fmt: skip


class Modules(fresh.Modules):
    """Each module as an attribute, by the last part of its name."""

    package = "cell_core"
    names = NAMES

    def __init__(self, mutated: str = "", old: str = "", new: str = "") -> None:
        super().__init__(mutated, old, new)
        for name in NAMES:
            made = getattr(self, name.rpartition(".")[2])
            if hasattr(made, "transitions"):
                # `from package import module` took the package's attribute, the original.
                made.transitions = self.transitions
