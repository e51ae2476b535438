"""Prove a stripe from its own documents: chain, position, digest, and that events are the state.

Pure; whoever holds the documents can ask, on either cloud or between two of them. Reports problems
rather than raising: an audit wants all of them.
"""

from collections.abc import Mapping, Sequence

from cell_core.domain.canonical import canonical
from cell_core.domain.decider import Body, Decider, Event, fold
from cell_core.domain.digest import add
from cell_core.domain.documents import Document, entity_key
from cell_core.domain.fence import GENESIS, Fence
from cell_core.domain.journal import Entry


def problems_of(
    fence: Fence,
    entries: Sequence[Entry],
    entities: Sequence[Document],
    domains: Sequence[Decider],
    tenant: str,
) -> list[str]:
    """Return what is wrong with a stripe that stood still while it was read; empty is proof.

    `entries` are all of its journal from the first one on, `entities` all of its entity documents,
    tombstones included.
    """
    return [
        *_chain_problems(fence, entries),
        *_digest_problems(fence, entries, entities, tenant),
        *_fold_problems(entries, entities, domains),
    ]


def _chain_problems(fence: Fence, entries: Sequence[Entry]) -> list[str]:
    problems: list[str] = []
    chain, seen = GENESIS, set[str]()
    for expected, entry in enumerate(entries, start=1):
        if entry.seq != expected:
            return [*problems, f"the entry after {expected - 1} has seq {entry.seq}"]
        if entry.prev_chain != chain:
            problems.append(f"entry {entry.seq} does not continue the one before it")
        if entry.command_id in seen:
            problems.append(f"entry {entry.seq} answers a command that was answered before")
        seen.add(entry.command_id)
        chain = entry.chain
    if (len(entries), chain) != (fence.seq, fence.chain):
        problems.append(f"the fence stands at {fence.seq}, the journal at {len(entries)}")
    return problems


def _digest_problems(
    fence: Fence, entries: Sequence[Entry], entities: Sequence[Document], tenant: str
) -> list[str]:
    digest = GENESIS
    for document in entities:
        digest = add(digest, tenant, old=None, new=document)
    problems = []
    if digest != fence.digest:
        problems.append("the entities do not add up to the fence's digest")
    if entries and entries[-1].digest != fence.digest:
        problems.append("the last entry's digest is not the fence's")
    return problems


def _fold_problems(
    entries: Sequence[Entry], entities: Sequence[Document], domains: Sequence[Decider]
) -> list[str]:
    """Fold every stream's events from nothing and compare with what is stored."""
    streams: dict[tuple[str, str], list[Event]] = {}
    for entry in entries:
        streams.setdefault((entry.domain, entry.stream), []).extend(entry.events)
    known: Mapping[str, Decider] = {domain.name: domain for domain in domains}
    folded: dict[str, str] = {}
    for (domain, stream), events in streams.items():
        state: dict[str, Body] = fold(known[domain], events)
        folded |= {entity_key(domain, stream, e): canonical(body) for e, body in state.items()}
    stored = {document.key: document.body for document in entities if not document.deleted}
    differing = sorted(k for k in folded.keys() | stored.keys() if folded.get(k) != stored.get(k))
    return [f"{key} is not the fold of its events" for key in differing]
