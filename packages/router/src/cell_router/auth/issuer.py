"""What the configuration says of one issuer of tokens, and what a token may never change."""

from dataclasses import dataclass
from typing import Final

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Signatures with a public key only: a shared secret or none at all cannot be configured."""

LEEWAY_MAX_S: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer, and for whom it may speak.

    Attributes:
        issuer: Equals the claim `iss`, byte for byte.
        audiences: A token's `aud` must name one of them.
        algorithms: Those its keys may be used with; some of `ALGORITHMS`.
        tenant_claim: Holds a tenant or a list of tenants.
        scope_claim: Holds scopes: words in one text, or a list of texts.
        scopes_if_absent: The scopes of a token without that claim.
        tenants: The tenants it may speak for; None means each that it names.
        any_tenant: Whether the scope `tenants:any` means anything if this issuer grants it.
        leeway_s: By how much its clock and ours may differ.
    """

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str]
    tenant_claim: str = "tenant"
    scope_claim: str = "scope"
    scopes_if_absent: frozenset[str] = frozenset()
    tenants: frozenset[str] | None = None
    any_tenant: bool = False
    leeway_s: int = 30

    def __post_init__(self) -> None:
        """Refuse what would verify nothing.

        Raises:
            ValueError: Names the setting, not its value.
        """
        if not self.issuer:
            raise ValueError("issuer: must not be empty")
        if not self.audiences or "" in self.audiences:
            raise ValueError("audience: at least one, and none of them empty")
        if not self.algorithms or not self.algorithms <= set(ALGORITHMS):
            raise ValueError(f"algorithms: one or more of {', '.join(ALGORITHMS)}")
        if not 0 <= self.leeway_s <= LEEWAY_MAX_S:
            raise ValueError(f"leeway_s: from 0 to {LEEWAY_MAX_S}")
        if not self.tenant_claim or not self.scope_claim:
            raise ValueError("tenant_claim and scope_claim: must not be empty")
