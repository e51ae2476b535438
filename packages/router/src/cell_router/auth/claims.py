"""What a token's claims say, once its signature is right: audience, time, subject, tenants, scopes.

Refuses what it would have to guess at: a number in a text, a list where one value is meant.
"""

from collections.abc import Mapping
from typing import Any, Final

from cell_router.auth.issuer import Issuer
from cell_router.auth.principal import ANY_TENANT, Principal, known_scopes, tenant_set
from cell_router.auth.refused import EXPIRED, INVALID, AuthRefused

_SUBJECT_MAX: Final = 255


def principal_of(claims: Mapping[str, Any], rules: Issuer, now_s: int) -> Principal:
    """Return whom `claims`, signed by the issuer of `rules`, make of the caller at `now_s`.

    Raises:
        AuthRefused: `credential_invalid` or `credential_expired`.
    """
    _check_audience(claims.get("aud"), rules)
    expires_s = _check_time(claims, rules, now_s)
    words = _words(claims, rules)
    return Principal(
        id=f"jwt:{rules.issuer}#{_subject(claims)}",
        tenants=_tenants(claims, words, rules),
        scopes=known_scopes(words),
        expires_s=expires_s,
    )


def _check_audience(audience: object, rules: Issuer) -> None:
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(one, str) for one in named) or rules.audiences.isdisjoint(named):
        raise AuthRefused(INVALID, "wrong_audience")


def _check_time(claims: Mapping[str, Any], rules: Issuer, now_s: int) -> float:
    if "exp" not in claims:
        raise AuthRefused(INVALID, "no_expiry")
    # Absent ones bind nothing; a present null is none of the numbers asked for.
    times = [claims.get(name, 0) for name in ("exp", "nbf", "iat")]
    if not all(type(time_s) in (int, float) for time_s in times):
        raise AuthRefused(INVALID, "malformed_time")
    expires_s, *begins_s = times
    if max(begins_s) > now_s + rules.leeway_s:
        raise AuthRefused(INVALID, "not_yet_valid")
    until_s: float = expires_s + rules.leeway_s
    if now_s >= until_s:
        raise AuthRefused(EXPIRED, "token_expired")
    return until_s


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT_MAX:
        raise AuthRefused(INVALID, "malformed_subject")
    # It goes into log lines; a line break would forge one.
    if not (subject.isascii() and subject.isprintable()):
        raise AuthRefused(INVALID, "malformed_subject")
    return subject


def _words(claims: Mapping[str, Any], rules: Issuer) -> frozenset[str]:
    said = claims.get(rules.scope_claim)
    if rules.scope_claim not in claims:
        return rules.scopes_if_absent
    words = said.split(" ") if isinstance(said, str) else said
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise AuthRefused(INVALID, "malformed_scope")
    return frozenset(words)


def _tenants(
    claims: Mapping[str, Any], words: frozenset[str], rules: Issuer
) -> frozenset[str] | None:
    if rules.any_tenant and ANY_TENANT in words:
        return rules.tenants
    if rules.tenant_claim not in claims:
        raise AuthRefused(INVALID, "no_tenant")
    named = tenant_set(claims[rules.tenant_claim])
    if named is None:
        raise AuthRefused(INVALID, "malformed_tenant")
    if rules.tenants is not None and not named <= rules.tenants:
        raise AuthRefused(INVALID, "tenant_of_another_issuer")
    return named
