"""The control plane of the local world: the real server as its own process, and its files.

Writes the configuration, keys and tokens that a team would write, and starts
`python -m cell_control serve`. Its keys are refused outside the local world.
"""

import json
import os
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pydantic import TypeAdapter

from cell_control.domain.placement import recount
from cell_control.domain.records import Tenant
from cell_control.server.roles import Role
from cell_control.server.token_file import (
    NO_TOKENS,
    TEXTS,
    TokenFile,
    with_token,
    write_token_file,
)
from cell_core.wire.bearer_text import ENTROPY_BYTES, LOCAL_ENV
from cell_core.wire.registry import CellRecord
from cell_core.wire.registry_keys import new_private_jwk, public_jwk
from cell_devstack.held_port import HeldPort
from cell_devstack.json_client import Answer, JsonClient, NoAnswer
from cell_devstack.local_router import RouterSettings
from cell_devstack.process import ChildProcess, PythonProgram
from cell_devstack.restorable import RestorableProcess

_START_TIMEOUT_S: Final = 30.0
_PATIENCE_S: Final = 30.0
_POLL_S: Final = 0.02
_REGISTRY_KID: Final = "local-world-registry"
_ANSWER_S: Final = 30.0
_TENANTS: Final = TypeAdapter(list[Tenant])


class Denied(Exception):
    """The control plane said no."""

    def __init__(self, asked: str, answer: Answer) -> None:
        told: dict[str, Any] = answer.body if isinstance(answer.body, dict) else {}
        reasons = [told.get("detail", ""), *(one["text"] for one in told.get("reasons", ()))]
        super().__init__(f"{asked}: {answer.status} {answer.code} {' '.join(reasons)}".rstrip())
        self.status = answer.status
        self.code = answer.code
        self.body = answer.body


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """What a local control plane is started with.

    Attributes:
        registry_url: By default an SQLite file in its folder.
        loops: Settings of `[loops]` that differ from their defaults.
        more: Lines of TOML to add: places to publish to.
    """

    registry_url: str = "sqlite:///registry.db"
    loops: Mapping[str, Any] = ()  # type: ignore[assignment]  # no setting is the usual case
    more: str = ""


