"""Fills a tenant through the edge: accounts in batches, transfers in bundles."""

import random
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rich.progress import Progress

from cell_devstack.json_client import JsonClient, NoAnswer

BATCH = 20
BUNDLE = 30
THREADS = 4
ATTEMPTS_MAX = 50
BANK = "bank"


class NotFilled(Exception):
    """The edge went on refusing what fills a tenant."""


class Filler:
    """Sends what fills tenants; safe to share between threads."""

    def __init__(self, url: str, api_key: str, progress: Progress) -> None:
        self._client = JsonClient(url, timeout_s=30.0)
        self._key = {"x-api-key": api_key}
        self._progress = progress

    def fill(self, tenant: str, *, accounts: int, events: int) -> None:
        """Open `accounts`, each one event, then make transfers up to `events` in all."""
        task = self._progress.add_task(f"filling {tenant}", total=events)
        self._send("/process", _opening(tenant, 0, [BANK], limit="none"))
        names = [f"a{number}" for number in range(accounts - 1)]
        parts = [names[at : at + BATCH] for at in range(0, len(names), BATCH)]
        openings = (_opening(tenant, n, part) for n, part in enumerate(parts, start=1))
        self._all("/process", openings, task, each=BATCH)
        self._all("/v1/bundle", _transfers(tenant, names, events - accounts), task, each=BUNDLE)
        self._progress.remove_task(task)

    def _all(self, path: str, bodies: Iterator[dict[str, Any]], task: Any, *, each: int) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            # At most so many are made before they are sent.
            for group in _groups(bodies, 64):
                for _ in pool.map(lambda body: self._send(path, body), group):
                    self._progress.advance(task, each)

    def _send(self, path: str, body: Mapping[str, Any]) -> None:
        code = ""
        for _ in range(ATTEMPTS_MAX):
            try:
                answer = self._client.send("POST", path, self._key, body)
            except NoAnswer as silence:
                code = str(silence)
                continue
            if answer.status == 200 and _all_done(answer.body):
                return
            code = answer.code or str(answer.status)
        raise NotFilled(f"{path}: {code}")


def _all_done(body: Any) -> bool:
    results = body.get("results", []) if isinstance(body, dict) else []
    return all(result["status"] < 409 for result in results)


def _opening(tenant: str, number: int, names: Sequence[str], limit: str = "none") -> dict[str, Any]:
    return {
        "tenant_id": tenant,
        "domain": "ledger",
        "command_id": f"open-{number}",
        "commands": [
            {"command": "open_account", "data": {"account": name, "limit": limit}} for name in names
        ],
    }


def _transfers(tenant: str, names: Sequence[str], count: int) -> Iterator[dict[str, Any]]:
    generator = random.Random(7)
    for first in range(0, count, BUNDLE):
        numbers = range(first, min(first + BUNDLE, count))
        yield {"envelopes": [_transfer(tenant, names, generator, n) for n in numbers]}


def _transfer(
    tenant: str, names: Sequence[str], generator: random.Random, number: int
) -> dict[str, Any]:
    debit, credit = generator.sample(names, 2)
    return {
        "tenant_id": tenant,
        "domain": "ledger",
        "command": "transfer",
        "command_id": f"fill-{number}",
        "data": {"debit": debit, "credit": credit, "amount": str(1 + number % 97)},
    }


def _groups(items: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
