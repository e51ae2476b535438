"""Proves a tenant of a running cell from outside: log, state, money, and what was acknowledged."""

from dataclasses import dataclass

from cell_core.domain.documents import Document
from cell_core.domain.fence import fence_from
from cell_core.domain.journal import read_entry
from cell_core.domain.verification import problems_of
from cell_core.domains import DOMAINS
from cell_devstack.cell_client import CellClient
from cell_devstack.traffic import Books


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What an audit came to; no problems is proof."""

    tenant: str
    entries: int
    entities: int
    chain: str
    problems: tuple[str, ...]


def audit(client: CellClient, tenant: str, epoch: int, books: Books) -> Finding:
    """Read everything of `tenant` through the control interface and check it; keep writers away."""
    fences = client.control("GET", f"/{tenant}")["fences"]
    problems: list[str] = []
    entries = entities = 0
    journaled: dict[str, bool] = {}
    for stripe, fields in enumerate(fences):
        path = f"/{tenant}/stripes/{stripe}"
        log = [read_entry(d["body"]) for d in client.pages(f"{path}/journal", "documents")]
        state = [Document(**d) for d in client.pages(f"{path}/entities", "documents")]
        problems += problems_of(fence_from(fields), log, state, DOMAINS, tenant)
        journaled |= {entry.command_id: entry.rejection is None for entry in log}
        entries, entities = entries + len(log), entities + len(state)
    problems += _book_problems(books, journaled)
    balance = client.read(tenant, "/views/trial_balance", epoch=epoch)
    if balance.status != 200 or not balance.body["value"]["balanced"]:
        problems.append("debits and credits differ")
    return Finding(
        tenant=tenant,
        entries=entries,
        entities=entities,
        chain=fences[0]["chain"],
        problems=tuple(problems),
    )


def _book_problems(books: Books, journaled: dict[str, bool]) -> list[str]:
    lost = [c for c in books.acknowledged if journaled.get(c) is not True]
    changed = [c for c in books.rejected if journaled.get(c) is not False]
    unknown = journaled.keys() - books.acknowledged - books.rejected
    problems = []
    if lost:
        problems.append(f"{len(lost)} acknowledged commands are not in the log")
    if changed:
        problems.append(f"{len(changed)} rejected commands are not in the log as rejected")
    if unknown and not books.failed:
        problems.append(f"{len(unknown)} entries in the log were never answered")
    return problems
