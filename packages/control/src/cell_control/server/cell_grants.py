"""Control grants for cells: signed once, used until they are old.

Each is bound to one tenant and one cell; only the directory of a cell needs one for every tenant.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from cell_core.wire.grants import EVERY_TENANT, LIFE_MAX_S, GrantSigner

RENEW_S: Final = 20
"""A grant lives 30 s; a request takes at most some of the rest."""

KEPT_MAX: Final = 10_000


class CellGrants:
    """Grants by cell and tenant."""

    def __init__(
        self, signer: GrantSigner, *, now_ms: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        self._signer = signer
        self._now_ms = now_ms
        self._new_id = new_id
        self._kept: OrderedDict[tuple[str, str], tuple[int, str]] = OrderedDict()

    def token(self, cell: str, tenant: str) -> str:
        """Return a token for `tenant`, or every tenant if empty, that is good for 10 s and more."""
        now_s = self._now_ms() // 1000
        kept = self._kept.get((cell, tenant))
        if kept is not None and 0 <= now_s - kept[0] < RENEW_S:
            return kept[1]
        token = self._signer.sign(
            audience=cell,
            tenant=tenant or EVERY_TENANT,
            epoch=0,
            scope="control",
            now_s=now_s,
            grant_id=self._new_id(),
            life_s=LIFE_MAX_S,
        )
        self._kept[cell, tenant] = (now_s, token)
        self._kept.move_to_end((cell, tenant))
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return token
