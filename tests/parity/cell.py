"""A cell that runs the corpus: fixed clock, ids and keys, and a store that falls ill on demand."""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.app import App
from cell_core.app.application import IN_FLIGHT_MAX
from cell_core.domain.canonical import canonical
from cell_core.domain.documents import Batch, Page, Snapshot
from cell_core.domain.errors import BackendError, LostRace, OutcomeUnknown, Throttled, Unavailable
from cell_core.memory import MemoryBackend
from cell_core.ports import CellStore
from cell_core.service.control import Cell
from cell_core.wire.grants import GrantSigner, GrantVerifier
from cell_core.wire.message import Request
from tests.domains_under_test import DOMAINS
from tests.parity.canned_link import CannedLink
from tests.parity.drivers import Answer, Drive
from tests.parity.steps import CELL, START_MS, Permit, Step, Trouble

ATTEMPTS_MAX: Final = 2
_REFERENCE = re.compile(r"<<([^#>]+)#([^>]*)>>")
_T = TypeVar("_T")


def _jwk(key: Any, kid: str) -> str:
    return json.dumps({**json.loads(OKPAlgorithm.to_jwk(key)), "kid": kid})


PRIVATE = {
    "tenant": Ed25519PrivateKey.from_private_bytes(b"e" * 32),
    "control": Ed25519PrivateKey.from_private_bytes(b"c" * 32),
}
ISSUER: Final = {"tenant": "edge", "control": "control"}
JWKS: Final = json.dumps(
    {
        "keys": [
            {**json.loads(_jwk(k.public_key(), scope)), "iss": ISSUER[scope]}
            for scope, k in PRIVATE.items()
        ]
    }
)
SIGNERS: Final = {
    "tenant": GrantSigner(_jwk(PRIVATE["tenant"], "tenant"), issuer="edge"),
    "control": GrantSigner(_jwk(PRIVATE["control"], "control"), issuer="control"),
    "replicate": GrantSigner(_jwk(PRIVATE["tenant"], "tenant"), issuer="edge"),
}


@cache
def signed(permit: Permit, now_s: int) -> str:
    """Return the grant that `permit` describes."""
    return SIGNERS[permit.scope].sign(
        audience=permit.audience,
        tenant=permit.tenant,
        epoch=permit.epoch,
        scope=permit.scope,
        now_s=now_s - permit.age_s,
        grant_id="g-1",
    )


class FixedClock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.time_ms = START_MS

    def now_ms(self) -> int:
        return self.time_ms


class Hasty:
    """`Patience` that waits for nothing, and not for ever."""

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        return attempt <= ATTEMPTS_MAX


class TroubledStore:
    """A store over another one that does what a `Trouble` says."""

    def __init__(self, inner: CellStore) -> None:
        self.inner = inner
        self.trouble: Trouble = ""
        self.waiting = threading.Semaphore(0)
        self.release = threading.Event()

    def read(self, partition: str, keys: Sequence[str]) -> Snapshot:
        return self._call(lambda: self.inner.read(partition, keys))

    def page(self, partition: str, prefix: str, *, after: str | None, limit: int) -> Page:
        return self._call(lambda: self.inner.page(partition, prefix, after=after, limit=limit))

    def commit(self, batch: Batch) -> None:
        if self.trouble == "contention":
            raise LostRace
        if self.trouble == "unknown":
            raise OutcomeUnknown("commit")
        self._call(lambda: self.inner.commit(batch))
        if self.trouble == "answer lost":
            self.trouble = ""
            raise OutcomeUnknown("commit")

    def ping(self) -> None:
        if self.trouble == "full":
            self.waiting.release()
            self.release.wait(10)
        else:
            self._call(self.inner.ping)

    def _call(self, work: Callable[[], _T]) -> _T:
        match self.trouble:
            case "throttled":
                raise Throttled("on purpose", retry_after_ms=2500)
            case "unavailable":
                raise Unavailable("on purpose")
            case "refused":
                raise BackendError(problem="on purpose")
            case "bug":
                raise LookupError("secret text of a bug")
            case _:
                return work()


