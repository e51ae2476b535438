"""nginx: as a plain proxy (the unit of every table), with a map, with njs and with Lua."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import ClassVar, Final

from tests.bench.router.cells import AWS, CELLS
from tests.bench.router.jobs import TENANTS, Work
from tests.bench.router.keys import AUDIENCE, EDGE_KID, ISSUER, SECRET
from tests.bench.router.peers.peer import Missing, Peer, Setup
from tests.bench.router.process import Program, found

_CONF: Final = Path(__file__).with_name("conf")
_EPOCH: Final = "proxy_set_header X-Tenant-Epoch $epoch;"
_HOW: Final = "Debian: apt-get install nginx-light libnginx-mod-http-js libnginx-mod-http-lua"


class _Nginx(Peer):
    """One worker, keep-alive on both sides, no log."""

    modules: ClassVar[tuple[str, ...]] = ()

    def version(self) -> str:
        return _version(self.modules)

    def program(self, setup: Setup) -> Program:
        return _program(setup, self.modules, http=self.http(setup), server=self.server(setup))

    def http(self, setup: Setup) -> str:
        """Return what this peer adds to the block `http`."""
        return ""

    def server(self, setup: Setup) -> str:
        """Return what this peer adds to the block `server`."""
        raise NotImplementedError


class PlainNginx(_Nginx):
    """Passes everything to one cell and looks at nothing."""

    name = "nginx, plain proxy_pass"
    tls = True
    compares = False
    notes: Mapping[Work, str] = dict.fromkeys(Work, "does none of the work: the unit")

    def server(self, setup: Setup) -> str:
        return f"location / {{ {_pass(setup, f'cell_{AWS.ordinal}')} }}"


class NginxMap(_Nginx):
    """Finds the cell by a map; needs no code, and can do no more."""

    name = "nginx, map"
    work = frozenset({Work.HEADER})
    notes: Mapping[Work, str] = {}

    def http(self, setup: Setup) -> str:
        return _map(setup, "$http_x_tenant_id")

    def server(self, setup: Setup) -> str:
        return f"""
    location / {{
      if ($epoch = "") {{ return 404; }}
      {_pass(setup, "$cell", _EPOCH)}
    }}"""


class NginxJs(_Nginx):
    """njs reads the body and the credential; nginx's own map is the registry."""

    modules = ("ngx_http_js_module.so",)

    def __init__(self, algorithm: str = "RS256") -> None:
        """Let clients' tokens be signed with `algorithm`."""
        self.algorithm = algorithm
        self.name = f"nginx + njs ({algorithm})" if algorithm != "RS256" else "nginx + njs"
        if algorithm != "RS256":
            self.work = frozenset({Work.FULL})
        self.notes = {
            Work.FULL: f"verifies {algorithm} at every request and signs every grant anew, with "
            "HMAC: this njs has no Ed25519 and keeps nothing from one request to the next"
        }

    def http(self, setup: Setup) -> str:
        setup.write("edge.js", (_CONF / "edge.js").read_text())
        return f"""
  js_import edge from {setup.folder}/edge.js;
  js_var $tenant; js_var $grant;
  {_map(setup, "$tenant")}"""

    def server(self, setup: Setup) -> str:
        full = setup.job.work is Work.FULL
        handler = f"full{self.algorithm}" if full else setup.job.work
        grant = 'proxy_set_header Authorization "Bearer $grant";' if full else ""
        spki = "".join(setup.keys.text("client.pub.pem").splitlines()[1:-1])
        return f"""
    set $issuer "{ISSUER}"; set $audience "{AUDIENCE}"; set $kid "{EDGE_KID}";
    set $secret "{SECRET}"; set $spki "{spki}";
    location / {{ js_content edge.{handler}; }}
    location @cell {{ {_pass(setup, "$cell", _EPOCH + grant)} }}"""


