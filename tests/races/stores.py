"""Stores on the two stand-ins as the cells open them: real SDKs, no HTTP host in between.

Refuses to retry: the processor under test does, and nobody else.
"""

from typing import Final

from cell_core.ports import CellStore

CLOUDS: Final = ("aws", "azure")
_DATABASE: Final = "cell"


def open_store(cloud: str, url: str, name: str) -> CellStore:
    """Return a store on the table or container `name` of the stand-in at `url`."""
    return _dynamo(url, name) if cloud == "aws" else _cosmos(url, name)


def make_place(cloud: str, url: str, name: str) -> None:
    """Create the table or container `name`."""
    if cloud == "aws":
        from cell_devstack.dynamodb import create_table
        from tests.contract.dynamo import dynamo_client

        create_table(dynamo_client(url), name)
    else:
        from cell_devstack.cosmos_process import create_container

        create_container(url, _DATABASE, name)


def _dynamo(url: str, name: str) -> CellStore:
    from cell_adapters_aws.store import DynamoCellStore
    from tests.contract.dynamo import dynamo_client

    return DynamoCellStore(dynamo_client(url), table=name)


def _cosmos(url: str, name: str) -> CellStore:
    from cell_adapters_azure.bootstrap import Settings, connect
    from cell_adapters_azure.store import CosmosCellStore
    from cell_devstack.cosmos import LOCAL_KEY

    # What else a cell needs is no business of a store's.
    settings = Settings.model_construct(
        CELL_LOCAL=True,
        CELL_COSMOS_ENDPOINT=url,
        CELL_COSMOS_DATABASE=_DATABASE,
        CELL_COSMOS_CONTAINER=name,
        CELL_COSMOS_KEY=LOCAL_KEY,
        CELL_STORE_CONNECT_TIMEOUT_S=2.0,
        CELL_STORE_READ_TIMEOUT_S=20.0,
    )
    return CosmosCellStore(lambda: connect(settings))
