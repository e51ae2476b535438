"""A peer is measured only after it has shown that it does the work: each refusal, each cell."""

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import jwt

from tests.bench.router.cells import Cell, home, tenant
from tests.bench.router.jobs import Job, Work
from tests.bench.router.keys import read_grant
from tests.bench.router.material import Material, Request
from tests.bench.router.peers.peer import Peer
from tests.bench.router.upstream import ANSWERED_AS_SEEN, Upstream

_TENANTS: Final = (4, 7, 999_998, 999_999)
"""Of both cells, and from both ends of the registry."""


class DoesNotDoTheWork(RuntimeError):
    """The message says what it let pass, or whom it sent where."""


@dataclass(frozen=True, slots=True)
class Check:
    """Checks one running peer in one job."""

    peer: Peer
    job: Job
    port: int
    material: Material
    upstream: Upstream

    def run(self) -> None:
        """Return if the peer does the work. Raises `DoesNotDoTheWork`."""
        for number in _TENANTS:
            self._reaches_its_cell(tenant(number), home(number))
        if self.peer.compares:
            for what, request in self._bad_requests():
                self._refuses(what, request)

    def _reaches_its_cell(self, named: str, cell: Cell) -> None:
        request = self.material.request(self.job, self.peer.algorithm, named)
        status, raw = self._ask(replace(request, path=ANSWERED_AS_SEEN))
        if status != 200:
            raise DoesNotDoTheWork(f"{named} was answered with {status}")
        if not self.peer.compares:
            return
        seen = json.loads(raw)
        if seen["cell"] != cell.id:
            raise DoesNotDoTheWork(f"{named} came to {seen['cell']}")
        if self.job.work is Work.FULL and self.peer.grants:
            self._carries_a_grant(seen, named, cell)

    def _carries_a_grant(self, seen: dict[str, Any], named: str, cell: Cell) -> None:
        given = seen["grant"] or seen["authorization"].removeprefix("Bearer ")
        try:
            claims = read_grant(self.material.keys, given, cell.id)
        except jwt.PyJWTError as error:
            raise DoesNotDoTheWork(f"no good grant: {type(error).__name__}") from None
        if (claims["tenant"], claims["epoch"]) != (named, cell.epoch):
            raise DoesNotDoTheWork(f"a grant for {claims['tenant']} at {claims['epoch']}")
        if seen["epoch"] != str(cell.epoch):
            raise DoesNotDoTheWork(f"the epoch {seen['epoch']!r}")

    def _bad_requests(self) -> Iterator[tuple[str, Request]]:
        algorithm = self.peer.algorithm
        yield "an unknown tenant", self.material.for_unknown_tenant(self.job, algorithm)
        if self.job.work is not Work.FULL or not self.peer.grants:
            return
        good = self.material.request(self.job, algorithm, tenant(4))
        other = self.material.request(self.job, algorithm, tenant(6))
        signed, _, signature = good.token.rpartition(".")
        yield "another tenant's body", replace(good, body=other.body)
        yield (
            "another token's signature",
            replace(good, token=f"{signed}.{other.token.rpartition('.')[2]}"),
        )
        yield (
            "another token's claims",
            replace(good, token=f"{other.token.rpartition('.')[0]}.{signature}"),
        )
        yield "no token", replace(good, token="")
        expired = {"exp": 1_000_000_000}
        yield "an expired token", self.material.request(self.job, algorithm, tenant(4), **expired)
        wrong = {"aud": "others"}
        yield "another audience", self.material.request(self.job, algorithm, tenant(4), **wrong)

    def _refuses(self, what: str, request: Request) -> None:
        _, before = self.upstream.counts()
        status, _ = self._ask(request)
        _, after = self.upstream.counts()
        if not 400 <= status < 500:
            raise DoesNotDoTheWork(f"{what} was answered with {status}")
        if after != before + 1:  # To ask for the count is a request too.
            raise DoesNotDoTheWork(f"{what} was refused, but came to a cell")

    def _ask(self, request: Request) -> tuple[int, bytes]:
        connection = self._connection()
        try:
            connection.request("POST", request.path, request.body, request.headers())
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not self.job.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        context = ssl.create_default_context(cafile=str(self.material.keys.path("ca.crt")))
        context.minimum_version = ssl.TLSVersion.TLSv1_3  # Another version costs something else.
        return http.client.HTTPSConnection("localhost", self.port, timeout=10, context=context)
