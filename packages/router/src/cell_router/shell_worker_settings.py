"""The Worker's settings: one public text, two secrets; the rules that the server has at its start.

A Worker sees them only when a request comes, so a refusal is answered (503) instead of ending a
process. It names the setting and what to do, never what stands in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, cast

import msgspec
from msgspec import Meta

from cell_core.domain.canonical import parse
from cell_core.domain.errors import InvalidInput
from cell_core.domain.ids import is_id
from cell_router.auth.api_key_file import NO_KEYS, KeyFileInvalid, read_key_file
from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.issuer import Issuer
from cell_router.limits import Limits

SETTINGS_BYTES_MAX: Final = 64 * 1024
LOCAL_KID: Final = "local-world"
"""Every key that the local world makes for itself is named so; none is good for anything else."""

_Text = Annotated[str, Meta(min_length=1, max_length=1024)]
_Host = Annotated[str, Meta(pattern=r"^\.?[a-z0-9][a-z0-9.-]{0,251}\Z")]


class SettingsRefused(Exception):
    """The Worker does not serve with these settings.

    Attributes:
        setting: Which one.
        problem: What is wrong with it, without its value.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting} {problem}")
        self.setting = setting
        self.problem = problem


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closed object: a misspelt setting would otherwise silently be the default."""


class IssuerTable(_Table, frozen=True):
    """One issuer of clients' tokens; its keys stand in `jwks`, or at `jwks_url`."""

    issuer: _Text
    audience: _Text
    algorithms: Annotated[list[str], Meta(min_length=1, max_length=8)]
    jwks_url: str = ""
    jwks: dict[str, Any] | None = None
    tenant_claim: _Text = "tenant"

    def rules(self) -> Issuer:
        """Return what its tokens may say; raises ValueError."""
        return Issuer(
            issuer=self.issuer,
            audiences=frozenset({self.audience}),
            algorithms=frozenset(self.algorithms),
            tenant_claim=self.tenant_claim,
        )


class LimitTable(_Table, frozen=True):
    """See `cell_router.limits.Limits`; what is not here, Cloudflare bounds by itself."""

    request_bytes_max: Annotated[int, Meta(ge=1024, le=4_194_304)] = 65_536
    total_ms: Annotated[int, Meta(ge=50, le=60_000)] = 5000
    deadline_max_ms: Annotated[int, Meta(ge=50, le=120_000)] = 30_000

    def to_limits(self) -> Limits:
        """Return them as the exchange takes them.

        Places and bundles are off: one isolate is one of thousands, and a request may not wait for
        another's I/O there.
        """
        return Limits(
            request_bytes_max=self.request_bytes_max,
            total_s=self.total_ms / 1000,
            deadline_max_s=self.deadline_max_ms / 1000,
            cell_in_flight_max=1_000_000,
            tenant_in_flight_max=1_000_000,
            coalesce=False,
        )


class _Keys(_Table, frozen=True):
    keys: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=16)]


