"""Drives a tenant's ledger traffic from several threads and keeps honest books about it.

Every transfer has its own id and is sent again under the same id until it is answered, as a careful
client does; what was acknowledged is remembered, so that an audit finds what was lost or doubled.
"""

import random  # noqa: TID251 - a shell: the generator is seeded by the caller
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cell_devstack.edge_client import CLOUD
from cell_devstack.json_client import Answer, NoAnswer

_LATENCIES_MAX: Final = 20_000
_GIVES_UP_AFTER_S: Final = 60.0
_PAUSE_S: Final = 0.02
_RETRY_AFTER_MAX_S: Final = 1.0
_MAY_RETRY: Final = {409, 429, 500, 502, 503, 504}
STARTING_BALANCE: Final = 1_000_000
ACCOUNTS: Final = ("alice", "bob", "carol", "dave")
BANK: Final = "bank"


class Sender(Protocol):
    """Whom the commands are sent to: the edge, or a cell past it."""

    def process(
        self, tenant: str, command_id: str, command: str, data: Mapping[str, Any]
    ) -> Answer:
        """Send one ledger command. Raises `NoAnswer`."""

    def close(self) -> None:
        """Close this thread's connection."""


@dataclass(slots=True)
class Books:
    """What was sent and what came back.

    Attributes:
        served: Answers by the cloud that gave them, as the edge says.
        retried: Requests that had to be sent again, by what was answered.
        failed: Commands that were never settled, by what was answered last.
        longest_s: The longest that one command took, until it was settled.
    """

    acknowledged: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    served: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=_LATENCIES_MAX))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def commands(self) -> int:
        """How many commands were answered."""
        return len(self.acknowledged) + len(self.rejected)

    def percentile_ms(self, share: float) -> float:
        """Return the latency that `share` of the last commands stayed below, in milliseconds."""
        with self.lock:
            ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else 0.0


class Traffic:
    """Random transfers between four accounts of one tenant.

    Each thread waits `pause_s` between two commands.
    """

    def __init__(
        self, sender: Sender, tenant: str, *, threads: int, seed: int, pause_s: float = 0.0
    ) -> None:
        self.books = Books()
        self._sender = sender
        self._tenant = tenant
        self._seed = seed
        self._pause_s = pause_s
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"{tenant}-{number}")
            for number in range(threads)
        ]

    def prepare(self) -> None:
        """Open the accounts and give each the same amount, from a bank that may go below zero."""
        for account in (BANK, *ACCOUNTS):
            limit = "none" if account == BANK else "debits_within_credits"
            self._until_answered(f"open-{account}", "open_account", account=account, limit=limit)
        for account in ACCOUNTS:
            amount = str(STARTING_BALANCE)
            self._until_answered(
                f"fund-{account}", "transfer", debit=BANK, credit=account, amount=amount
            )

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every command that is under way be answered, then end."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        generator = random.Random(self._seed * 1000 + number)  # noqa: S311 - traffic, not a secret
        count = 0
        while not self._stopped.wait(self._pause_s):
            debit, credit = generator.sample(ACCOUNTS, 2)
            amount = str(generator.randint(1, 500))
            command_id = f"t{self._seed}-{number}-{count}"
            began = time.perf_counter()
            self._until_answered(command_id, "transfer", debit=debit, credit=credit, amount=amount)
            took_s = time.perf_counter() - began
            with self.books.lock:
                self.books.latencies_s.append(took_s)
                self.books.longest_s = max(self.books.longest_s, took_s)
            count += 1
        self._sender.close()

    def _until_answered(self, command_id: str, command: str, **data: str) -> None:
        until = time.monotonic() + _GIVES_UP_AFTER_S
        while time.monotonic() < until:
            pause_s = _PAUSE_S
            try:
                answer = self._sender.process(self._tenant, command_id, command, data)
            except NoAnswer as error:
                self._note(self.books.retried, str(error))
            else:
                if answer.status not in _MAY_RETRY:
                    self._settle(command_id, answer)
                    return
                self._note(self.books.retried, answer.code or str(answer.status))
                asked_s = float(answer.headers.get("retry-after", _PAUSE_S))
                pause_s = min(asked_s, _RETRY_AFTER_MAX_S)
            time.sleep(pause_s)
        self._note(self.books.failed, "gave up")

    def _settle(self, command_id: str, answer: Answer) -> None:
        with self.books.lock:
            self.books.served[answer.headers.get(CLOUD, "")] += 1
            if answer.status == 200:
                self.books.acknowledged.add(command_id)
            elif "position" in answer.body:
                self.books.rejected.add(command_id)
            else:
                self.books.failed[answer.code or str(answer.status)] += 1

    def _note(self, counter: Counter[str], what: str) -> None:
        with self.books.lock:
            counter[what] += 1
