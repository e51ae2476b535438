"""This project's router, as it is started everywhere: one worker, one file of settings."""

import json
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version

from cell_core.wire.registry import CellRecord, TenantRecord
from cell_core.wire.registry_keys import RegistrySigner, new_private_jwk, public_jwk
from cell_core.wire.registry_snapshot import Row, seal_snapshot, tenant_row
from tests.bench.router.cells import CELLS, home, tenant
from tests.bench.router.jobs import TENANTS, Work
from tests.bench.router.keys import AUDIENCE, ISSUER
from tests.bench.router.peers.peer import Missing, Peer, Setup
from tests.bench.router.process import Program, free_port
from tools import native_router

_ALWAYS = (
    "verifies the credential and attaches a grant here too: it has no mode without (RS256, "
    "verified tokens cached; EdDSA grants, cached)"
)


class ThisRouter(Peer):
    """The router of this project; its supervisor counts too."""

    name = "this router"
    tls = True
    notes: Mapping[Work, str] = {
        Work.HEADER: _ALWAYS,
        Work.BODY: _ALWAYS,
        Work.FULL: "RS256, verified tokens cached; EdDSA grants, cached",
    }

    def version(self) -> str:
        return version("cell-router")

    def program(self, setup: Setup) -> Program:
        self._write_registry(setup)
        admin_port = free_port()
        config = setup.write("router.toml", _config(setup, admin_port))
        argv = (sys.executable, "-I", "-m", "cell_router", "serve", "--config", config)
        return Program(argv=argv, readiness_port=admin_port, start_timeout_s=60)

    def _write_registry(self, setup: Setup) -> None:
        key = new_private_jwk("registry-1")
        setup.write("registry-keys.json", json.dumps({"keys": [public_jwk(key)]}))
        with (setup.folder / "registry.snapshot").open("wb") as file:
            file.writelines(
                seal_snapshot(
                    rev=1,
                    created_ms=int(time.time() * 1000),
                    cells=_cells(setup),
                    groups=(),
                    rows=_rows(),
                    signer=RegistrySigner(key),
                )
            )


class CompiledRouter(ThisRouter):
    """The same as it is shipped with its data path compiled (docs/adr/0016)."""

    name = "this router, compiled"

    def __init__(self, uv: str) -> None:
        """Take the installer's path: the zip is built if need be."""
        self._uv = uv

    def version(self) -> str:
        if native_router.lacks():
            raise Missing(f"{native_router.lacks()}: apt-get install gcc")
        return super().version()

    def program(self, setup: Setup) -> Program:
        unpacked = setup.folder / "router"
        with zipfile.ZipFile(native_router.ensure(self._uv)) as shipped:
            shipped.extractall(unpacked)
        sources = super().program(setup)
        serve = sources.argv[sources.argv.index("serve") :]
        return replace(sources, argv=(sys.executable, "-I", "-S", unpacked, *serve))


def _cells(setup: Setup) -> list[CellRecord]:
    scheme, host = ("https", "localhost") if setup.job.tls else ("http", "127.0.0.1")
    return [
        CellRecord(
            id=cell.id,
            ordinal=cell.ordinal,
            cloud=cell.cloud,
            region=cell.region,
            base_url=f"{scheme}://{host}:{setup.cells[cell.id]}",
        )
        for cell in CELLS
    ]


def _rows() -> Iterator[Row]:
    numbers = sorted(range(TENANTS), key=str)
    return (tenant_row(TenantRecord(tenant=tenant(n), epoch=home(n).epoch)) for n in numbers)


def _config(setup: Setup, admin_port: int) -> str:
    keys = setup.keys
    tls = f"""
[listen.tls]
certificate = "{keys.path("server.crt")}"
key = "{keys.path("server.key")}"
"""
    return f"""
local = true
[listen]
address = "127.0.0.1"
port = {setup.port}
workers = 1
{tls if setup.job.tls else ""}
[admin]
port = {admin_port}
[registry]
cache = "cache"
source = "file://{setup.folder}/registry.snapshot"
keys = "registry-keys.json"
[grants]
key = "{keys.path("edge.jwk.json")}"
[cells]
ca = "{keys.path("ca.crt") if setup.job.tls else ""}"
[[issuers]]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
algorithms = ["RS256"]
jwks_file = "{keys.path("client.jwks.json")}"
[limits]
idle_ms = 3600000
upstream_idle_ms = 600000
[log]
success_sample = 0.0
"""