class LocalControl(RestorableProcess):
    """A running control plane; a context manager that ends it.

    Attributes:
        url: Where routers and operators connect.
        registry_keys: The JWKS that routers trust registries by.
        tokens: By role, as sent.
    """

    grace_s = 15.0

    def __init__(
        self,
        folder: Path,
        grant_key: str,
        settings: ControlSettings | None = None,
        *,
        port: int = 0,
    ) -> None:
        """Write its files into `folder`; `grant_key` is the control plane's private JWK."""
        self.folder = folder
        self.settings = settings or ControlSettings()
        self._port = HeldPort(port)
        self.url = f"http://127.0.0.1:{self._port.port}"
        self.log_path = folder / "control.log"
        folder.mkdir(parents=True, exist_ok=True)
        registry_key = new_private_jwk(_REGISTRY_KID)
        self.registry_keys = json.dumps({"keys": [public_jwk(registry_key)]})
        self.tokens: dict[Role, str] = {}
        _write_private(folder / "grant-key.json", grant_key)
        _write_private(folder / "registry-key.json", registry_key)
        _write_private(folder / "tokens.json", write_token_file(self._make_tokens()).decode())
        for role, token in self.tokens.items():
            _write_private(folder / f"{role}.token", token)
        self.config_path.write_text(_toml(self.settings, self._port.port))
        self._client = JsonClient(self.url, timeout_s=_ANSWER_S)

    @property
    def config_path(self) -> Path:
        """The TOML file."""
        return self.folder / "control.toml"

    def token_path(self, role: Role) -> Path:
        """Return a file that holds a token of `role` alone."""
        return self.folder / f"{role}.token"

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        role: Role = Role.ADMIN,
    ) -> Any:  # noqa: ANN401 - JSON
        """Return the body of what the API answers below `/v1`.

        Raises:
            Denied: It said no.
            NoAnswer: Nothing came back.
        """
        # It may be killed between two calls, so no connection outlives one.
        headers = {"authorization": f"Bearer {self.tokens[role]}", "connection": "close"}
        answer = self._client.send(method, f"/v1{path}", headers, body)
        if answer.status not in (200, 201, 202):
            raise Denied(f"{method} {path}", answer)
        return answer.body

    def declare(self, cell: CellRecord, *, tenants: int = 10_000) -> None:
        """Declare a running cell, prove it and open it for tenants."""
        body = {
            "ordinal": cell.ordinal,
            "cloud": cell.cloud,
            "region": cell.region,
            "base_url": cell.base_url,
            "grant_header": cell.grant_header,
            "capacity": {"tenants": tenants},
        }
        self.ask("PUT", f"/cells/{cell.id}", body)
        self.prove(cell.id)
        self.ask("POST", f"/cells/{cell.id}/lifecycle", {"to": "active"})

    def prove(self, cell: str) -> None:
        """Probe a cell until it is found to be sound; one that was down gets no tenants before.

        Raises:
            TimeoutError: It is not.
        """

        def is_sound() -> bool:
            return not self.ask("POST", f"/cells/{cell}/probe", {})["probe"]["problems"]

        self.until(is_sound, f"{cell} is not sound")

    def tenant(self, tenant: str) -> dict[str, Any]:
        """Return a tenant's record."""
        found: dict[str, Any] = self.ask("GET", f"/tenants/{quote(tenant)}")
        return found

    def settle(self, tenants: Collection[str], *, patience_s: float = _PATIENCE_S) -> None:
        """Return once no move of `tenants` is under way and their cells are as recorded.

        Raises:
            TimeoutError: Some are not, after `patience_s`.
        """
        for tenant in tenants:
            self.until(
                lambda tenant=tenant: _is_at_rest(self.tenant(tenant)),  # type: ignore[misc]
                f"{tenant} is not settled",
                patience_s=patience_s,
            )

    def operation(self, operation: str, *, patience_s: float = _PATIENCE_S) -> dict[str, Any]:
        """Return an operation once it has ended.

        Raises:
            TimeoutError: It has not, after `patience_s`.
        """
        ended: list[dict[str, Any]] = []

        def has_ended() -> bool:
            found = self.ask("GET", f"/operations/{operation}")
            ended[:] = [found] if found["status"] != "running" else []
            return bool(ended)

        self.until(has_ended, f"operation {operation} goes on", patience_s=patience_s)
        return ended[0]

    def members(self, operation: str) -> list[dict[str, Any]]:
        """Return what became of each tenant of an operation."""
        return self._pages(f"/operations/{operation}/members", "members")

    def tenants(self) -> list[dict[str, Any]]:
        """Return every tenant's record, in the order of their ids."""
        return self._pages("/tenants", "tenants")

    def places(self) -> dict[str, tuple[int, int]]:
        """Return how many homes and standbys each cell is said to have."""
        usages = [one["usage"] for one in self.ask("GET", "/cells")["cells"]]
        return {usage["cell"]: (usage["homes"], usage["standbys"]) for usage in usages}

    def recounted_places(self) -> dict[str, tuple[int, int]]:
        """Return the same, counted anew from the records of tenants."""
        counted = recount(_TENANTS.validate_python(self.tenants()))
        return {
            cell: (counted[cell].homes, counted[cell].standbys) if cell in counted else (0, 0)
            for cell in self.places()
        }

    def move(self, operation: str, tenants: Collection[str], dest: str, **more: Any) -> None:  # noqa: ANN401 - JSON
        """Begin to move `tenants` to the cell `dest`; `more` are other members of the request."""
        body = {"id": operation, "kind": "move", "tenants": sorted(tenants), "dest": dest, **more}
        self.ask("POST", "/operations", body)

    def verify(
        self, tenant: str, depth: str = "behaviour", *, patience_s: float = _PATIENCE_S
    ) -> dict[str, Any]:
        """Return the report of a verification of home and standby, once it is over.

        Raises:
            TimeoutError: It is not, after `patience_s`.
        """
        begun = self.ask("POST", f"/tenants/{quote(tenant)}/verify", {"depth": depth})
        path, found = f"/verifications/{begun['id']}", dict[str, Any]()

        def is_over() -> bool:
            found.update(self.ask("GET", path))
            return bool(found["status"] != "running")

        self.until(is_over, f"the verification of {tenant} goes on", patience_s=patience_s)
        return found

    def ring(self, tenants: Collection[str]) -> None:
        """Tell that the journals of `tenants` have grown; raises `OSError` if nobody hears it."""
        try:
            for part in _parts(sorted(tenants), 500):
                self.ask("POST", "/doorbells", {"tenants": part}, role=Role.CELL)
        except (NoAnswer, Denied) as error:
            raise ConnectionError(str(error)) from None

    def until(
        self, holds: Callable[[], bool], complaint: str, *, patience_s: float = _PATIENCE_S
    ) -> None:
        """Return once `holds`; an answer that does not come does not count.

        Raises:
            TimeoutError: It does not, after `patience_s`.
        """
        deadline = time.monotonic() + patience_s
        while True:
            try:
                if holds():
                    return
            except NoAnswer:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(complaint)
            time.sleep(_POLL_S)

    def feed(self, router: RouterSettings) -> RouterSettings:
        """Return `router` as the settings of one that follows this registry."""
        return replace(
            router,
            source=f"{self.url}/v1/registry",
            credential_file=str(self.token_path(Role.EDGE)),
            registry_keys=self.registry_keys,
        )

    def _pages(self, path: str, items: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.ask("GET", f"{path}?limit=1000{after}")
            found += page[items]
            if not page.get("after"):
                return found
            after = f"&after={quote(page['after'])}"

    def _make_tokens(self) -> TokenFile:
        file = NO_TOKENS
        for role in Role:
            new = TEXTS.make(LOCAL_ENV, secrets.token_bytes(ENTROPY_BYTES))
            self.tokens[role] = new.text
            file = with_token(
                file, new, name=f"local-{role}", role=role, now_s=_now_s(), expires_s=None
            )
        return file

    def _begin(self) -> ChildProcess:
        program = PythonProgram(
            module="cell_control",
            site_packages=True,
            arguments=("serve", "--config", str(self.config_path)),
        )
        env = {"PATH": os.defpath, "HOME": str(self.folder)}
        return ChildProcess(program, env=env, cwd=self.folder, log_path=self.log_path)

    def _await_ready(self, process: ChildProcess) -> None:
        process.wait_for_answer(f"{self.url}/readyz", timeout_s=_START_TIMEOUT_S)

    def _release(self) -> None:
        self._port.release()


def _is_at_rest(tenant: Mapping[str, Any]) -> bool:
    return bool(tenant.get("settled")) and tenant.get("move") is None


def _parts(items: list[str], size: int) -> list[list[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _toml(settings: ControlSettings, port: int) -> str:
    loops = "\n".join(
        f"{name} = {json.dumps(value)}" for name, value in dict(settings.loops).items()
    )
    return f"""
local = true

[listen]
address = "127.0.0.1"
port = {port}

[registry]
url = "{settings.registry_url}"

[tokens]
file = "tokens.json"

[keys]
grant = "grant-key.json"
registry = "registry-key.json"

[loops]
{loops}

{settings.more}
"""


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _now_s() -> int:
    return time.time_ns() // 1_000_000_000
