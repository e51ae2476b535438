"""Moves a tenant between two cells by the real control interface, as protocol.md 6 orders it."""

import time

from cell_core.app.routes import cursor
from cell_core.domain.documents import log_key
from cell_core.domain.ids import next_epoch
from cell_devstack.cell_client import Answered, NoAnswer

APPLY_ENTRIES_MAX = 30
PATIENCE_S = 120.0
PAUSE_S = 0.05


class MoveStuck(Exception):
    """A step did not succeed for too long."""


class Mover:
    """Copies, freezes, activates, seals; each step again until it is done."""

    def __init__(self, clients, ordinals):
        self._clients = clients
        self._ordinals = ordinals
        self._count = 0

    def move(self, tenant, epoch, source, target):
        """Make `target` the home; return the new epoch."""
        self._count += 1
        op = f"move-{self._count}"
        stripes = len(self._ask(source, "GET", f"/{tenant}")["fences"])
        body = {"role": "standby", "epoch": epoch, "stripes": stripes, "home_hint": source}
        if not self._has(target, tenant):
            self._ask(target, "POST", f"/{tenant}/provision", body)
        self._copy(tenant, epoch, source, target)
        ask = {"epoch": epoch, "op": op}
        frozen = self._ask(source, "POST", f"/{tenant}/freeze", ask)["fences"]
        self._copy(tenant, epoch, source, target)
        new_epoch = next_epoch(epoch, self._ordinals[target])
        positions = [{"seq": fence["seq"], "chain": fence["chain"]} for fence in frozen]
        activate = {"epoch": new_epoch, "mode": "planned", "positions": positions, "op": op}
        self._ask(target, "POST", f"/{tenant}/activate", activate)
        return new_epoch

    def seal(self, tenant, epoch, source, target):
        """Let the old home say where the tenant is."""
        self._ask(source, "POST", f"/{tenant}/seal", {"epoch": epoch, "home_hint": target})

    def _has(self, cell, tenant):
        def ask():
            try:
                return bool(self._clients[cell].control("GET", f"/{tenant}"))
            except Answered as no:
                if "tenant_not_found" in str(no):
                    return False
                raise

        return self._until_done(ask)

    def _copy(self, tenant, epoch, source, target):
        fences = self._ask(target, "GET", f"/{tenant}")["fences"]
        for stripe, fence in enumerate(fences):
            self._copy_stripe(f"/{tenant}/stripes/{stripe}", epoch, fence["seq"], source, target)

    def _copy_stripe(self, path, epoch, seq, source, target):
        while True:
            entries = self._entries_after(path, seq, source)
            if not entries:
                return
            for start in range(0, len(entries), APPLY_ENTRIES_MAX):
                part = entries[start : start + APPLY_ENTRIES_MAX]
                fence = self._ask(
                    target, "POST", f"{path}/apply", {"epoch": epoch, "entries": part}
                )["fence"]
                seq = fence["seq"]

    def _entries_after(self, path, seq, source):
        after = cursor_of(seq) if seq else ""
        page = self._ask(source, "GET", f"{path}/journal?limit=1000{after}")
        return [document["body"] for document in page["documents"]]

    def _ask(self, cell, method, path, body=None):
        return self._until_done(lambda: self._clients[cell].control(method, path, body))

    def _until_done(self, step):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return step()
            except (NoAnswer, Answered) as no:
                if time.monotonic() > end:
                    raise MoveStuck(str(no)) from no
                time.sleep(PAUSE_S)


def cursor_of(seq):
    """Say in a cell's own words that pages begin behind the entry `seq`."""
    return f"&after={cursor(log_key(seq))}"
