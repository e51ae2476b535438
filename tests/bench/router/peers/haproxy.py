"""HAProxy: its own converters do all of the work; there is no code."""

import base64
import re
import subprocess
from typing import Final

from tests.bench.router.cells import CELLS
from tests.bench.router.jobs import Work
from tests.bench.router.keys import AUDIENCE, EDGE_KID, ISSUER, SECRET
from tests.bench.router.peers.peer import Missing, Peer, Setup
from tests.bench.router.process import Program, found

_HEAD: Final = (
    base64.urlsafe_b64encode(f'{{"alg":"HS256","kid":"{EDGE_KID}","typ":"JWT"}}'.encode())
    .decode()
    .rstrip("=")
)
_BAD_TENANT: Final = "http-request deny deny_status 400 unless { var(txn.tenant) -m found }"


class HAProxy(Peer):
    """One thread, connections to cells shared and kept."""

    tls = True

    def __init__(self, algorithm: str = "RS256") -> None:
        """Let clients' tokens be signed with `algorithm`."""
        self.algorithm = algorithm
        self.name = f"HAProxy ({algorithm})" if algorithm != "RS256" else "HAProxy"
        if algorithm != "RS256":
            self.work = frozenset({Work.FULL})
        self.notes = {
            Work.FULL: f"verifies {algorithm} at every request and signs every grant anew, with "
            "HMAC: it has no cache for either and signs with no private key"
        }

    def version(self) -> str:
        path = found("haproxy")
        if path is None:
            raise Missing("Debian: apt-get install haproxy")
        done = subprocess.run([path, "-v"], capture_output=True, text=True, check=True)
        told = re.search(r"version (\S+)", done.stdout)
        return told[1] if told else "unknown"

    def program(self, setup: Setup) -> Program:
        work = {Work.HEADER: self._header, Work.BODY: self._body, Work.FULL: self._full}
        rules = "\n  ".join([*work[setup.job.work](setup), *self._to_cell(setup)])
        keys = setup.keys
        bind = f"ssl crt {keys.path('server.both.pem')}" if setup.job.tls else ""
        to = f"ssl verify required ca-file {keys.path('ca.crt')} sni str(localhost)"
        backends = "".join(
            f"""
backend cell_{cell.ordinal}
  http-reuse always
  server cell 127.0.0.1:{setup.cells[cell.id]} pool-purge-delay 1h {to if setup.job.tls else ""}
"""
            for cell in CELLS
        )
        config = setup.write(
            "haproxy.cfg",
            f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option http-keep-alive
  timeout client 1h
  timeout server 5s
  timeout connect 1s
  timeout http-keep-alive 1h
frontend edge
  bind 127.0.0.1:{setup.port} backlog 1024 {bind}
  {rules}
  use_backend cell_%[var(txn.epoch),mod(16)]
{backends}""",
        )
        return Program(argv=(found("haproxy") or "haproxy", "-f", config))

    def _header(self, setup: Setup) -> list[str]:
        return ["http-request set-var(txn.tenant) req.hdr(x-tenant-id)", _BAD_TENANT]

    def _body(self, setup: Setup) -> list[str]:
        return [
            "option http-buffer-request",
            "http-request set-var(txn.tenant) req.body,json_query('$.tenant_id')",
            _BAD_TENANT,
        ]

    def _full(self, setup: Setup) -> list[str]:
        key = SECRET if self.algorithm == "HS256" else setup.keys.path("client.pub.pem")
        token = "http_auth_bearer,"
        signed = (
            f"{{ {token}jwt_header_query('$.alg') -m str {self.algorithm} }} "
            f'{{ {token}jwt_verify("{self.algorithm}","{key}") -m int 1 }}'
        )
        meant = (
            f"{{ {token}jwt_payload_query('$.iss') -m str {ISSUER} }} "
            f"{{ {token}jwt_payload_query('$.aud') -m str {AUDIENCE} }}"
        )
        return [
            *self._body(setup),
            f"http-request deny deny_status 401 unless {signed} {meant}",
            f"http-request set-var(txn.exp) {token}jwt_payload_query('$.exp','int')",
            "http-request set-var(txn.now) date",
            "http-request deny deny_status 401 if { var(txn.exp),sub(txn.now) -m int le 0 }",
            f"http-request set-var(txn.allowed) {token}jwt_payload_query('$.tenant')",
            "http-request deny deny_status 403 unless { var(txn.allowed),strcmp(txn.tenant) eq 0 }",
        ]

    def _to_cell(self, setup: Setup) -> list[str]:
        registry = setup.material.registry("haproxy", lambda named, epoch: f"{named} {epoch}\n")
        rules = [
            f"http-request set-var(txn.epoch) var(txn.tenant),map_str_int({registry})",
            "http-request deny deny_status 404 unless { var(txn.epoch) -m found }",
            "http-request set-header X-Tenant-Epoch %[var(txn.epoch)]",
        ]
        return rules + (self._grant() if setup.job.work is Work.FULL else [])

    def _grant(self) -> list[str]:
        names = " ".join(
            f"http-request set-var(txn.cell) str({cell.id}) "
            f"if {{ var(txn.epoch),mod(16) eq {cell.ordinal} }}\n "
            for cell in CELLS
        )
        claims = (
            '{"iss":"edge","aud":"%[var(txn.cell)]","tenant":"%[var(txn.tenant)]",'
            '"epoch":%[var(txn.epoch)],"scope":"tenant","iat":%[date],"exp":%[date(30)],'
            '"jti":"%[uuid]"}'
        )
        secret = base64.b64encode(SECRET.encode()).decode()
        return [
            names.rstrip(),
            f"http-request set-var-fmt(txn.claims) '{claims}'",
            "http-request set-var(txn.claims) var(txn.claims),ub64enc",
            f"http-request set-var-fmt(txn.signed) '{_HEAD}.%[var(txn.claims)]'",
            f'http-request set-var(txn.sign) var(txn.signed),hmac(sha256,"{secret}"),ub64enc',
            "http-request set-header Authorization 'Bearer %[var(txn.signed)].%[var(txn.sign)]'",
        ]
