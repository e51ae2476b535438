"""The edge router of the local world: the real server as its own processes, and its files.

Writes the configuration, the keys and the registry that a team would write, starts
`python -m cell_router serve`, and lends API keys. Its keys are refused outside the local world.
"""

import json
import os
import secrets
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cell_core.wire.registry import CellRecord, GroupRecord, TenantRecord
from cell_core.wire.registry_keys import RegistrySigner, new_private_jwk, public_jwk
from cell_devstack.held_port import HeldPort
from cell_devstack.process import ChildProcess, PythonProgram
from cell_devstack.restorable import RestorableProcess
from cell_router.auth.api_key_file import KeyFile, with_key, write_key_file
from cell_router.auth.api_key_text import ENTROPY_BYTES, LOCAL_ENV, make_key
from cell_router.registry_publish import write_snapshot

_START_TIMEOUT_S: Final = 30.0
_REGISTRY_KID: Final = "local-world-registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSettings:
    """What a local router is started with.

    Attributes:
        workers: Processes.
        limits: Settings of `[limits]` that differ from their defaults.
        poll_s: How often the registry file is looked at.
        source: Where the registry is read instead of a file that `publish` writes.
        credential_file, registry_keys: What `source` needs, and the JWKS that it is trusted by.
        more: Lines of TOML to add: issuers, tracing, TLS.
    """

    workers: int = 2
    limits: Mapping[str, Any] = ()  # type: ignore[assignment]  # no setting is the usual case
    poll_s: float = 0.05
    success_sample: float = 0.0
    source: str = ""
    credential_file: str = ""
    registry_keys: str = ""
    listen: str = ""
    more: str = ""


class LocalRouter(RestorableProcess):
    """A running router; a context manager that ends it.

    Attributes:
        url, admin_url: Where clients and operators connect.
        api_key: May do everything for every tenant, and ask for explanations.
        rev: Of the registry that was published last.
    """

    grace_s = 40.0

    def __init__(
        self,
        folder: Path,
        grant_key: str,
        settings: RouterSettings | None = None,
        *,
        program: PythonProgram | None = None,
    ) -> None:
        """Write its files into `folder`; `grant_key` is the edge's private JWK.

        `program` is what runs instead of this interpreter's `cell_router`, such as a bundle.
        """
        self.folder = folder
        self._program = program or PythonProgram(module="cell_router", site_packages=True)
        self.settings = settings or RouterSettings()
        self._ports = HeldPort(0), HeldPort(0)
        self.port, self.admin_port = (held.port for held in self._ports)
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin_url = f"http://127.0.0.1:{self.admin_port}"
        self.log_path = folder / "router.log"
        self.rev = 0
        self._keys = KeyFile(1, [])
        self._signer = RegistrySigner(key := new_private_jwk(_REGISTRY_KID))
        folder.mkdir(parents=True, exist_ok=True)
        _write_private(folder / "grant-key.json", grant_key)
        own_keys = json.dumps({"keys": [public_jwk(key)]})
        (folder / "registry-keys.json").write_text(self.settings.registry_keys or own_keys)
        self.api_key = self.lend_key("local-world", "*", ["read", "write", "explain"])
        self.write_config()

    @property
    def config_path(self) -> Path:
        """The TOML file."""
        return self.folder / "router.toml"

    def lend_key(self, client: str, tenants: "list[str] | str", scopes: list[str]) -> str:
        """Make an API key; a running router takes it after `reload`."""
        new = make_key(LOCAL_ENV, secrets.token_bytes(ENTROPY_BYTES))
        self._keys = with_key(
            self._keys,
            new,
            client=client,
            tenants=tenants,  # type: ignore[arg-type]  # the file's reader narrows it
            scopes=scopes,
            now_s=_now_ms() // 1000,
            expires_s=None,
        )
        _write_private(self.folder / "api-keys.json", write_key_file(self._keys).decode())
        return new.text

    def publish(
        self,
        cells: Sequence[CellRecord],
        tenants: Iterable[TenantRecord],
        groups: Sequence[GroupRecord] = (),
        *,
        rev: int | None = None,
    ) -> None:
        """Write the whole registry; a running router takes it within `poll_s`."""
        self.rev = self.rev + 1 if rev is None else rev
        write_snapshot(
            self.folder / "registry.snapshot",
            rev=self.rev,
            created_ms=_now_ms(),
            cells=cells,
            groups=groups,
            tenants=tenants,
            signer=self._signer,
        )

    def reload(self) -> None:
        """Let it read its configuration again, with new workers."""
        os.kill(self.process.pid, signal.SIGHUP)

    def admin(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON that the admin listener answers at `path`; errors included."""
        try:
            with urllib.request.urlopen(self.admin_url + path, timeout=5) as answer:  # noqa: S310 - loopback
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return json.loads(error.read())

    def write_config(self, settings: RouterSettings | None = None) -> None:
        """Write the TOML file, with other settings than before if they are given."""
        self.settings = settings or self.settings
        self.config_path.write_text(_toml(self.settings, self.folder, self.port, self.admin_port))

    def _begin(self) -> ChildProcess:
        for held in self._ports:
            held.release()
        program = replace(self._program, arguments=("serve", "--config", str(self.config_path)))
        env = {"PATH": os.defpath, "HOME": str(self.folder)}
        return ChildProcess(program, env=env, cwd=self.folder, log_path=self.log_path)

    def _await_ready(self, process: ChildProcess) -> None:
        process.wait_for_answer(f"{self.admin_url}/readyz", timeout_s=_START_TIMEOUT_S)

    def _release(self) -> None:
        for held in self._ports:
            held.release()


def _toml(settings: RouterSettings, folder: Path, port: int, admin_port: int) -> str:
    limits = "\n".join(
        f"{name} = {json.dumps(value)}" for name, value in dict(settings.limits).items()
    )
    source = settings.source or (folder / "registry.snapshot").as_uri()
    credential = f'credential_file = "{settings.credential_file}"' * bool(settings.credential_file)
    return f"""
local = true

[listen]
address = "127.0.0.1"
port = {port}
workers = {settings.workers}
{settings.listen}

[admin]
port = {admin_port}

[registry]
cache = "cache"
source = "{source}"
{credential}
keys = "registry-keys.json"
poll_s = {settings.poll_s}

[grants]
key = "grant-key.json"

[api_keys]
file = "api-keys.json"

[limits]
{limits}

[log]
success_sample = {settings.success_sample}

{settings.more}
"""


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
