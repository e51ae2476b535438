"""The commands that everyone in a race sends; what a command asks for follows from its id alone.

So whoever reads the log can run it again in its order, and see whether each answer is the one that
a single writer would have given.
"""

from collections.abc import Iterator
from random import Random
from typing import Final

from cell_core.domain.decider import Command
from cell_core.domain.journal import fingerprint
from cell_core.domains import DOMAINS
from cell_core.domains.ledger import OpenAccount, Transfer
from cell_core.service.plan import Ask

TENANT: Final = "T-race"
STREAM: Final = "main"
EPOCH: Final = 1
STARTING_BALANCE: Final = 100
"""Little, so that about half of all transfers are refused: a refusal only reads what it is about,
and only the fence protects what is only read."""

ACCOUNTS: Final = ("alice", "bob", "carol")
BANK: Final = "bank"
REFUSED: Final = "both-0-0"
"""Sent in every race, and refused in every order of it: it asks for more than everybody has."""

TOO_MUCH: Final = len(ACCOUNTS) * STARTING_BALANCE + 1
LEDGER: Final = next(domain for domain in DOMAINS if domain.name == "ledger")
_SHARED_EVERY: Final = 5


def opening_ids() -> list[str]:
    """Return the ids of the commands that come before a race, in order."""
    opened = [f"open-{account}" for account in (BANK, *ACCOUNTS)]
    return [*opened, *(f"fund-{account}" for account in ACCOUNTS)]


def transfer_ids(process: str, thread: int, count: int) -> Iterator[str]:
    """Yield the ids that a thread sends; every fifth is sent by its twin in each process, too."""
    for number in range(count):
        shared = number % _SHARED_EVERY == 0
        yield f"{'both' if shared else process}-{thread}-{number}"


def ask_of(command_id: str) -> Ask:
    """Return the request with this id."""
    command = command_of(command_id)
    named = [(command.name, command.data.model_dump(exclude_none=True))]
    return Ask(
        decider=LEDGER,
        stream=STREAM,
        command_id=command_id,
        commands=(command,),
        fingerprint=fingerprint(LEDGER.name, STREAM, named),
    )


def command_of(command_id: str) -> Command:
    """Return what the command with this id asks for."""
    verb, _, name = command_id.partition("-")
    if verb == "open":
        limit = "none" if name == BANK else "debits_within_credits"
        return Command("open_account", OpenAccount(account=name, limit=limit))
    if verb == "fund":
        return _transfer(BANK, name, STARTING_BALANCE)
    if verb == "pay":
        debit, credit, amount = name.split(".")
        return _transfer(debit, credit, int(amount))
    dice = Random(command_id)
    debit, credit = dice.sample(ACCOUNTS, 2)
    amount = dice.randint(1, STARTING_BALANCE)
    return _transfer(debit, credit, TOO_MUCH if command_id == REFUSED else amount)


def _transfer(debit: str, credit: str, amount: int) -> Command:
    return Command("transfer", Transfer(debit=debit, credit=credit, amount=str(amount)))
