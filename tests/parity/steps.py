"""One step of the corpus: a request, what the cell must answer, and what ails it meanwhile.

Refuses to compute an expectation: statuses and codes are written down with each step.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from cell_core.wire.grants import EVERY_TENANT

CELL: Final = "cell-1"
EPOCH: Final = 17
"""Owned by the cell with ordinal 1, as is 33; 18 is not."""

START_MS: Final = 1_700_000_000_000

Trouble: TypeAlias = Literal[
    "", "throttled", "unavailable", "refused", "unknown", "answer lost", "contention", "bug", "full"
]
TROUBLES: Final = ("throttled", "unavailable", "refused", "unknown", "contention", "bug", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """What the grant of a step says; it is signed when the step is run."""

    tenant: str
    scope: Literal["tenant", "control", "replicate"] = "tenant"
    epoch: int = EPOCH
    audience: str = CELL
    age_s: int = 0


CONTROL: Final = Permit(tenant=EVERY_TENANT, scope="control", epoch=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request and its answer.

    A text `<<name#/a/0>>` in path, query, headers or body stands for a value in the answer of the
    earlier step `name`.

    Attributes:
        method: `SWEEP` stands for the timer.
        body: JSON, or bytes that are sent as they are.
        permit: Whose grant is sent: None for none, a text for that text.
        code: Of the problem; empty for a 200.
        results: Status and code of each result of a bundle.
        trouble: What ails the store, or the cell, during this step only.
        wait_ms: How much time passes before it.
    """

    name: str
    method: str
    path: str
    status: int
    code: str = ""
    query: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    permit: Permit | str | None = None
    results: tuple[tuple[int, str], ...] = ()
    trouble: Trouble = ""
    wait_ms: int = 0


Commanded: TypeAlias = Callable[..., Step]


def envelope(name: str, tenant: str, domain: str, **fields: Any) -> dict[str, Any]:
    """Return an envelope whose command_id is `name`, unless `fields` say otherwise."""
    return {"tenant_id": tenant, "domain": domain, "command_id": name, **fields}


def commands(tenant: str, domain: str) -> Commanded:
    """Return what makes steps of one command each, or of a list of pairs for a batch."""

    def command(
        name: str,
        command: str | Sequence[tuple[str, Any]],
        data: Any,
        status: int = 200,
        code: str = "",
        *,
        path: str = "/process",
        headers: Mapping[str, str] | None = None,
        trouble: Trouble = "",
        epoch: int = EPOCH,
        wait_ms: int = 0,
        **fields: Any,
    ) -> Step:
        asked: dict[str, Any] = {"command": command, "data": data}
        if not isinstance(command, str):
            asked = {"commands": [{"command": name, "data": each} for name, each in command]}
        return post(
            name,
            path,
            envelope(name, tenant, domain, **asked) | fields,
            status,
            code,
            permit=Permit(tenant=tenant, epoch=epoch),
            headers=headers or {},
            trouble=trouble,
            wait_ms=wait_ms,
        )

    return command


def post(name: str, path: str, body: Any, status: int = 200, code: str = "", **more: Any) -> Step:
    """Return a POST of JSON."""
    headers = {"content-type": "application/json", **more.pop("headers", {})}
    return Step(
        name=name,
        method="POST",
        path=path,
        status=status,
        code=code,
        body=body,
        headers=headers,
        **more,
    )


def bundle(name: str, tenant: str, results: tuple[tuple[int, str], ...], *members: Any) -> Step:
    """Return a bundle of `members` that is answered 200."""
    return post(
        name,
        "/v1/bundle",
        {"envelopes": list(members)},
        results=results,
        permit=Permit(tenant=tenant),
    )


def get(name: str, path: str, status: int = 200, code: str = "", **more: Any) -> Step:
    """Return a GET; `path` may hold a query."""
    path, _, query = path.partition("?")
    return Step(name=name, method="GET", path=path, status=status, code=code, query=query, **more)


def reads(tenant: str, domain: str, stream: str = "main") -> Commanded:
    """Return what makes steps that read a stream of `tenant`; the path begins behind the stream."""
    base = f"/v1/tenants/{tenant}/domains/{domain}/streams/{stream}"

    def read(name: str, rest: str, status: int = 200, code: str = "", **more: Any) -> Step:
        permit = more.pop("permit", Permit(tenant=tenant))
        return get(name, f"{base}{rest}", status, code, permit=permit, **more)

    return read


def control(tenant: str) -> Commanded:
    """Return what makes control calls for `tenant`; without a body it is a GET."""
    base = f"/v1/control/tenants/{tenant}"

    def call(
        name: str, rest: str, body: Any = None, status: int = 200, code: str = "", **more: Any
    ) -> Step:
        more.setdefault("permit", CONTROL)
        if body is None:
            return get(name, f"{base}{rest}", status, code, **more)
        return post(name, f"{base}{rest}", body, status, code, **more)

    return call


def provision(tenant: str, **fields: Any) -> Step:
    """Return the step that makes `tenant` in the cell, active at `EPOCH` unless said otherwise."""
    body = {"epoch": EPOCH, **fields}
    return post(
        f"{tenant}.provision", f"/v1/control/tenants/{tenant}/provision", body, permit=CONTROL
    )
