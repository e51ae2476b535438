"""Files that the run reads: the registry in each peer's form, and the requests of each job.

They are made once and kept in the build folder: 50,000 signatures and a million lines take a while.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.router.cells import UNKNOWN_TENANT, home, tenant
from tests.bench.router.jobs import TENANTS, Job, Work
from tests.bench.router.keys import TOKEN_LIFE_S, Keys, client_token

_STRIDE: Final = 99_991
"""Prime to the number of tenants: tenants in turn are far apart in every registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as a client sends it."""

    tenant: str
    token: str
    body: bytes
    path: str = "/process"
    tenant_header: str | None = None

    def raw(self) -> bytes:
        """Return it as it goes over the wire."""
        lines = [f"POST {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in self.headers().items())]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def headers(self) -> dict[str, str]:
        """Return its headers; every job's requests carry the credential, whoever looks at it."""
        named = {
            "Host": "localhost",
            "User-Agent": "bench/1",
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Content-Length": str(len(self.body)),
            "Authorization": f"Bearer {self.token}",
        }
        return named | ({"X-Tenant-Id": self.tenant_header} if self.tenant_header else {})


@dataclass(frozen=True, slots=True)
class Material:
    """What lies in the build folder."""

    folder: Path
    keys: Keys

    def registry(self, name: str, line: Callable[[str, int], str]) -> Path:
        """Return the file with `line(tenant, epoch)` of each of the million tenants."""
        path = self.folder / f"registry-{TENANTS}.{name}"
        if not path.exists():
            lines = (line(tenant(n), home(n).epoch) for n in range(TENANTS))
            _write_whole(path, ("".join(lines).encode(),))
        return path

    def requests(self, job: Job, algorithm: str) -> Path:
        """Return the file of the job's requests: each a line with its length, then its bytes."""
        path = self.folder / f"requests-{job.name}-{algorithm}"
        # A token must outlive the run that reads it.
        if not path.exists() or time.time() - path.stat().st_mtime > TOKEN_LIFE_S / 2:
            raws = (request.raw() for request in self._requests(job, algorithm))
            _write_whole(path, (b"%d\n%s" % (len(raw), raw) for raw in raws))
        return path

    def _requests(self, job: Job, algorithm: str) -> Iterator[Request]:
        for index in range(job.clients):
            yield self.request(job, algorithm, tenant(index * _STRIDE % TENANTS))

    def request(self, job: Job, algorithm: str, named: str, **claims: object) -> Request:
        """Return a request of `job` for the tenant `named`."""
        return Request(
            tenant=named,
            token=client_token(self.keys, named, algorithm, int(time.time()), **claims),
            body=body(named, job.body_bytes),
            tenant_header=named if job.work is Work.HEADER else None,
        )

    def for_unknown_tenant(self, job: Job, algorithm: str) -> Request:
        """Return a request for a tenant that no registry holds."""
        return self.request(job, algorithm, UNKNOWN_TENANT)


def body(named: str, size_bytes: int) -> bytes:
    """Return a command's envelope of exactly `size_bytes`."""
    data = {"debit": "alice", "credit": "bob", "amount": "250", "memo": ""}
    envelope = {
        "tenant_id": named,
        "domain": "ledger",
        "stream": "main",
        "command": "transfer",
        "command_id": f"01JABCDEFG-{named}",
        "data": data,
    }
    missing = size_bytes - len(json.dumps(envelope))
    data["memo"] = ("invoice of the month " * (missing // 20 + 1))[:missing]
    return json.dumps(envelope).encode()


def _write_whole(path: Path, parts: Iterable[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.writelines(parts)
    partial.rename(path)
