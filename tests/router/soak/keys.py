"""Keys of an edge and a control plane, as the router, its cells and the movers need them."""

import json
import time
import uuid

from cell_core.wire.grants import EVERY_TENANT, GrantSigner
from cell_core.wire.registry_keys import new_private_jwk


class SoakKeys:
    """Signs as `cell_devstack.local_keys` does, and lets the edge's key be rotated."""

    def __init__(self):
        self.edge = new_private_jwk("local-world")
        self._control = new_private_jwk("local-world-control")
        self._signers = {
            "edge": GrantSigner(self.edge, issuer="edge"),
            "control": GrantSigner(self._control, issuer="control"),
        }

    @property
    def jwks(self):
        """What a cell trusts."""
        return self.jwks_with()

    def jwks_with(self, *more_edge_keys):
        edges = [public(key, "edge") for key in (self.edge, *more_edge_keys)]
        return json.dumps({"keys": [*edges, public(self._control, "control")]})

    def tenant_grant(self, cell, tenant, epoch):
        return self._sign("edge", cell, tenant, epoch, "tenant")

    def control_grant(self, cell):
        return self._sign("control", cell, EVERY_TENANT, 0, "control")

    def _sign(self, issuer, cell, tenant, epoch, scope):
        return self._signers[issuer].sign(
            audience=cell,
            tenant=tenant,
            epoch=epoch,
            scope=scope,
            now_s=int(time.time()),
            grant_id=uuid.uuid4().hex,
        )


def public(private_jwk, issuer):
    raw = json.loads(private_jwk)
    return {name: raw[name] for name in ("kty", "crv", "x", "kid")} | {"iss": issuer}
