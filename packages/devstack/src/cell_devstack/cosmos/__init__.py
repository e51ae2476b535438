"""A stand-in for Azure Cosmos DB (NoSQL): the REST gateway that the unmodified SDK talks to.

It answers 400 or 501 to what it does not implement, and never approximates it. The one exception
is the request charge, which only follows the published figures roughly.
"""

from cell_devstack.cosmos.auth import LOCAL_KEY
from cell_devstack.cosmos.faults import Effect, Fault
from cell_devstack.cosmos.gateway import CosmosGateway
from cell_devstack.cosmos.server import CosmosServer, serve

__all__ = ["LOCAL_KEY", "CosmosGateway", "CosmosServer", "Effect", "Fault", "serve"]
