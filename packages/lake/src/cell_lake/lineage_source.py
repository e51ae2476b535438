"""Lineage as the control plane's API tells it, page by page.

Refuses to know how it is asked. The rev that the first page names is what the pages are as of:
what became so later may be on a page that was read before.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from cell_core.domain.errors import InvariantBroken
from cell_lake.domain.lineage import LineageRecord

Ask: TypeAlias = Callable[[str], Any]
"""Returns the JSON that the control plane answers at a path; raises what its maker chose."""

_PAGE: Final = 1000
_PAGES_MAX: Final = 100_000


def read_lineage(ask: Ask) -> tuple[list[LineageRecord], int]:
    """Return all records that there are, and the registry's rev that they are complete up to.

    Raises:
        InvariantBroken: The answer is not a control plane's.
    """
    records: list[LineageRecord] = []
    rev, after = None, ""
    try:
        for _ in range(_PAGES_MAX):
            page = ask(f"/v1/lineage?limit={_PAGE}&after={quote(after, safe='')}")
            rev = int(page["rev"]) if rev is None else rev
            records += [_record(each["rev"], each["lineage"]) for each in page["lineage"]]
            if not page["after"]:
                break
            after = str(page["after"])
    except (KeyError, TypeError, ValueError):
        raise InvariantBroken(problem="not a control plane's lineage") from None
    return records, rev or 0


def _record(rev: int, told: Mapping[str, Any]) -> LineageRecord:
    base = told["base"]
    return LineageRecord(
        tenant=str(told["tenant"]),
        epoch=int(told["epoch"]),
        rev=int(rev),
        home=str(told["home"]),
        mode=str(base["mode"]),
        source=str(base["source"]),
        source_epoch=int(base["source_epoch"]),
        bases=tuple((int(at["seq"]), str(at["chain"])) for at in base["positions"]),
        time_ms=int(told["at_ms"]),
        decided_by=str(told["by"]),
    )
