"""What must hold after a race, found from the store and from what the racers were told.

Reports problems rather than raising, so that a planted fault can be shown to cause some.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from cell_core.domain.decider import Body, Context, execute
from cell_core.domain.documents import ENTITY, LOG, Document
from cell_core.domain.fence import Fence
from cell_core.domain.ids import partition_of
from cell_core.domain.journal import Entry, read_entry
from cell_core.domain.verification import problems_of
from cell_core.domains import DOMAINS
from cell_core.ports import CellStore
from tests.races.bank import ACCOUNTS, LEDGER, STARTING_BALANCE, STREAM, TENANT, command_of
from tests.races.racer import Answers

PARTITION: Final = partition_of(TENANT, 0)
_PAGES_MAX: Final = 100


def problems_after(store: CellStore, told: Sequence[Answers]) -> list[str]:
    """Return what is wrong with the stripe, and with what the racers were told about it."""
    fence = store.read(PARTITION, ()).fence
    assert fence is not None
    log = [read_entry(document.body) for document in _all(store, LOG)]
    entities = _all(store, ENTITY)
    return [
        *problems_of(fence, log, entities, DOMAINS, TENANT),
        *_money_problems(entities),
        *_answer_problems(fence, log, told),
        *_order_problems(log),
    ]


def _money_problems(entities: Sequence[Document]) -> list[str]:
    accounts = {d.key.rpartition(".")[2]: json.loads(d.body) for d in entities}
    held = sum(_balance(accounts[name]) for name in ACCOUNTS)
    everything = sum(_balance(account) for account in accounts.values())
    wanted = STARTING_BALANCE * len(ACCOUNTS)
    problems = [] if held == wanted else [f"the accounts hold {held}, not {wanted}"]
    return problems if everything == 0 else [*problems, f"debits and credits differ: {everything}"]


def _balance(account: Body) -> int:
    return int(account["credits_posted"]) - int(account["debits_posted"])


def _answer_problems(fence: Fence, log: Sequence[Entry], told: Sequence[Answers]) -> list[str]:
    """Each answer is an entry of the log, and every entry was answered, to each who asked alike."""
    journaled = {e.command_id: (e.seq, e.rejection.code if e.rejection else "applied") for e in log}
    problems = [f"an answer that is none: {error}" for answers in told for error in answers.errors]
    problems += [
        f"{command_id} was told {answer}, the log says {journaled.get(command_id)}"
        for answers in told
        for command_id, answer in answers.answered.items()
        if journaled.get(command_id) != tuple(answer)
    ]
    answered = {command_id for answers in told for command_id in answers.answered}
    given_up = {command_id for answers in told for command_id in answers.unanswered}
    problems += [f"{c} was done and never answered" for c in journaled.keys() - answered - given_up]
    if len(journaled) != len(log) or len(log) != fence.seq:
        problems.append(f"{fence.seq} positions, {len(log)} entries, {len(journaled)} commands")
    return problems


def _order_problems(log: Sequence[Entry]) -> list[str]:
    """Run the log's commands one after the other: the answers must be those that were given."""
    state: Mapping[str, Body] = {}
    problems = []
    for entry in log:
        context = Context(
            tenant=entry.tenant,
            stream=STREAM,
            command_id=entry.command_id,
            time_ms=entry.time_ms,
            seq=entry.seq,
        )
        outcome = execute(LEDGER, state, [command_of(entry.command_id)], context)
        if (outcome.events, outcome.rejection) != (entry.events, entry.rejection):
            problems.append(f"entry {entry.seq} is not what its command comes to at its place")
        state = outcome.state
    return problems


def _all(store: CellStore, prefix: str) -> list[Document]:
    found: list[Document] = []
    after: str | None = None
    for _ in range(_PAGES_MAX):
        page = store.page(PARTITION, prefix, after=after, limit=1000)
        found += page.documents
        after = page.after
        if after is None:
            return found
    raise AssertionError("a race does not write so much")
