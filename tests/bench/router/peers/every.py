"""Every peer, in the order of the tables."""

from collections.abc import Callable
from pathlib import Path

from tests.bench.router import installs
from tests.bench.router.peers.envoy import Envoy
from tests.bench.router.peers.haproxy import HAProxy
from tests.bench.router.peers.nginx import NginxJs, NginxLua, NginxMap, PlainNginx
from tests.bench.router.peers.ours import CompiledRouter, ThisRouter
from tests.bench.router.peers.peer import Peer
from tests.bench.router.peers.python import FastapiHttpx, StarletteAiohttp, Tutorial

UNIT = PlainNginx.name


def every_peer(folder: Path, uv: str) -> dict[str, Peer]:
    """Return the peers by their short names; what they need is installed into `folder`."""
    envoy, why_no_envoy = _installed(installs.envoy, folder / "envoy", uv)
    python, why_no_python = _installed(installs.python_peers, folder / "python", uv)
    return {
        "nginx": PlainNginx(),
        "ours": ThisRouter(),
        "compiled": CompiledRouter(uv),
        "map": NginxMap(),
        "njs": NginxJs(),
        "njs-hs256": NginxJs("HS256"),
        "lua": NginxLua(),
        "haproxy": HAProxy(),
        "haproxy-hs256": HAProxy("HS256"),
        "envoy": Envoy(envoy, why_no_envoy),
        "starlette": StarletteAiohttp(python, why_no_python),
        "fastapi": FastapiHttpx(python, why_no_python),
        "tutorial": Tutorial(python, why_no_python),
    }


def _installed(
    install: Callable[[Path, str], Path], folder: Path, uv: str
) -> tuple[Path | None, str]:
    try:
        return install(folder, uv), ""
    except installs.NotInstalled as error:
        return None, str(error)
