"""The decision table and the mover, loaded anew, one of their modules perhaps with a fault."""

from tests.router import fresh


class Modules(fresh.Modules):
    """Each module as an attribute, by the last part of its name."""

    package = "cell_control"
    # In the order of their imports.
    names = (
        "domain.pace", "domain.views", "domain.actions", "domain.row", "domain.owning",
        "domain.retiring", "domain.moving", "domain.cutover", "domain.reconcile",
        "domain.figures", "flows.known", "flows.rewriting", "flows.tail", "flows.orphaning",
        "flows.performing", "flows.run", "flows.mover",
    )  # fmt: skip