class _File(_Table, frozen=True):
    registry_keys: _Keys
    host_suffixes: Annotated[list[_Host], Meta(max_length=64)] = []
    issuers: Annotated[list[IssuerTable], Meta(max_length=32)] = []
    limits: LimitTable = LimitTable()
    local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings that passed every rule.

    Attributes:
        registry_keys: Public JWKs by `kid`.
        grant_key: The edge's private JWK.
        local: The local world: plain http to cells and development keys are allowed.
    """

    registry_keys: Mapping[str, Mapping[str, str]]
    grant_key: Mapping[str, str] = field(repr=False)
    api_keys: ApiKeys = field(repr=False)
    host_suffixes: tuple[str, ...]
    issuers: tuple[IssuerTable, ...]
    limits: Limits
    local: bool


def read_settings(
    settings: object, grant_key: object, api_keys: object, now_s: int
) -> WorkerSettings:
    """Return what the texts `SETTINGS`, `GRANT_KEY` and `API_KEYS` (may be missing) say.

    Raises:
        SettingsRefused: Names the setting and the rule it breaks.
    """
    file = _read_file(_text(settings, "SETTINGS"))
    if not file.issuers and api_keys is None:
        raise SettingsRefused("API_KEYS", "is missing, and SETTINGS names no issuer")
    if not file.host_suffixes and not file.local:
        raise SettingsRefused("SETTINGS.host_suffixes", "is empty: list the hosts of cells")
    _check_issuers(file)
    return WorkerSettings(
        registry_keys=_registry_keys(file),
        grant_key=_grant_key(_text(grant_key, "GRANT_KEY"), local=file.local),
        api_keys=_api_keys(api_keys, now_s, local=file.local),
        host_suffixes=tuple(file.host_suffixes),
        issuers=tuple(file.issuers),
        limits=file.limits.to_limits(),
        local=file.local,
    )


def _text(value: object, setting: str) -> bytes:
    if not isinstance(value, str) or not value:
        raise SettingsRefused(setting, "is missing")
    raw = value.encode()
    if len(raw) > SETTINGS_BYTES_MAX:
        raise SettingsRefused(setting, f"has more than {SETTINGS_BYTES_MAX} bytes")
    return raw


def _read_file(raw: bytes) -> _File:
    try:
        return msgspec.convert(parse(raw), _File)
    except InvalidInput:
        raise SettingsRefused("SETTINGS", "is not strict JSON") from None
    except msgspec.ValidationError as wrong:
        # It names the place, the types and the rule; of what stands there, nothing.
        problem, _, where = str(wrong).partition(" - at ")
        raise SettingsRefused(f"SETTINGS{where.strip('`').lstrip('$')}", problem) from None


def _check_issuers(file: _File) -> None:
    for at, table in enumerate(file.issuers):
        setting = f"SETTINGS.issuers[{at}]"
        if bool(table.jwks_url) == (table.jwks is not None):
            raise SettingsRefused(setting, "needs exactly one of jwks_url and jwks")
        if table.jwks_url and not table.jwks_url.startswith("https://"):
            raise SettingsRefused(f"{setting}.jwks_url", "must be an https:// URL")
        try:
            table.rules()
        except ValueError as wrong:
            raise SettingsRefused(setting, str(wrong)) from None
    if len({table.issuer for table in file.issuers}) != len(file.issuers):
        raise SettingsRefused("SETTINGS.issuers", "names one issuer twice")


def _registry_keys(file: _File) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for at, jwk in enumerate(file.registry_keys.keys):
        setting = f"SETTINGS.registry_keys.keys[{at}]"
        if not _is_ed25519(jwk) or "d" in jwk or jwk.get("iss") != "registry":
            raise SettingsRefused(setting, "must be a public Ed25519 JWK with registry as its iss")
        if jwk["kid"] in found:
            raise SettingsRefused(setting, "has the kid of another one")
        _refuse_development(jwk, setting, local=file.local)
        found[jwk["kid"]] = jwk
    return found


def _grant_key(raw: bytes, *, local: bool) -> Mapping[str, str]:
    try:
        jwk = parse(raw)
    except InvalidInput:
        jwk = None
    if not isinstance(jwk, dict) or not _is_ed25519(jwk) or not isinstance(jwk.get("d"), str):
        raise SettingsRefused("GRANT_KEY", "must be a private Ed25519 JWK with a kid")
    _refuse_development(jwk, "GRANT_KEY", local=local)
    return cast("dict[str, str]", jwk)


def _api_keys(value: object, now_s: int, *, local: bool) -> ApiKeys:
    if value is None:
        return ApiKeys(NO_KEYS)
    try:
        return ApiKeys(read_key_file(_text(value, "API_KEYS"), now_s), local=local)
    except KeyFileInvalid as wrong:
        where = str(wrong.fields["where"]).lstrip("$")
        raise SettingsRefused(f"API_KEYS{where}", str(wrong.fields["problem"])) from None


def _is_ed25519(jwk: Mapping[str, Any]) -> bool:
    kid = jwk.get("kid")
    is_named = isinstance(kid, str) and is_id(kid)
    return is_named and jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"


def _refuse_development(jwk: Mapping[str, Any], setting: str, *, local: bool) -> None:
    if jwk["kid"] == LOCAL_KID and not local:
        raise SettingsRefused(setting, "is a development key")
