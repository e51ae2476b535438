"""Whoever a verified credential speaks for.

Refuses to hold the credential itself: a principal may be logged and shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

from cell_core.domain.ids import is_id

SCOPES: Final = ("read", "write", "explain")
ANY_TENANT: Final = "tenants:any"
"""A scope of a credential, not of a principal: it becomes `tenants=None`."""

TENANTS_MAX: Final = 1000

_SETS: Final = {
    one: one
    for size in range(len(SCOPES) + 1)
    for one in map(frozenset, combinations(SCOPES, size))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """What a verified credential allows.

    Attributes:
        id: `key:ck_<env>_<id>` or `jwt:<issuer>#<subject>`; safe to log.
        tenants: Those it may name; None means any.
        scopes: Some of `SCOPES`.
        expires_s: Wall clock seconds; from this second on the credential is not accepted. The
            leeway of its issuer is included, so that remembered and verified anew are the same.
        tenant: The tenant of the request if nothing else names one: there is exactly one.
    """

    id: str
    tenants: frozenset[str] | None
    scopes: frozenset[str]
    expires_s: float
    tenant: str | None = field(init=False)

    def __post_init__(self) -> None:
        only = next(iter(self.tenants)) if self.tenants and len(self.tenants) == 1 else None
        object.__setattr__(self, "tenant", only)

    def may_name(self, tenant: str) -> bool:
        """Say whether a request for `tenant` is this principal's to make."""
        return self.tenants is None or tenant in self.tenants

    def may(self, scope: str) -> bool:
        """Say whether the credential holds `scope`."""
        return scope in self.scopes


def known_scopes(words: Iterable[str]) -> frozenset[str]:
    """Return those of `words` that are scopes here; equal sets are one object, for memory."""
    return _SETS[frozenset(words).intersection(SCOPES)]


def tenant_set(names: object) -> frozenset[str] | None:
    """Return the tenants that `names`, a text or a list of texts, lists; None if it is neither.

    One bad name spoils the list: a credential that is half understood is not understood.
    """
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list) or not 0 < len(listed) <= TENANTS_MAX:
        return None
    if not all(isinstance(name, str) and is_id(name) for name in listed):
        return None
    return frozenset(listed)
