"""Keys that the local world makes for itself at each start; they are refused anywhere else.

The edge and the control plane each have their own key, as in production. Nothing is written down.
"""

import json
import time
import uuid

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from cell_core.system import LOCAL_KID
from cell_core.wire.grants import EVERY_TENANT, GrantSigner


class LocalKeys:
    """Signs grants as the edge and the control plane do, and tells cells the public halves.

    Attributes:
        jwks: The public halves, for cells.
        edge_jwk, control_jwk: The private halves, for the router and the control plane alone.
    """

    def __init__(self) -> None:
        edge, control = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        kids = (LOCAL_KID, f"{LOCAL_KID}-control")
        self.edge_jwk = _jwk(edge, kids[0])
        self.control_jwk = _jwk(control, kids[1])
        self._edge = GrantSigner(self.edge_jwk, issuer="edge")
        self._control = GrantSigner(self.control_jwk, issuer="control")
        public = [
            {**json.loads(_jwk(edge.public_key(), kids[0])), "iss": "edge"},
            {**json.loads(_jwk(control.public_key(), kids[1])), "iss": "control"},
        ]
        self.jwks = json.dumps({"keys": public})

    def tenant_grant(self, cell: str, tenant: str, epoch: int) -> str:
        """Return a grant of the edge, good for 30 seconds."""
        return self._sign(self._edge, cell, tenant, epoch, "tenant")

    def control_grant(self, cell: str) -> str:
        """Return a grant of the control plane for every tenant, good for 30 seconds."""
        return self._sign(self._control, cell, EVERY_TENANT, 0, "control")

    @staticmethod
    def _sign(signer: GrantSigner, cell: str, tenant: str, epoch: int, scope: str) -> str:
        return signer.sign(
            audience=cell,
            tenant=tenant,
            epoch=epoch,
            scope=scope,
            now_s=int(time.time()),  # noqa: TID251 - a shell: grants are checked against this clock
            grant_id=uuid.uuid4().hex,
        )


def _jwk(key: "object", kid: str) -> str:
    made: dict[str, str] = json.loads(OKPAlgorithm.to_jwk(key))  # type: ignore[call-overload]  # both halves are taken
    return json.dumps({**made, "kid": kid})
