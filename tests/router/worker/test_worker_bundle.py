"""The bundle: what Cloudflare gets is small, complete, the same each time, and nothing else."""

import json
import statistics
import tomllib

import pytest

from tests.router.worker.edge import ALPHA_EPOCH, JSON, bearer, command, served
from tools import worker_bundle
from tools.locks import pins

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("worker_isolate")]

START_MS_MAX = 1000
"""What Cloudflare grants a Worker for its global scope."""

WARM_MS_MAX = 50
"""Of CPU, for a request whose token, route and grant are known; 3 ms on an idle machine."""


def test_it_is_within_what_the_free_plan_takes(bundle):
    assert worker_bundle.compressed_bytes(bundle) < worker_bundle.SIZE_MB_MAX * 10**6


def test_the_same_sources_give_the_same_files(bundle, tmp_path):
    worker_bundle.build(tmp_path / "again")

    def files(folder):
        return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert files(tmp_path / "again") == files(bundle)


def test_building_again_replaces_what_was_there(tmp_path):
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "stale.py").touch()

    worker_bundle.build(tmp_path / "worker")

    assert not (tmp_path / "worker" / "stale.py").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["worker"]


def test_it_holds_the_router_without_its_server(bundle):
    modules = {path.stem for path in (bundle / "src" / "cell_router").rglob("*.py")}

    assert {"decide", "edge", "exchange", "tenancy", "shell_worker"} <= modules
    assert modules.isdisjoint({"supervisor", "config", "bootstrap", "cli", "lmdb", "upstream"})
    assert {path.name for path in bundle.iterdir()} == {"python_modules", "src", "wrangler.toml"}


def test_its_settings_name_what_it_holds_and_no_secret(bundle):
    settings = tomllib.loads((bundle / "wrangler.toml").read_text())

    assert (bundle / settings["main"]).exists()
    assert "python_workers" in settings["compatibility_flags"]
    assert settings["kv_namespaces"][0]["binding"] == "REGISTRY"
    assert settings["vars"].keys() == {"SETTINGS"}
    assert '"d"' not in settings["vars"]["SETTINGS"]
    assert json.loads(settings["vars"]["SETTINGS"])


def test_its_libraries_are_those_that_the_server_tests():
    ours = pins(worker_bundle.LOCK.read_text())
    servers = pins((worker_bundle.ROOT / "requirements" / "router.txt").read_text())

    assert ours[("msgspec", "")] == servers[("msgspec", "")]


def test_the_tested_pyodide_is_the_one_that_libraries_are_built_for(pyodide):
    about = json.loads((pyodide.parent / "pyodide-lock.json").read_text())["info"]

    assert f"pyemscripten_{about['abi_version']}_{about['arch']}" == worker_bundle.PLATFORM
    assert about["python"].startswith(f"{worker_bundle.PYTHON}.")


def test_it_starts_within_what_cloudflare_grants(isolate, edge):
    isolate.begin(secrets=edge.secrets(), values={})

    assert 0 < isolate.import_ms < START_MS_MAX


def test_a_warm_request_costs_little(isolate, edge):
    isolate.begin(secrets=edge.secrets(), values=edge.snapshot({"acme": ALPHA_EPOCH}))
    headers = [JSON, bearer(edge.token())]

    cpu_ms = [
        isolate.call("POST", "/process", headers=headers, body=command(), cell=served).cpu_ms
        for _ in range(20)
    ]

    assert statistics.median(cpu_ms) < WARM_MS_MAX


def test_nothing_in_it_loads_what_a_worker_has_not(isolate, edge):
    isolate.begin(secrets=edge.secrets(), values={})

    loaded = {name.partition(".")[0] for name in isolate.run("modules()")}

    assert loaded.isdisjoint({"cryptography", "pydantic", "uvloop", "httptools", "lmdb", "redis"})
    assert "msgspec" in loaded
