"""Until when a scene is driven."""

from cell_control.flows.run import Stop


def is_done(stop: Stop) -> bool:
    """Say whether nothing at all is left to do, an old home that is kept included."""
    return stop.at_ms is None
