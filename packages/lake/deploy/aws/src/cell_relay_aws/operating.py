"""A cell's store and lake for an operator's command, from the settings of the cell's relay.

Refuses what the relay refuses. It is no part of the function.
"""

from collections.abc import Mapping

from cell_lake.cli.stores import Opened
from cell_relay_aws.bootstrap import load, open_store, open_table, origin_of


def opened(settings: Mapping[str, str]) -> Opened:
    """Return what the relay with `settings` works on.

    Raises:
        SettingsError: Says what is missing or wrong.
    """
    found = load(settings)
    return Opened(store=open_store(found), table=open_table(found), origin=origin_of(found))
