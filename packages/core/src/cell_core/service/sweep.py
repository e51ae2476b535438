"""Let time pass: turn what is due in a domain into ordinary commands, on a timer (cell.md 1).

Each sweep looks at a bounded part of the cell and the next one goes on behind it. A command made
here has a stable id that no client can send (it holds a colon), so two sweeps do a thing once.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from cell_core.domain.decider import Decider, Swept
from cell_core.domain.documents import ENTITY, TENANT, Document
from cell_core.domain.errors import CellError, NotFound
from cell_core.domain.fence import Fence, Role
from cell_core.domain.ids import partition_of
from cell_core.domain.journal import fingerprint
from cell_core.ports import CellStore, Clock
from cell_core.service.control import Controller
from cell_core.service.plan import Answered, Ask
from cell_core.service.process import Processor

DOCUMENTS_MAX = 5000
"""Entities looked at in one sweep."""

UNREAD_MAX = 3
"""Tenants that may fail in one sweep; with more, it is the store that fails."""

_PAGE = 500

Found: TypeAlias = tuple[str, Fence, Decider, Document]


class Sweeper:
    """Issues commands that are due, on behalf of nobody."""

    def __init__(
        self,
        store: CellStore,
        clock: Clock,
        controller: Controller,
        processor: Processor,
        domains: Sequence[Decider],
    ) -> None:
        self._store = store
        self._clock = clock
        self._controller = controller
        self._processor = processor
        self._domains = [domain for domain in domains if isinstance(domain, Swept)]
        self._walk: Iterator[Found] = iter(())
        self._unread = 0

    def sweep(self, deadline_ms: int) -> dict[str, int]:
        """Look at the next entities and issue what is due; return what was counted.

        A tenant that moves away or a store that fails meanwhile is left to the next sweep.
        """
        counted = {"looked_at": 0, "due": 0, "applied": 0, "failed": 0}
        try:
            found = list(islice(self._walk, DOCUMENTS_MAX))
            if not found:
                self._walk = self._everything()
                found = list(islice(self._walk, DOCUMENTS_MAX))
        except CellError:
            self._walk, self._unread = iter(()), 0
            return {**counted, "failed": 1}
        counted["looked_at"] = len(found)
        counted["failed"] = self._unread
        self._unread = 0
        for tenant, fence, domain, document in found:
            ask = self._due(domain, document)
            if ask is not None and self._clock.now_ms() < deadline_ms:
                counted["due"] += 1
                counted[self._issue(tenant, fence, ask, deadline_ms)] += 1
        return counted

    def _everything(self) -> Iterator[Found]:
        after: str | None = None
        while True:
            page = self._controller.tenants(after=after, limit=_PAGE)
            for line in page.documents:
                try:
                    yield from self._tenant(line.key.removeprefix(TENANT))
                except CellError:
                    self._unread += 1  # The next sweep begins behind this tenant.
                    if self._unread > UNREAD_MAX:
                        raise
            if page.after is None:
                return
            after = page.after.removeprefix(TENANT)

    def _tenant(self, tenant: str) -> Iterator[Found]:
        try:
            fences = self._controller.fences(tenant)
        except NotFound:
            return  # Listed, but being provisioned or dropped.
        for stripe, fence in enumerate(fences):
            if fence.role is Role.ACTIVE:
                for domain in self._domains:
                    for document in self._entities(partition_of(tenant, stripe), domain.name):
                        yield tenant, fence, domain, document

    def _entities(self, partition: str, domain: str) -> Iterator[Document]:
        after: str | None = None
        while True:
            page = self._store.page(partition, f"{ENTITY}{domain}:", after=after, limit=_PAGE)
            yield from (document for document in page.documents if not document.deleted)
            if page.after is None:
                return
            after = page.after

    def _due(self, domain: Decider, document: Document) -> Ask | None:
        _, _, stream, entity = document.key.split(":", 3)
        if not isinstance(domain, Swept):
            return None
        due = domain.due(entity, json.loads(document.body), self._clock.now_ms())
        if due is None:
            return None
        name, command = due
        return Ask(
            decider=domain,
            stream=stream,
            command_id=f"{stream}:{name}",
            commands=(command,),
            fingerprint=fingerprint(domain.name, stream, [("due", name)]),
        )

    def _issue(self, tenant: str, fence: Fence, ask: Ask, deadline_ms: int) -> str:
        try:
            [answer], _ = self._processor.process(tenant, fence.epoch, [ask], deadline_ms)
        except CellError:
            return "failed"
        applied = isinstance(answer, Answered) and answer.entry.rejection is None
        return "applied" if applied else "failed"