class NginxLua(_Nginx):
    """LuaJIT with OpenSSL through its FFI; a shared dict is the registry."""

    name = "nginx + Lua"
    modules = ("ndk_http_module.so", "ngx_http_lua_module.so")
    tls = True
    notes: Mapping[Work, str] = {
        Work.FULL: "RS256, verified tokens cached; EdDSA grants, cached (OpenSSL through FFI)"
    }

    def http(self, setup: Setup) -> str:
        setup.write("edge.lua", (_CONF / "edge.lua").read_text())
        keys = setup.keys
        cells = ", ".join(f'[{cell.ordinal}] = "{cell.id}"' for cell in CELLS)
        return f"""
  lua_package_path "{setup.folder}/?.lua;;";
  lua_shared_dict registry {max(TENANTS // 4_000, 32)}m;
  init_by_lua_block {{
    edge = require "edge"
    edge.start {{
      registry = "{setup.material.registry("txt", _text)}",
      client_key = "{keys.path("client.pub.pem")}", edge_key = "{keys.path("edge.pem")}",
      issuer = "{ISSUER}", audience = "{AUDIENCE}", kid = "{EDGE_KID}", cells = {{ {cells} }},
    }}
  }}"""

    def server(self, setup: Setup) -> str:
        return f"""
    location / {{
      set $cell "";
      access_by_lua_block {{ edge.{setup.job.work}() }}
      {_pass(setup, "$cell")}
    }}"""


def _pass(setup: Setup, cell: str, headers: str = "") -> str:
    tls = f"""
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {setup.keys.path("ca.crt")};
      proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_protocols TLSv1.2 TLSv1.3;"""
    return f"""
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host localhost;
      {headers} {tls if setup.job.tls else ""}
      proxy_pass {"https" if setup.job.tls else "http"}://{cell};"""


def _map(setup: Setup, source: str) -> str:
    registry = setup.material.registry("map", lambda named, epoch: f"{named} {epoch};\n")
    cells = " ".join(f"{cell.epoch} cell_{cell.ordinal};" for cell in CELLS)
    return f"""
  map_hash_max_size {TENANTS * 2}; map_hash_bucket_size 128;
  map {source} $epoch {{ default ""; include {registry}; }}
  map $epoch $cell {{ {cells} }}"""


def _text(named: str, epoch: int) -> str:
    return f"{named} {epoch}\n"


def _program(setup: Setup, modules: tuple[str, ...], *, http: str, server: str) -> Program:
    keys = setup.keys
    upstreams = "".join(
        f"""
  upstream cell_{cell.ordinal} {{
    server 127.0.0.1:{setup.cells[cell.id]};
    keepalive 256; keepalive_requests 1000000000; keepalive_timeout 1h;
  }}"""
        for cell in CELLS
    )
    tls = (
        # This nginx's own default ends at 1.2; all peers shall speak 1.3.
        f"ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {keys.path('server.crt')}; "
        f"ssl_certificate_key {keys.path('server.key')};"
    )
    config = setup.write(
        "nginx.conf",
        f"""
{"".join(f"load_module {_modules_path()}/{module};" for module in modules)}
{"user root;" if os.geteuid() == 0 else ""}
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
  uwsgi_temp_path tmp; scgi_temp_path tmp;
  client_body_buffer_size 64k; client_max_body_size 64k;
  keepalive_timeout 1h; keepalive_requests 1000000000; tcp_nodelay on;
  {upstreams}
  {http}
  server {{
    listen 127.0.0.1:{setup.port} backlog=1024 {"ssl" if setup.job.tls else ""};
    {tls if setup.job.tls else ""}
    {server}
  }}
}}
""",
    )
    argv = (found("nginx") or "nginx", "-e", "stderr", "-p", setup.folder, "-c", config)
    return Program(argv=argv)


@cache
def _build() -> str:
    path = found("nginx")
    if path is None:
        raise Missing(_HOW)
    done = subprocess.run([path, "-V"], capture_output=True, text=True, check=True)
    return done.stderr


def _modules_path() -> str:
    told = re.search(r"--modules-path=(\S+)", _build())
    return told[1] if told else "modules"


@cache
def _version(modules: tuple[str, ...]) -> str:
    told = re.search(r"nginx version: nginx/(\S+)", _build())
    for module in modules:
        if not Path(_modules_path(), module).exists():
            raise Missing(_HOW)
    if "ngx_http_lua_module.so" in modules:
        _try_lua(modules)
    return told[1] if told else "unknown"


def _try_lua(modules: tuple[str, ...]) -> None:
    """See that the Lua libraries are there too."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(
            "".join(f"load_module {_modules_path()}/{module};" for module in modules)
            + "pid nginx.pid; events {} http { access_log off; init_by_lua_block {"
            ' require "cjson.safe" require "resty.lrucache" } }'
        )
        argv = [found("nginx") or "nginx", "-t", "-e", "stderr", "-p", folder, "-c", str(config)]
        if subprocess.run(argv, capture_output=True, check=False).returncode:
            raise Missing(f"{_HOW} lua-cjson lua-resty-lrucache")
