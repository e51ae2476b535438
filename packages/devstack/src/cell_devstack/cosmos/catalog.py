"""Databases and containers as stored, and a cache of the containers in use.

Refuses container options that the stand-in would have to ignore.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any, Final, cast

from cell_devstack.cosmos.engine import Engine, new_etag, raw_resource_id, resource_id
from cell_devstack.cosmos.errors import OWNER_NOT_FOUND, CosmosError, not_implemented
from cell_devstack.cosmos.values import dump_json

CONTAINERS_MAX: Final = 1000

_OPTIONS: Final = {
    "id",
    "partitionKey",
    "defaultTtl",
    "uniqueKeyPolicy",
    "indexingPolicy",
    "conflictResolutionPolicy",
    "geospatialConfig",
}
_REPLACEABLE: Final = ("defaultTtl", "indexingPolicy", "conflictResolutionPolicy")
_DEFAULTS: Final[dict[str, object]] = {
    "indexingPolicy": {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": "/*"}],
        "excludedPaths": [{"path": '/"_etag"/?'}],
    },
    "conflictResolutionPolicy": {
        "mode": "LastWriterWins",
        "conflictResolutionPath": "/_ts",
        "conflictResolutionProcedure": "",
    },
    "geospatialConfig": {"type": "Geography"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container's definition, parsed once. `body` is what the service shows of it."""

    number: int
    database: str
    id: str
    body: dict[str, Any]

    @property
    def rid(self) -> str:
        """Its resource id."""
        return str(self.body["_rid"])

    @property
    def key_paths(self) -> list[str]:
        """The partition key's paths, one per level."""
        return cast("list[str]", self.body["partitionKey"]["paths"])

    @property
    def hierarchical(self) -> bool:
        """Whether the partition key has levels."""
        return bool(self.body["partitionKey"].get("kind") == "MultiHash")

    @property
    def default_ttl_s(self) -> int | None:
        """None: nothing expires. -1: only items with a ttl of their own."""
        return self.body.get("defaultTtl")

    @property
    def unique_keys(self) -> list[list[str]]:
        """The paths of each unique key."""
        policy = self.body.get("uniqueKeyPolicy") or {}
        return [key["paths"] for key in policy.get("uniqueKeys", [])]


