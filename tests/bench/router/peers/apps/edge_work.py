"""The edge's work for peers in Python: what is cached here, every peer may cache."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import jwt
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

CACHED_MAX = 100_000
GRANT_LIFE_S = 30
GRANT_SPARE_S = 5


class Refused(Exception):
    """The request is answered with `status` and goes nowhere."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Edge:
    """Finds the cell of a request and says which headers it gets."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.work = settings["work"]
        self._settings = settings
        self._cells = {int(ordinal): cell for ordinal, cell in settings["cells"].items()}
        self._registry = read_registry(settings["registry"])
        # Prepared once: the library parses a key given as text at every use.
        self._client_key = RSAAlgorithm(RSAAlgorithm.SHA256).prepare_key(settings["client_key"])
        self._edge_key = OKPAlgorithm().prepare_key(settings["edge_key"])
        self._verified: dict[str, dict[str, Any]] = {}
        self._grants: dict[str, tuple[int, float, str]] = {}

    def route(
        self, tenant_header: str | None, body: bytes, authorization: str | None
    ) -> tuple[str, dict[str, str]]:
        """Return the cell's URL and the headers of the request to it."""
        tenant = tenant_header if self.work == "header" else tenant_in(body)
        if self.work == "full" and self._claims(authorization)["tenant"] != tenant:
            raise Refused(403)
        if not isinstance(tenant, str):
            raise Refused(400)
        epoch = self._registry.get(tenant)
        if epoch is None:
            raise Refused(404)
        cell = self._cells[epoch % 16]
        headers = {"content-type": "application/json", "x-tenant-epoch": str(epoch)}
        if self.work == "full":
            headers["authorization"] = "Bearer " + self._grant(tenant, epoch, cell["id"])
        return cell["url"], headers

    def _claims(self, authorization: str | None) -> dict[str, Any]:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer":
            raise Refused(401)
        known = self._verified.get(token)
        if known is not None and known["exp"] > time.time():
            return known
        try:
            claims = jwt.decode(
                token,
                self._client_key,
                algorithms=["RS256"],
                audience=self._settings["audience"],
                issuer=self._settings["issuer"],
            )
        except jwt.PyJWTError:
            raise Refused(401) from None
        if len(self._verified) >= CACHED_MAX:
            self._verified.clear()
        self._verified[token] = claims
        return claims

    def _grant(self, tenant: str, epoch: int, cell: str) -> str:
        now = time.time()
        known = self._grants.get(tenant)
        if known is not None and known[0] == epoch and known[1] > now:
            return known[2]
        claims = {
            "iss": "edge",
            "aud": cell,
            "tenant": tenant,
            "epoch": epoch,
            "scope": "tenant",
            "iat": int(now),
            "exp": int(now) + GRANT_LIFE_S,
            "jti": f"{time.monotonic_ns()}",
        }
        kid = {"kid": self._settings["kid"]}
        token = jwt.encode(claims, self._edge_key, algorithm="EdDSA", headers=kid)
        if len(self._grants) >= CACHED_MAX:
            self._grants.clear()
        self._grants[tenant] = (epoch, now + GRANT_LIFE_S - GRANT_SPARE_S, token)
        return token


def tenant_in(body: bytes) -> Any:
    """Return the body's tenant."""
    try:
        return json.loads(body).get("tenant_id")
    except (ValueError, AttributeError):
        raise Refused(400) from None


def read_registry(path: str) -> dict[str, int]:
    """Return the epoch of each tenant."""
    with Path(path).open() as lines:
        return {tenant: int(epoch) for tenant, epoch in map(str.split, lines)}


def read_settings() -> dict[str, Any]:
    """Return the settings that the benchmark wrote."""
    settings: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return settings
