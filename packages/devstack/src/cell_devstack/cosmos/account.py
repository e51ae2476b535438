"""What surrounds the items: the account, databases, containers and partition ranges.

Refuses throughput: there are no offers. The account has one write region and Strong consistency.
"""

import json
from dataclasses import dataclass
from typing import Any

from cell_devstack.cosmos.catalog import Catalog, Container
from cell_devstack.cosmos.documents import Documents
from cell_devstack.cosmos.engine import Engine
from cell_devstack.cosmos.errors import CosmosError
from cell_devstack.cosmos.exchange import Request, Response
from cell_devstack.cosmos.sql_run import bound_parameters, run
from cell_devstack.cosmos.sql_statement import parse_statement
from cell_devstack.cosmos.values import dump_json


@dataclass(frozen=True, slots=True)
class _Listed:
    number: int
    text: str


class Account:
    """Answers requests above the items inside a transaction."""

    def __init__(self, engine: Engine, catalog: Catalog, documents: Documents) -> None:
        self._engine = engine
        self._catalog = catalog
        self._documents = documents

    def describe(self, request: Request) -> Response:
        """The account: where it is and what it promises."""
        region = [{"name": "Local", "databaseAccountEndpoint": request.base_url}]
        replicas = {"minReplicaSetSize": 1, "maxReplicasetSize": 4}
        return _shown(
            200,
            {
                "_self": "",
                "id": "local",
                "_rid": "local",
                "media": "//media/",
                "addresses": "//addresses/",
                "_dbs": "//dbs/",
                "writableLocations": region,
                "readableLocations": region,
                "enableMultipleWriteLocations": False,
                "userReplicationPolicy": {"asyncReplication": False, **replicas},
                "userConsistencyPolicy": {"defaultConsistencyLevel": "Strong"},
                "systemReplicationPolicy": replicas,
                "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
                "queryEngineConfiguration": "{}",
            },
        )

    def list_offers(self, _request: Request) -> Response:
        """No offers, ever."""
        return _listing("Offers", [], "")

    def list_databases(self, request: Request) -> Response:
        """All databases, or those a query selects."""
        return _listing("Databases", _queried(request, self._catalog.databases()), "")

    def post_databases(self, request: Request) -> Response:
        """Query the databases, or create one."""
        if request.is_query:
            return self.list_databases(request)
        return _shown(201, self._catalog.create_database(request.body()))

    def read_database(self, request: Request) -> Response:
        """One database."""
        return _shown(200, self._catalog.database(request.segments[1]))

    def delete_database(self, request: Request) -> Response:
        """Remove a database and all in it."""
        self._catalog.delete_database(request.segments[1])
        return Response(status=204)

    def list_containers(self, request: Request) -> Response:
        """All containers of a database, or those a query selects."""
        database = self._catalog.database(request.segments[1])
        containers = self._catalog.containers(request.segments[1])
        bodies = _queried(request, [container.body for container in containers])
        return _listing("DocumentCollections", bodies, database["_rid"])

    def post_containers(self, request: Request) -> Response:
        """Query the containers, or create one."""
        if request.is_query:
            return self.list_containers(request)
        return _shown(201, self._catalog.create_container(request.segments[1], request.body()).body)

    def read_container(self, request: Request) -> Response:
        """One container."""
        container = self._container(request)
        response = _shown(200, container.body)
        response.headers["x-ms-session-token"] = self._documents.session_token(container)
        return response

    def replace_container(self, request: Request) -> Response:
        """Change a container's default ttl or indexing policy."""
        container = self._container(request)
        return _shown(200, self._catalog.replace_container(container, request.body()).body)

    def delete_container(self, request: Request) -> Response:
        """Remove a container and its items."""
        self._catalog.delete_container(self._container(request))
        return Response(status=204)

    def list_ranges(self, request: Request) -> Response:
        """The physical partitions; 304 to who knows them, or the SDK asks for ever."""
        container = self._container(request)
        etag = f'"{len(self._engine.ranges)}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status=304, headers={"etag": etag})
        bodies = [
            {
                "id": str(one.number),
                "_rid": f"{container.rid}{one.number}",
                "_self": f"{container.body['_self']}pkranges/{one.number}/",
                "_etag": etag,
                "_ts": 0,
                "minInclusive": one.low,
                "maxExclusive": one.high,
                "ridPrefix": one.number,
                "throughputFraction": 1 / len(self._engine.ranges),
                "status": "online",
                "parents": [],
            }
            for one in self._engine.ranges
        ]
        response = _listing("PartitionKeyRanges", bodies, container.rid)
        response.headers["etag"] = etag
        return response

    def _container(self, request: Request) -> Container:
        return self._catalog.container(request.segments[1], request.segments[3])


def _queried(request: Request, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The bodies that the query in the request selects; all without one."""
    if not request.is_query:
        return bodies
    query = request.body()
    given = query.get("parameters") or []
    if not isinstance(given, list):
        raise CosmosError(400, "The parameters of a query are a list.")
    statement = parse_statement(str(query.get("query")))
    rows = [_Listed(number, dump_json(body)) for number, body in enumerate(bodies)]
    results = run(statement, bound_parameters(statement, given), rows)
    return [json.loads(result.text) for result in results]


def _shown(status: int, body: dict[str, Any]) -> Response:
    headers = {"etag": body["_etag"]} if "_etag" in body else {}
    return Response(status=status, headers=headers, text=dump_json(body))


def _listing(name: str, bodies: list[dict[str, Any]], rid: str) -> Response:
    return Response(
        status=200,
        headers={"x-ms-item-count": str(len(bodies))},
        text=dump_json({"_rid": rid, name: bodies, "_count": len(bodies)}),
    )
