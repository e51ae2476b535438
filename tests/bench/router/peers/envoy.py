"""Envoy: its JWT and JSON filters, then Lua for the registry and the grant."""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.bench.router.cells import CELLS
from tests.bench.router.jobs import Work
from tests.bench.router.keys import AUDIENCE, EDGE_KID, ISSUER, SECRET
from tests.bench.router.peers.peer import Missing, Peer, Setup
from tests.bench.router.process import Program

_CONF: Final = Path(__file__).with_name("conf")
_TYPES: Final = "type.googleapis.com/envoy.extensions"
_HTTP: Final = f"{_TYPES}.filters.http"


class Envoy(Peer):
    """One worker thread; its binary comes as a Python package, into the build folder."""

    name = "Envoy with Lua"
    notes: Mapping[Work, str] = {
        Work.HEADER: "the registry is a Lua table, once for each of its threads",
        Work.BODY: "the registry is a Lua table, once for each of its threads",
        Work.FULL: "RS256, verified tokens cached; grants with HMAC in plain Lua, cached: its Lua "
        "has no cryptography to sign with; the registry is a Lua table, once for each thread",
    }

    def __init__(self, installed: Path | None, why_missing: str = "") -> None:
        """Take the folder in which the package is; None if it could not be had."""
        self._installed = installed
        self._why_missing = why_missing

    def version(self) -> str:
        done = subprocess.run(
            [self._binary(), "--version"], capture_output=True, text=True, check=True
        )
        told = re.search(r"/(\d+\.\d+\.\d+)/", done.stdout)
        return told[1] if told else "unknown"

    def program(self, setup: Setup) -> Program:
        config = setup.write("envoy.json", json.dumps(self._config(setup)))
        argv = (
            *(self._binary(), "--config-path", config, "--concurrency", "1"),
            *("--disable-hot-restart", "--log-level", "error"),
        )
        return Program(argv=argv, start_timeout_s=120)

    def _binary(self) -> Path:
        if self._installed is None:
            raise Missing(self._why_missing)
        return self._installed / "envoy" / "_bin" / "envoy"

    def _config(self, setup: Setup) -> dict[str, Any]:
        return {
            "static_resources": {
                "listeners": [
                    {
                        "address": _address(setup.port),
                        "filter_chains": [{"filters": [_connections(setup)]}],
                    }
                ],
                "clusters": [_cluster(cell.ordinal, setup.cells[cell.id]) for cell in CELLS],
            }
        }


def _connections(setup: Setup) -> dict[str, Any]:
    filters = {
        Work.HEADER: [_lua(setup)],
        Work.BODY: [_json(), _lua(setup)],
        Work.FULL: [_jwt(setup), _json(), _lua(setup)],
    }
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_HTTP}.router.v3.Router"},
    }
    routes = [
        {
            "match": {
                "prefix": "/",
                "headers": [{"name": "x-edge-cell", "string_match": {"exact": f"{cell.ordinal}"}}],
            },
            "route": {"cluster": f"cell_{cell.ordinal}", "timeout": "5s"},
            "request_headers_to_remove": ["x-edge-cell"],
        }
        for cell in CELLS
    ]
    # Before Lua has spoken there is a route already, else the filters would not run at all.
    routes.append({"match": {"prefix": "/"}, "direct_response": {"status": 404}})
    manager = "envoy.filters.network.http_connection_manager"
    return {
        "name": manager,
        "typed_config": {
            "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "edge",
            "codec_type": "HTTP1",
            "generate_request_id": False,
            "route_config": {
                "virtual_hosts": [{"name": "edge", "domains": ["*"], "routes": routes}]
            },
            "http_filters": [*filters[setup.job.work], router],
        },
    }


def _jwt(setup: Setup) -> dict[str, Any]:
    provider = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": setup.keys.text("client.jwks.json")},
        "forward": True,
        "payload_in_metadata": "claims",
        "jwt_cache_config": {"jwt_cache_size": 100_000},
    }
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": f"{_HTTP}.jwt_authn.v3.JwtAuthentication",
            "providers": {"clients": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "clients"}}],
        },
    }


def _json() -> dict[str, Any]:
    tenant = {"metadata_namespace": "edge", "key": "tenant"}
    rule = {"selectors": [{"key": "tenant_id"}], "on_present": tenant}
    return {
        "name": "envoy.filters.http.json_to_metadata",
        "typed_config": {
            "@type": f"{_HTTP}.json_to_metadata.v3.JsonToMetadata",
            "request_rules": {"rules": [rule]},
        },
    }


def _lua(setup: Setup) -> dict[str, Any]:
    registry = setup.material.registry("txt", lambda named, epoch: f"{named} {epoch}\n")
    cells = ", ".join(f'[{cell.ordinal}] = "{cell.id}"' for cell in CELLS)
    settings = (
        f'local settings = {{ work = "{setup.job.work}", registry = "{registry}", '
        f'secret = "{SECRET}", kid = "{EDGE_KID}", cells = {{ {cells} }} }}\n'
    )
    code = settings + (_CONF / "envoy.lua").read_text()
    return {
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": f"{_HTTP}.lua.v3.Lua",
            "default_source_code": {"inline_string": code},
        },
    }


def _cluster(ordinal: int, port: int) -> dict[str, Any]:
    name = f"cell_{ordinal}"
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
