"""Clients of the edge: each goes on after an answer, and repeats what was not answered for good.

A command is repeated under its command_id, as the documentation asks clients to do.
"""

import asyncio
import json
import random
import secrets
from collections import deque
from dataclasses import dataclass

from tests.router.soak.connection import Broken, Connection, get, post

ACCOUNTS = ("alice", "bob", "carol", "dave")
FUNDS = 1_000_000
OPEN_MAX = 3
PATIENCE_S = 1.0
SETTLED_MAX_S = 90.0
HOT_SHARE = 0.2
DEADLINE_MS = 1500
READ_PATH = "/v1/tenants/{}/domains/records/streams/main/entities/record.self"


@dataclass(slots=True)
class Op:
    """One operation until it is answered for good."""

    kind: str
    tenant: str
    data: bytes
    command_id: str = ""
    marker: str = ""
    due: float = 0.0


class Operations:
    """Makes operations of a seed. `markers` names what only one tenant can answer."""

    def __init__(self, tenants, key, seed, *, deadline_ms=DEADLINE_MS):
        self.markers = {tenant: secrets.token_hex(16) for tenant in tenants}
        self._tenants = list(tenants)
        self._key = key
        self._deadline_ms = deadline_ms
        self._generator = random.Random(seed)
        self._count = 0

    def prepare(self, tenant):
        """Return what a tenant begins with: its marker, and funded accounts."""
        opened = [
            {"command": "open_account", "data": {"account": name, "limit": limit}}
            for name, limit in (
                ("bank", "none"),
                *((name, "debits_within_credits") for name in ACCOUNTS),
            )
        ]
        funded = [
            {
                "command": "transfer",
                "data": {"debit": "bank", "credit": name, "amount": str(FUNDS)},
            }
            for name in ACCOUNTS
        ]
        put = {"command": "put", "data": {"id": "self", "value": self.markers[tenant]}}
        yield self._command(tenant, "ledger", {"commands": opened + funded})
        yield self._command(tenant, "records", put)

    def draw(self):
        """Return the next operation."""
        generator = self._generator
        hot = generator.random() < HOT_SHARE
        tenant = self._tenants[0] if hot else generator.choice(self._tenants)
        roll = generator.random()
        if roll < 0.3:
            data = get(READ_PATH.format(tenant), self._key, x_deadline_ms=self._deadline_ms)
            return Op("read", tenant, data, marker=self.markers[tenant])
        if roll < 0.4:
            note = {"id": f"n{generator.randrange(20)}", "value": generator.randrange(1000)}
            return self._command(tenant, "records", {"command": "put", "data": note})
        debit, credit = generator.sample(ACCOUNTS, 2)
        amount = 10**12 if roll < 0.43 else generator.randint(1, 500)
        transfer = {"debit": debit, "credit": credit, "amount": str(amount)}
        return self._command(tenant, "ledger", {"command": "transfer", "data": transfer})

    def _command(self, tenant, domain, what):
        self._count += 1
        command_id = f"c{self._count}"
        body = {"tenant_id": tenant, "domain": domain, "command_id": command_id, **what}
        raw = json.dumps(body).encode()
        path = "/process" if self._count % 2 else "/v1/commands"
        data = post(path, self._key, raw, x_deadline_ms=self._deadline_ms)
        return Op("command", tenant, data, command_id=command_id)


class Traffic:
    """`clients` connections, until as many requests were answered as were asked for.

    Each waits `pause_s` after what was answered for good.
    """

    def __init__(self, operations, books, port, *, clients, seed, pause_s=0.0):
        self._operations = operations
        self._books = books
        self._port = port
        self._clients = clients
        self._seed = seed
        self._pause_s = pause_s
        self._wanted = 0
        self._ended = float("inf")

    async def prepare(self, tenants):
        queue = deque(op for tenant in tenants for op in self._operations.prepare(tenant))
        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._client(number, queue.popleft, lambda: bool(queue)))

    async def run(self, requests):
        """Ask, and then settle what is open; it counts as wrong what cannot be settled."""
        self._wanted = requests

        def goes_on():
            loop = asyncio.get_running_loop()
            if self._books.requests < self._wanted:
                return True
            self._ended = min(self._ended, loop.time())
            return False

        async with asyncio.TaskGroup() as group:
            for number in range(self._clients):
                group.create_task(self._client(number, self._operations.draw, goes_on))

    def finish(self):
        """Ask for nothing more."""
        self._wanted = 0

    async def _client(self, number, draw, goes_on):
        generator = random.Random(f"{self._seed}-{number}")
        connection = Connection("127.0.0.1", self._port)
        loop = asyncio.get_running_loop()
        unsettled = deque()
        while goes_on() or unsettled:
            if loop.time() > self._ended + SETTLED_MAX_S:
                for op in unsettled:
                    self._books.complain(f"{op.kind} of {op.tenant} was never settled")
                break
            if unsettled and (unsettled[0].due <= loop.time()):
                op = unsettled.popleft()
            elif goes_on() and len(unsettled) < OPEN_MAX:
                op = draw()
            else:
                await asyncio.sleep(max(0.0, unsettled[0].due - loop.time()))
                continue
            pause_s = await self._send(connection, op)
            if pause_s:
                # Less patient than the edge asks for: it has to bear that.
                op.due = loop.time() + min(PATIENCE_S, pause_s) * generator.uniform(0.5, 1.0)
                unsettled.append(op)
            elif self._pause_s:
                await asyncio.sleep(self._pause_s)
        connection.close()

    async def _send(self, connection, op):
        """Send `op` once; return how long to wait before it is sent again, or 0."""
        try:
            answer = await connection.request(op.data)
        except (Broken, OSError) as broken:
            self._books.note_broken(op, type(broken).__name__)
            return PATIENCE_S
        if self._books.take(op, answer):
            return 0.0
        return float(answer.headers.get(b"retry-after", PATIENCE_S))
