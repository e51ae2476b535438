"""What a cell takes from another one: checks of copied documents and entries. Pure.

A copy is input from outside the cell: what no cell could have written is refused, whole.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise

from cell_core.domain.canonical import canonical, size_bytes
from cell_core.domain.documents import ENTITY, IDEMPOTENCY, LOG, Document, log_key
from cell_core.domain.errors import Diverged, Gap, InvalidInput
from cell_core.domain.fence import Fence
from cell_core.domain.ids import is_command_id, is_entity_id, is_hash, is_id, stripe_of
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.limits import DOCUMENT_BYTES_MAX
from cell_core.service.plan import log_document


def check_sequence(tenant: str, stripe: int, fence: Fence, entries: Sequence[Entry]) -> None:
    """Refuse entries of another stripe, not consecutive, or beyond the next one of `fence`."""
    for entry in entries:
        if entry.tenant != tenant or stripe_of(entry.domain, entry.stream, fence.stripes) != stripe:
            raise InvalidInput("invalid_data", problem="an entry of another stripe")
    for before, entry in pairwise(entries):
        if entry.seq != before.seq + 1 or entry.prev_chain != before.chain:
            raise InvalidInput("invalid_data", problem="entries are not consecutive")
    if entries[0].seq > fence.seq + 1:
        raise Gap(have=fence.seq)


def check_importable(tenant: str, stripe: int, fence: Fence, document: Document) -> None:
    """Refuse a document that no cell could have written to this stripe."""
    ids = document.key.split(":")[1:]
    if document.key.startswith(LOG):
        entry = read_entry(document.body)
        check_sequence(tenant, stripe, fence, [entry])
        right = document == log_document(entry) and entry.seq <= fence.seq
    elif document.key.startswith(IDEMPOTENCY):
        right = is_command_id(":".join(ids)) and not document.deleted and _is_record(document.body)
    elif document.key.startswith(ENTITY) and len(ids) == 3:
        here = stripe_of(ids[0], ids[1], fence.stripes) == stripe
        named = is_id(ids[0]) and is_id(ids[1]) and is_entity_id(ids[2])
        right = here and named and (document.body == "" if document.deleted else _is_body(document))
    else:
        right = False
    if not right or size_bytes(document.body) > DOCUMENT_BYTES_MAX:
        raise InvalidInput("invalid_data", problem="not a document that can be imported")


def _is_record(body: str) -> bool:
    found = _parsed(body)
    return isinstance(found, dict) and is_hash(found.get("fingerprint"))


def _is_body(document: Document) -> bool:
    return isinstance(_parsed(document.body), dict)


def _parsed(body: str) -> object:
    """Return what canonical text says, or None for any other text."""
    try:
        found: object = json.loads(body)
        return found if canonical(found) == body else None
    except (ValueError, RecursionError):
        return None


def check_links(fence: Fence, wanted: Mapping[str, Document], held: Mapping[str, Document]) -> None:
    """Check that each journal entry is the one that its successor, or the fence, continues."""
    for document in wanted.values():
        if not document.key.startswith(LOG):
            continue
        entry = read_entry(document.body)
        successor = wanted.get(log_key(entry.seq + 1)) or held.get(log_key(entry.seq + 1))
        if entry.seq == fence.seq:
            right = entry.chain == fence.chain
        elif successor is None:
            raise InvalidInput("invalid_data", problem="journal entries are imported backwards")
        else:
            right = entry.chain == read_entry(successor.body).prev_chain
        stored = held.get(document.key)
        if not right or (stored is not None and stored.body != document.body):
            raise Diverged(seq=entry.seq)