class Catalog:
    """The databases and containers of an account; every method runs inside a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cached: dict[tuple[str, str], Container] = {}

    def databases(self) -> list[dict[str, Any]]:
        """All of them."""
        return [json.loads(body) for (body,) in self._engine.execute("SELECT body FROM database")]

    def database(self, name: str) -> dict[str, Any]:
        """One of them, else 404."""
        row = self._engine.execute("SELECT body FROM database WHERE id = ?", name).fetchone()
        if row is None:
            raise CosmosError(404, f"The database {name} does not exist.")
        return cast("dict[str, Any]", json.loads(row[0]))

    def create_database(self, body: dict[str, object]) -> dict[str, Any]:
        """Add one, else 409."""
        name = _identifier(body)
        if any(database["id"] == name for database in self.databases()):
            raise CosmosError(409, "Resource with specified id already exists.")
        rid = resource_id(struct.pack("<I", self._engine.next_number("database")))
        created: dict[str, object] = {
            "id": name,
            "_rid": rid,
            "_self": f"dbs/{rid}/",
            "_etag": new_etag(),
            "_colls": "colls/",
            "_users": "users/",
            "_ts": self._engine.seconds(),
        }
        self._engine.execute("INSERT INTO database VALUES (?, ?)", name, dump_json(created))
        return created

    def delete_database(self, name: str) -> None:
        """Remove it with all its containers, else 404."""
        self.database(name)
        for container in self.containers(name):
            self.delete_container(container)
        self._engine.execute("DELETE FROM database WHERE id = ?", name)

    def containers(self, database: str) -> list[Container]:
        """All containers of a database."""
        rows = self._engine.execute(
            "SELECT number, id, body FROM container WHERE database = ?", database
        )
        return [
            Container(number=number, database=database, id=name, body=json.loads(body))
            for number, name, body in rows
        ]

    def container(self, database: str, name: str) -> Container:
        """One of them, else 404."""
        found = self._cached.get((database, name))
        if found is not None:
            return found
        self.database(database)
        for container in self.containers(database):
            self._cached[database, container.id] = container
        if (database, name) not in self._cached:
            raise CosmosError(
                404, f"The container {database}/{name} does not exist.", sub_status=OWNER_NOT_FOUND
            )
        return self._cached[database, name]

    def create_container(self, database: str, body: dict[str, Any]) -> Container:
        """Add one, else 409; 400 or 501 for options that cannot be honoured."""
        parent, name = self.database(database), _identifier(body)
        _check_options(body)
        if any(container.id == name for container in self.containers(database)):
            raise CosmosError(409, "Resource with specified id already exists.")
        number = self._engine.next_number("container")
        if number > CONTAINERS_MAX:
            raise CosmosError(400, f"At most {CONTAINERS_MAX} containers can be made.")
        rid = resource_id(raw_resource_id(parent["_rid"]) + struct.pack("<I", 0x80000000 | number))
        created = {
            **_DEFAULTS,
            **body,
            "_rid": rid,
            "_self": f"dbs/{parent['_rid']}/colls/{rid}/",
            "_etag": new_etag(),
            "_ts": self._engine.seconds(),
            "_docs": "docs/",
            "_sprocs": "sprocs/",
            "_triggers": "triggers/",
            "_udfs": "udfs/",
            "_conflicts": "conflicts/",
        }
        self._engine.execute(
            "INSERT INTO container VALUES (?, ?, ?, ?)", number, database, name, dump_json(created)
        )
        for one in self._engine.ranges:
            self._engine.execute("INSERT INTO partition VALUES (?, ?, 0)", number, one.number)
        return Container(number=number, database=database, id=name, body=created)

    def replace_container(self, container: Container, body: dict[str, Any]) -> Container:
        """Change what may change; the expiry of every item follows a new default."""
        _check_options(body)
        if body["partitionKey"]["paths"] != container.key_paths:
            raise CosmosError(400, "The partition key of a container cannot be changed.")
        if (body.get("uniqueKeyPolicy") or {}) != (container.body.get("uniqueKeyPolicy") or {}):
            raise CosmosError(400, "The unique keys of a container cannot be changed.")
        kept = {key: value for key, value in container.body.items() if key not in _REPLACEABLE}
        given: dict[str, Any] = {key: body[key] for key in _REPLACEABLE if key in body}
        changed: dict[str, Any] = {
            **_DEFAULTS,
            **kept,
            **given,
            "_etag": new_etag(),
            "_ts": self._engine.seconds(),
        }
        self._engine.execute(
            "UPDATE container SET body = ? WHERE number = ?", dump_json(changed), container.number
        )
        default = changed.get("defaultTtl")
        self._engine.execute(
            "UPDATE document SET expires = CASE WHEN ? IS NOT NULL AND COALESCE(ttl, ?) > 0"
            " THEN ts + COALESCE(ttl, ?) END WHERE container = ?",
            *(default, default, default),
            container.number,
        )
        self._cached.pop((container.database, container.id), None)
        return Container(
            number=container.number, database=container.database, id=container.id, body=changed
        )

    def delete_container(self, container: Container) -> None:
        """Remove it with all its items."""
        for statement in (
            "DELETE FROM document WHERE container = ?",
            "DELETE FROM partition WHERE container = ?",
            "DELETE FROM container WHERE number = ?",
        ):
            self._engine.execute(statement, container.number)
        self._cached.pop((container.database, container.id), None)


def _identifier(body: dict[str, object]) -> str:
    name = body.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= 255 or set(name) & set("/\\?#"):
        raise CosmosError(400, "The id is missing, too long or has illegal characters.")
    return name


def _check_options(body: dict[str, Any]) -> None:
    unknown = {key for key in body.keys() - _OPTIONS if not key.startswith("_")}
    if unknown:
        raise not_implemented(f"The container option {min(unknown)!r}")
    key = body.get("partitionKey")
    if not isinstance(key, dict) or not key.get("paths"):
        raise CosmosError(400, "The container needs a partitionKey.")
    if key.get("version", 1) != 2 or key.get("kind", "Hash") not in {"Hash", "MultiHash"}:
        raise not_implemented("A partition key other than hash version 2")
    if (body.get("indexingPolicy") or {}).get("indexingMode", "consistent") != "consistent":
        raise not_implemented("An indexing mode other than consistent")
    default = body.get("defaultTtl")
    if default is not None and (type(default) is not int or default == 0 or default < -1):
        raise CosmosError(400, "The defaultTtl is a positive number of seconds or -1.")
