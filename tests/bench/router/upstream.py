"""Both cells: one nginx worker that answers the same to everybody, and counts connections."""

import http.client
import json
import os
import re
from pathlib import Path
from typing import Final

from tests.bench.router.cells import CELLS, Cell
from tests.bench.router.keys import Keys
from tests.bench.router.process import Program, Running, found, free_port

ANSWERED_AS_FIXED: Final = "/process"
ANSWERED_AS_SEEN: Final = "/v1/commands"
"""Answers with what arrived: the check of a peer's work asks here."""

_CHAIN: Final = "9af3c1d2e4b5a69788796a5b4c3d2e1f0a1b2c3d4e5f60718293a4b5c6d7e8f9"


class Upstream:
    """The running cells."""

    def __init__(self, folder: Path, keys: Keys, cores: str | None) -> None:
        """Start them; raises `DidNotStart` without nginx."""
        self.ports = {cell.id: free_port() for cell in CELLS}
        self.tls_ports = {cell.id: free_port() for cell in CELLS}
        status_port = free_port()
        config = folder / "nginx.conf"
        config.write_text(self._config(keys, status_port))
        argv = (found("nginx") or "nginx", "-e", "stderr", "-p", folder, "-c", config)
        self._process = Running(Program(argv=argv), folder, cores=cores)
        try:
            self._process.wait_for_port(status_port, timeout_s=10)
        except BaseException:
            self._process.end()
            raise
        self._status = http.client.HTTPConnection("127.0.0.1", status_port, timeout=5)

    def ports_for(self, *, tls: bool) -> dict[str, int]:
        """Return the port of each cell."""
        return self.tls_ports if tls else self.ports

    def counts(self) -> tuple[int, int]:
        """Return how many connections were accepted and how many requests were served, ever."""
        self._status.request("GET", "/")
        text = self._status.getresponse().read().decode()
        accepted, _handled, requests = map(int, re.findall(r"\d+", text.splitlines()[2]))
        return accepted, requests

    def close(self) -> None:
        """End them."""
        self._status.close()
        self._process.end()

    def _config(self, keys: Keys, status_port: int) -> str:
        servers = "".join(self._server(cell, keys) for cell in CELLS)
        return f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
  uwsgi_temp_path tmp; scgi_temp_path tmp;
  client_body_buffer_size 64k;
  keepalive_timeout 1h; keepalive_requests 1000000000; tcp_nodelay on;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate {keys.path("server.crt")}; ssl_certificate_key {keys.path("server.key")};
  {servers}
  server {{ listen 127.0.0.1:{status_port}; stub_status; }}
}}
"""

    def _server(self, cell: Cell, keys: Keys) -> str:
        return f"""
  server {{
    listen 127.0.0.1:{self.ports[cell.id]} backlog=1024;
    listen 127.0.0.1:{self.tls_ports[cell.id]} backlog=1024 ssl;
    default_type application/json;
    add_header x-cell {cell.id};
    location = {ANSWERED_AS_FIXED} {{
      add_header x-cell {cell.id};
      add_header x-tenant-epoch {cell.epoch};
      add_header x-tenant-seq 42;
      add_header x-tenant-chain {_CHAIN};
      add_header etag '"42"';
      add_header cache-control no-store;
      add_header x-request-id 0197f3a2-7c4e-7b1a-9f00-8a1b2c3d4e5f;
      return 200 '{_answer()}';
    }}
    location = {ANSWERED_AS_SEEN} {{
      return 200 '{{"cell": "{cell.id}", "authorization": "$http_authorization",
        "grant": "$http_x_cell_grant", "epoch": "$http_x_tenant_epoch",
        "bytes": "$content_length"}}';
    }}
  }}
"""


def _answer() -> str:
    """Return the answer of a cell to an applied command; about 300 bytes."""
    return json.dumps(
        {
            "status": "applied",
            "tenant_id": "T-100",
            "domain": "ledger",
            "stream": "main",
            "command_id": "01JABCDEFG-T-100",
            "position": {"stripe": 0, "seq": 42, "chain": _CHAIN},
            "events": [{"id": "42.0", "type": "ledger.transferred.v1", "data": {"amount": "250"}}],
            "replayed": False,
        }
    )
