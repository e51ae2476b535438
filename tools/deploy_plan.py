"""What a plan of Terraform would do, read from `terraform show -json`.

Shows addresses and verbs, never values: a plan's values may be anything.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

KEEPERS: Final = frozenset(
    {
        "aws_cloudwatch_log_group",
        "aws_dynamodb_table",
        "aws_kms_key",
        "aws_s3_bucket",
        "azurerm_cosmosdb_account",
        "azurerm_cosmosdb_sql_container",
        "azurerm_cosmosdb_sql_database",
        "azurerm_log_analytics_workspace",
        "azurerm_resource_group",
        "azurerm_storage_account",
        "azurerm_storage_container",
        "cloudflare_workers_kv_namespace",
    }
)
"""Kinds of resources that hold what cannot be made again."""

_VERBS: Final = {
    ("create",): "create",
    ("update",): "change",
    ("delete",): "destroy",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One resource and what would happen to it."""

    address: str
    kind: str
    verb: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A saved plan.

    Attributes:
        path: The file that an apply takes; no other plan can be applied with it.
    """

    path: Path
    changes: tuple[Change, ...]

    def summary(self) -> str:
        """Return how many resources would be made, changed, replaced and destroyed."""
        counts = Counter(change.verb for change in self.changes)
        parts = [f"{counts[verb]} to {verb}" for verb in ("create", "change", "replace", "destroy")]
        return ", ".join(parts) if self.changes else "nothing to change"

    def lines(self) -> list[str]:
        """Return one line for each change, the losses first."""
        order = ("destroy", "replace", "change", "create")
        ranked = sorted(self.changes, key=lambda c: (order.index(c.verb), c.address))
        return [f"{change.verb} {change.address}" for change in ranked]

    def losses(self) -> list[str]:
        """Return the addresses of keepers that would be destroyed or replaced."""
        gone = ("destroy", "replace")
        return [c.address for c in self.changes if c.kind in KEEPERS and c.verb in gone]


def read_plan(path: Path, shown: Mapping[str, Any]) -> Plan:
    """Return the plan at `path`, of which `terraform show -json` said `shown`.

    Raises:
        ValueError: It says something that is not a known change.
    """
    changes = []
    for resource in shown.get("resource_changes", []):
        actions = tuple(resource["change"]["actions"])
        if actions in (("no-op",), ("read",)):
            continue
        if actions not in _VERBS:
            raise ValueError(f"{resource['address']}: unknown actions {', '.join(actions)}")
        changes.append(
            Change(address=resource["address"], kind=resource["type"], verb=_VERBS[actions])
        )
    return Plan(path=path, changes=tuple(changes))