class Played:
    """A cell over `store` behind `drive`, and the answers it has given so far, by step."""

    def __init__(self, store: CellStore, drive: Drive) -> None:
        self.clock = FixedClock()
        self._store = TroubledStore(store)
        ids = count(1)
        self.app = App(
            Cell(id=CELL, ordinal=1),
            self._store,
            DOMAINS,
            GrantVerifier(JWKS, audience=CELL),
            clock=self.clock,
            patience=Hasty(),
            new_id=lambda: f"made-{next(ids)}",
            link=CannedLink(),
        )
        self._driver = drive(self.app)
        self.answers: dict[str, Answer] = {}
        self.requests: dict[str, Request] = {}

    def play(self, steps: Iterable[Step]) -> "Played":
        """Run `steps` in order."""
        for step in steps:
            self.clock.time_ms += step.wait_ms
            self.answers[step.name] = self._run(step)
        return self

    def _run(self, step: Step) -> Answer:
        if step.method == "SWEEP":
            return Answer(step.status, {}, canonical(dict(self._driver.sweep())).encode())
        request = self.requests[step.name] = self._request(step)
        self._store.trouble = step.trouble
        try:
            if step.trouble == "full":
                with self._crowd():
                    return self._driver.send(request)
            return self._driver.send(request)
        finally:
            self._store.trouble = ""

    @contextmanager
    def _crowd(self) -> Iterator[None]:
        """Keep as many requests in flight as a cell takes."""
        request = Request(method="GET", path="/readyz", headers={"x-request-id": "crowd"})
        self._store.release.clear()
        crowd = [
            threading.Thread(target=self.app.handle, args=(request,)) for _ in range(IN_FLIGHT_MAX)
        ]
        for one in crowd:
            one.start()
        try:
            for _ in crowd:
                assert self._store.waiting.acquire(timeout=10)
            yield
        finally:
            self._store.release.set()
            for one in crowd:
                one.join(10)

    def _request(self, step: Step) -> Request:
        headers = {name: self._filled(value) for name, value in step.headers.items()}
        if step.permit is not None:
            token = step.permit
            if isinstance(token, Permit):
                token = signed(token, self.clock.time_ms // 1000)
            headers = {"authorization": f"Bearer {token}", **headers}
        body = step.body
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(self._filled(body)).encode()
        return Request(
            method=step.method,
            path=self._filled(step.path),
            query=self._filled(step.query),
            headers=headers,
            body=body or b"",
        )

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._filled(member) for member in value]
        if not isinstance(value, str) or "<<" not in value:
            return value
        whole = _REFERENCE.fullmatch(value)
        if whole:
            return self._said(whole)
        return _REFERENCE.sub(lambda match: str(self._said(match)), value)

    def _said(self, reference: re.Match[str]) -> Any:
        value = self.answers[reference[1]].json()
        for part in reference[2].strip("/").split("/"):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return value


def differences(reference: Mapping[str, Answer], other: Mapping[str, Answer]) -> list[str]:
    """Return in a line each how the answers of two cells to the same steps differ."""
    found = []
    for name in reference.keys() | other.keys():
        a, b = reference.get(name), other.get(name)
        if a is None or b is None:
            found.append(f"{name}: only one answered")
            continue
        if a.status != b.status:
            found.append(f"{name}: status {a.status}, {b.status}")
        if a.headers != b.headers:
            differing = sorted(
                h
                for h in a.headers.keys() | b.headers.keys()
                if a.headers.get(h) != b.headers.get(h)
            )
            found.append(f"{name}: headers {', '.join(differing)}")
        if a.body != b.body:
            found.append(f"{name}: body {a.body[:400]!r}, {b.body[:400]!r}")
    return sorted(found)


def state(backend: MemoryBackend) -> dict[str, Any]:
    """Return everything that the store holds; what was only looked for is not there."""
    return {
        key: (held.fence, [(one, one.tag) for one in held.documents.values()])
        for key, held in backend.partitions.items()
        if held.fence is not None or held.documents
    }
