"""A steady load on one tenant, and when each of its writes was acknowledged by which cloud."""

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Self

from cell_devstack.edge_client import CLOUD, EdgeClient
from cell_devstack.json_client import NoAnswer


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One write: when its answer came, on the monotonic clock, and from where."""

    at_s: float
    cloud: str


class Steady:
    """Clients that each write, wait and write again; none sends anything a second time.

    Attributes:
        failed: What was answered instead of 200, by code.
        ids: The commands that were acknowledged.
    """

    def __init__(
        self, client: EdgeClient, tenant: str, *, clients: int, pause_s: float, mark: str
    ) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.ids: list[str] = []
        self.failed: Counter[str] = Counter()
        self.longest_s = 0.0
        self._client = client
        self._tenant = tenant
        self._pause_s = pause_s
        self._mark = mark
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number,)) for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def stopped_ms(self, since: int) -> float:
        """Return how long no write was acknowledged, at the one change of cloud since a count.

        From the last answer of the cloud that had it to the first of the one that has it now.
        """
        with self._lock:
            seen = sorted(self.acknowledged[since:], key=lambda one: one.at_s)
        if not seen:
            return float("nan")
        old = seen[0].cloud
        first_new = next((one.at_s for one in seen if one.cloud != old), float("nan"))
        last_old = max(one.at_s for one in seen if one.cloud == old)
        return (first_new - last_old) * 1000

    def count(self) -> int:
        """Return how many writes were acknowledged so far."""
        with self._lock:
            return len(self.acknowledged)

    def _run(self, number: int) -> None:
        count = 0
        while not self._stopped.wait(self._pause_s):
            count += 1
            command_id = f"{self._mark}-{number}-{count}"
            data = {"debit": f"a{number}", "credit": f"a{number + 1}", "amount": "1"}
            began = time.monotonic()
            try:
                answer = self._client.process(self._tenant, command_id, "transfer", data)
            except NoAnswer as silence:
                with self._lock:
                    self.failed[str(silence)] += 1
                continue
            at_s = time.monotonic()
            with self._lock:
                self.longest_s = max(self.longest_s, at_s - began)
                if answer.status == 200:
                    self.ids.append(command_id)
                    cloud = answer.headers.get(CLOUD, "")
                    self.acknowledged.append(Acknowledged(at_s, cloud))
                else:
                    self.failed[answer.code or str(answer.status)] += 1
        self._client.close()
