"""What comes in and what goes out of an operation, free of HTTP machinery.

Refuses nothing but headers that make no sense.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cell_devstack.cosmos.catalog import Container
from cell_devstack.cosmos.documents import LogicalKey, parse_key
from cell_devstack.cosmos.errors import PARTITION_KEY_MISMATCH, CosmosError
from cell_devstack.cosmos.values import parse_object

PAGE_ITEMS_DEFAULT = 100
PAGE_ITEMS_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `segments` is the decoded path, header names are in lower case."""

    verb: str
    segments: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    base_url: str = ""

    def flag(self, name: str) -> bool:
        """Whether a header says true."""
        return self.headers.get(name, "").lower() == "true"

    def body(self) -> dict[str, object]:
        """The body, which must be a JSON object, else 400."""
        return parse_object(self.raw)

    @property
    def is_query(self) -> bool:
        """Whether the body is a query."""
        content_type = self.headers.get("content-type", "")
        return self.flag("x-ms-documentdb-isquery") or "query+json" in content_type

    @property
    def consistency(self) -> str:
        """The level asked for; empty for the account's default."""
        return self.headers.get("x-ms-consistency-level", "")

    def key(self, container: Container) -> LogicalKey | None:
        """The partition key of the request, possibly a prefix of a hierarchical one."""
        header = self.headers.get("x-ms-documentdb-partitionkey")
        if header is None:
            return None
        key = parse_key(header, hierarchical=container.hierarchical)
        if key.levels > len(container.key_paths):
            raise _key_mismatch()
        return key

    def whole_key(self, container: Container) -> LogicalKey:
        """The partition key with all its levels, else 400."""
        key = self.key(container)
        if key is None:
            raise CosmosError(400, "PartitionKey value must be supplied for this operation.")
        if key.levels != len(container.key_paths):
            raise _key_mismatch()
        return key

    def page_items_max(self) -> int:
        """How many items a page may have; -1 asks for as many as fit."""
        text = self.headers.get("x-ms-max-item-count", "") or str(PAGE_ITEMS_DEFAULT)
        try:
            number = int(text)
        except ValueError as error:
            raise CosmosError(400, "x-ms-max-item-count is not a number.") from error
        return min(number, PAGE_ITEMS_MAX) if number > 0 else PAGE_ITEMS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One answer; `text` is JSON."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None


def charged(request_units: float) -> dict[str, str]:
    """The header that tells what an operation cost."""
    return {"x-ms-request-charge": f"{request_units:g}"}


def _key_mismatch() -> CosmosError:
    return CosmosError(
        400,
        "Partition key provided either doesn't correspond to definition in the collection or "
        "doesn't match partition key field values specified in the document.",
        sub_status=PARTITION_KEY_MISMATCH,
    )
