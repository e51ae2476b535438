"""Holds a tenant's whole journal against what clients were told."""

from cell_core.domain.documents import Document
from cell_core.domain.fence import fence_from
from cell_core.domain.journal import read_entry
from cell_core.domain.verification import problems_of
from cell_core.domains import DOMAINS
from tests.router.soak.mover import cursor_of


def audit(client, tenant, epoch, acknowledged):
    """Yield what is wrong: lost, doubled, changed, unbalanced; nothing if all is well."""
    fences = client.control("GET", f"/{tenant}")["fences"]
    journaled = {}
    for stripe, fields in enumerate(fences):
        if (fields["role"], fields["epoch"]) != ("active", epoch):
            yield f"{tenant}: the fence is {fields['role']} at {fields['epoch']}, not at {epoch}"
        path = f"/{tenant}/stripes/{stripe}"
        log = [read_entry(text) for text in journal(client, path)]
        state = [Document(**d) for d in client.pages(f"{path}/entities", "documents")]
        yield from problems_of(fence_from(fields), log, state, DOMAINS, tenant)
        for entry in log:
            if entry.command_id in journaled:
                yield f"{tenant}: {entry.command_id} took effect twice"
            journaled[entry.command_id] = entry
    yield from _held_against(tenant, journaled, acknowledged)
    balance = client.read(tenant, "/views/trial_balance", epoch=epoch)
    if balance.status != 200 or not balance.body["value"]["balanced"]:
        yield f"{tenant}: debits and credits differ"


def journal(client, path):
    """Yield the text of every entry."""
    seq = 0
    while True:
        after = cursor_of(seq) if seq else ""
        documents = client.control("GET", f"{path}/journal?limit=1000{after}")["documents"]
        yield from (document["body"] for document in documents)
        if not documents:
            return
        seq += len(documents)


def _held_against(tenant, journaled, acknowledged):
    for command_id, told in acknowledged.items():
        entry = journaled.get(command_id)
        if entry is None:
            yield f"{tenant}: {command_id} was acknowledged and is lost"
        elif (entry.seq, entry.chain, entry.rejection is not None) != (
            told.seq, told.chain, told.rejected,
        ):  # fmt: skip
            yield f"{tenant}: {command_id} was acknowledged as another entry"
    for command_id in journaled.keys() - acknowledged.keys():
        yield f"{tenant}: {command_id} took effect and was never answered"
