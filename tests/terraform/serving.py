"""What a cell is asked that was started with Terraform's settings, and what it has to answer."""

import json
import time
import uuid
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.wire.grants import EVERY_TENANT, GrantSigner
from cell_devstack.json_client import Answer, JsonClient, ledger_command

TENANT: Final = "T-100"

SERVED: Final = {"healthz": 200, "readyz": 200, "ungranted": 401, "provision": 200, "command": 200}


class Keys:
    """The edge's key and the control plane's, under names that a deployed cell admits."""

    def __init__(self) -> None:
        self._signers = {}
        public = []
        for issuer in ("control", "edge"):
            key = Ed25519PrivateKey.generate()
            kid = {"kid": f"{issuer}-1", "iss": issuer}
            private = {**OKPAlgorithm.to_jwk(key, as_dict=True), **kid}
            self._signers[issuer] = GrantSigner(json.dumps(private), issuer=issuer)
            public.append({**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), **kid})
        self.jwks = json.dumps({"keys": public})

    def header(self, cell: str, tenant: str, epoch: int) -> dict[str, str]:
        """Return the header with a grant for `tenant`, or for the control plane if it is empty."""
        token = self._signers["edge" if tenant else "control"].sign(
            audience=cell,
            tenant=tenant or EVERY_TENANT,
            epoch=epoch if tenant else 0,
            scope="tenant" if tenant else "control",
            now_s=int(time.time()),
            grant_id=uuid.uuid4().hex,
        )
        return {"authorization": f"Bearer {token}"}


def asked(base_url: str, settings: Mapping[str, str], keys: Keys) -> dict[str, Answer]:
    """Return what a cell with `settings` answers: to nobody, to the control plane, to the edge."""
    cell, epoch = settings["CELL_ID"], int(settings["CELL_ORDINAL"])  # Its first epoch.
    control, granted = keys.header(cell, "", epoch), keys.header(cell, TENANT, epoch)
    provision = f"/v1/control/tenants/{TENANT}/provision"
    tenant = {"epoch": epoch, "stripes": 1, "role": "active"}
    opening = ledger_command(TENANT, "c-1", "open_account", {"account": "alice"})
    with JsonClient(base_url) as client:
        return {
            "healthz": client.send("GET", "/healthz", {}),
            "readyz": client.send("GET", "/readyz", {}),
            "ungranted": client.send("GET", "/v1/control/tenants", {}),
            "provision": client.send("POST", provision, control, tenant),
            "command": client.send("POST", "/process", granted, opening),
        }
