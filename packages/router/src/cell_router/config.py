"""The one TOML file: what may be configured, within which bounds, and what is refused at start.

Every number has its unit in its name and a bound; an unknown setting is refused, because a
misspelt limit would otherwise silently be the default. Refuses to open any file but its own.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cell_core.domain.ids import ID_PATTERN
from cell_router.auth.issuer import Issuer
from cell_router.config_findings import ConfigError, Finding, findings_of
from cell_router.limits import Limits

CONFIG_BYTES_MAX: Final = 32 * 1024
"""A worker gets the text through a pipe, which holds 64 KiB without a reader."""

_HOST = r"^\.?[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9-]{1,63}){0,8}$"
_SOURCES: Final = ("file", "http", "https", "redis", "rediss", "s3", "az")
_PLAIN_SOURCES: Final = ("http", "redis")
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

Port = Annotated[int, Field(ge=0, le=65535)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]
OptionalText = Annotated[str, Field(max_length=1024)]
Host = Annotated[str, Field(pattern=_HOST, max_length=253)]
Claim = Annotated[str, Field(pattern="^[A-Za-z0-9_.:/-]{1,128}$")]
Scope = Annotated[str, Field(pattern="^[a-z:]{1,32}$")]
Tenant = Annotated[str, Field(pattern=ID_PATTERN)]
Algorithm = Annotated[str, Field(pattern="^((RS|PS|ES)(256|384|512)|EdDSA)$")]


class Section(BaseModel):
    """A table of the file: closed, and strict about types."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class ListenTls(Section):
    """PEM files: the certificate with its chain, and its key."""

    certificate: Text
    key: Text


class Listen(Section):
    """Where clients connect.

    Attributes:
        workers: Processes; 0 for one a core.
        behind_tls: An ingress in front ends TLS, so that plain http is right here.
        drain_delay_s: Between "not ready" and the end of accepting, for load balancers to notice.
        drain_max_s: What requests in flight get at a stop or reload.
    """

    address: Text = "0.0.0.0"  # noqa: S104 - an edge is there to be reached
    port: Port = 8443
    workers: int = Field(default=0, ge=0, le=256)
    tls: ListenTls | None = None
    behind_tls: bool = False
    drain_delay_s: float = Field(default=0.0, ge=0, le=120)
    drain_max_s: float = Field(default=30.0, gt=0, le=300)


class Admin(Section):
    """Where operators and probes connect; never reachable for clients."""

    address: Text = "127.0.0.1"
    port: Port = 9090


class RegistrySettings(Section):
    """Where the registry comes from, and where its last good state is kept.

    Attributes:
        cache: A folder of this router's own.
        source: `file://`, `https://`, `rediss://`, `s3://bucket/key` or `az://container/key`.
        keys: JWKS file with the public keys that sign registries.
        credential_file: Holds the source's bearer token or password, where it needs one.
        age_max_s: An older registry still serves; `/readyz` and the metrics say so.
    """

    cache: Text
    source: Text
    keys: Text
    credential_file: OptionalText = ""
    age_max_s: int = Field(default=86_400, ge=1, le=31_536_000)
    poll_s: float = Field(default=5.0, ge=0.05, le=3600)


class Grants(Section):
    """The edge's own key: a private JWK with a `kid`."""

    key: Text


class Cells(Section):
    """Which hosts may be cells.

    Attributes:
        host_suffixes: `.example.com` for every host below it, `a.example.com` for that one.
        ca: PEM file of the authorities that cells' certificates come from; empty: the system's.
        resolve_s: How often a cell's name is resolved again.
    """

    host_suffixes: tuple[Host, ...] = Field(default=(), max_length=64, strict=False)
    ca: OptionalText = ""
    resolve_s: float = Field(default=30.0, ge=1, le=3600)


class IssuerSettings(Section):
    """One issuer of tokens; its keys come from a URL or a file. See `cell_router.auth.issuer`."""

    issuer: Text
    audience: Text
    algorithms: tuple[Algorithm, ...] = Field(min_length=1, max_length=8, strict=False)
    jwks_url: OptionalText = ""
    jwks_file: OptionalText = ""
    tenant_claim: Claim = "tenant"
    scope_claim: Claim = "scope"
    scopes_if_absent: tuple[Scope, ...] = Field(default=(), max_length=8, strict=False)
    tenants: tuple[Tenant, ...] = Field(default=(), max_length=1000, strict=False)
    any_tenant: bool = False
    leeway_s: int = Field(default=30, ge=0, le=120)

    def to_issuer(self) -> Issuer:
        """Return it as the authenticator takes it; no `tenants` are all that a token names."""
        return Issuer(
            issuer=self.issuer,
            audiences=frozenset({self.audience}),
            algorithms=frozenset(self.algorithms),
            tenant_claim=self.tenant_claim,
            scope_claim=self.scope_claim,
            scopes_if_absent=frozenset(self.scopes_if_absent),
            tenants=frozenset(self.tenants) or None,
            any_tenant=self.any_tenant,
            leeway_s=self.leeway_s,
        )


class ApiKeys(Section):
    """The file of hashed API keys."""

    file: Text


class LimitSettings(Section):
    """What one worker allows; see `cell_router.limits.Limits`."""

    request_bytes_max: int = Field(default=65_536, ge=1024, le=4_194_304)
    total_ms: int = Field(default=5000, ge=50, le=60_000)
    deadline_max_ms: int = Field(default=30_000, ge=50, le=120_000)
    connect_ms: int = Field(default=1000, ge=10, le=30_000)
    cell_in_flight_max: int = Field(default=256, ge=1, le=10_000)
    tenant_in_flight_max: int = Field(default=32, ge=1, le=10_000)
    queue_ms: int = Field(default=50, ge=0, le=5000)
    queue_max: int = Field(default=1000, ge=0, le=100_000)
    tenant_rate_per_s: float = Field(default=0.0, ge=0, le=1_000_000)
    tenant_burst: int = Field(default=100, ge=1, le=1_000_000)
    coalesce: bool = True
    head_ms: int = Field(default=10_000, ge=100, le=120_000)
    body_ms: int = Field(default=10_000, ge=100, le=120_000)
    idle_ms: int = Field(default=75_000, ge=100, le=3_600_000)
    connections_max: int = Field(default=20_000, ge=1, le=500_000)
    upstream_idle_ms: int = Field(default=30_000, ge=100, le=600_000)
    upstream_connections_max: int = Field(default=512, ge=1, le=10_000)

    def to_limits(self) -> Limits:
        """Return them as the data path takes them."""
        return Limits(
            request_bytes_max=self.request_bytes_max,
            total_s=self.total_ms / 1000,
            deadline_max_s=self.deadline_max_ms / 1000,
            connect_s=self.connect_ms / 1000,
            cell_in_flight_max=self.cell_in_flight_max,
            tenant_in_flight_max=self.tenant_in_flight_max,
            queue_s=self.queue_ms / 1000,
            queue_max=self.queue_max,
            tenant_rate=self.tenant_rate_per_s,
            tenant_burst=self.tenant_burst,
            coalesce=self.coalesce,
            head_s=self.head_ms / 1000,
            body_s=self.body_ms / 1000,
            idle_s=self.idle_ms / 1000,
            connections_max=self.connections_max,
            upstream_idle_s=self.upstream_idle_ms / 1000,
            upstream_connections_max=self.upstream_connections_max,
        )


class Tracing(Section):
    """Where spans go, as OTLP over HTTP; nowhere while `endpoint` is empty."""

    endpoint: OptionalText = ""
    sample_ratio: float = Field(default=0.01, ge=0, le=1)


class Log(Section):
    """The access log; failures are always in it."""

    success_sample: float = Field(default=0.01, ge=0, le=1)


class Settings(Section):
    """The whole file."""

    local: bool = False
    listen: Listen = Listen()
    admin: Admin = Admin()
    registry: RegistrySettings
    grants: Grants
    cells: Cells = Cells()
    issuers: tuple[IssuerSettings, ...] = Field(default=(), max_length=32, strict=False)
    api_keys: ApiKeys | None = None
    limits: LimitSettings = LimitSettings()
    tracing: Tracing = Tracing()
    log: Log = Log()


@dataclass(frozen=True, slots=True)
class Config:
    """Settings that passed every rule which needs no other file.

    Attributes:
        text: The file as it was read, for the workers of this generation.
        folder: What relative paths in it begin at: the folder of the file.
    """

    settings: Settings
    text: str
    folder: Path

    def path(self, setting: str) -> Path:
        """Return the file that `setting` names."""
        return self.folder / setting

    @classmethod
    def parse(cls, text: str, folder: Path) -> Self:
        """Return the configuration in `text`.

        Raises:
            ConfigError: Names each setting that is wrong, and what to do.
        """
        if len(text.encode()) > CONFIG_BYTES_MAX:
            raise ConfigError([Finding("the file", f"must have at most {CONFIG_BYTES_MAX} bytes")])
        try:
            settings = Settings.model_validate(_toml(text))
        except ValidationError as invalid:
            raise ConfigError(findings_of(invalid, _names())) from None
        refused = list(_refusals(settings))
        if refused:
            raise ConfigError(refused)
        return cls(settings, text, folder)


def load(path: Path) -> Config:
    """Return the configuration in the file at `path`.

    Raises:
        ConfigError: It cannot be read, or names each setting that is wrong, and what to do.
    """
    try:
        with path.open("rb") as file:
            text = file.read(CONFIG_BYTES_MAX + 1).decode()
    except (OSError, UnicodeDecodeError) as wrong:
        message = f"cannot be read ({type(wrong).__name__}): name a UTF-8 file with --config"
        raise ConfigError([Finding("the file", message)]) from None
    return Config.parse(text, path.parent)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        # The library's message quotes the text, which may be a secret; its place does not.
        line = getattr(wrong, "lineno", None)
        where = f" at line {line}" if line else ""
        raise ConfigError([Finding("the file", f"is not TOML{where}: correct it")]) from None


def _names() -> dict[str, list[str]]:
    """Return the settings that exist, by table."""
    found: dict[str, list[str]] = {"": list(Settings.model_fields)}
    tables: dict[str, type[Section]] = {
        "listen": Listen,
        "listen.tls": ListenTls,
        "admin": Admin,
        "registry": RegistrySettings,
        "grants": Grants,
        "cells": Cells,
        "issuers": IssuerSettings,
        "api_keys": ApiKeys,
        "limits": LimitSettings,
        "tracing": Tracing,
        "log": Log,
    }
    return found | {name: list(table.model_fields) for name, table in tables.items()}


def _refusals(settings: Settings) -> Iterator[Finding]:
    """Yield what security.md refuses at start and a look at the settings alone can tell."""
    yield from _source(settings)
    if len({issuer.issuer for issuer in settings.issuers}) < len(settings.issuers):
        yield Finding("issuers", "names one issuer twice: merge the two tables")
    for place, issuer in enumerate(settings.issuers):
        yield from _issuer(issuer, f"issuers[{place}]", local=settings.local)
    if not settings.issuers and settings.api_keys is None:
        yield Finding("issuers", "and api_keys are both missing: name at least one of them")
    yield from _tracing(settings)
    if settings.local:
        return
    if settings.listen.tls is None and not settings.listen.behind_tls:
        yield Finding("listen.tls", "is missing: add it, or say listen.behind_tls = true")
    if not settings.cells.host_suffixes:
        yield Finding("cells.host_suffixes", "is empty: list the hosts that may be cells")


def _source(settings: Settings) -> Iterator[Finding]:
    url = _split(settings.registry.source)
    if url is None or url.scheme not in _SOURCES:
        known = ", ".join(f"{scheme}://" for scheme in _SOURCES)
        yield Finding("registry.source", f"must begin with one of {known}")
        return
    if url.password or (url.username and url.scheme in {"http", "https"}):
        yield Finding("registry.source", "holds a secret: move it to registry.credential_file")
    if url.scheme in _PLAIN_SOURCES and not settings.local:
        yield Finding("registry.source", f"is plain: use {url.scheme}s:// outside the local world")


def _issuer(issuer: IssuerSettings, place: str, *, local: bool) -> Iterator[Finding]:
    if bool(issuer.jwks_url) == bool(issuer.jwks_file):
        yield Finding(place, "needs exactly one of jwks_url and jwks_file")
    if issuer.jwks_url:
        yield from _https(issuer.jwks_url, f"{place}.jwks_url", local=local)


def _tracing(settings: Settings) -> Iterator[Finding]:
    endpoint = settings.tracing.endpoint
    if not endpoint:
        return
    url = _split(endpoint)
    beside = url is not None and url.hostname in _LOOPBACK  # A collector beside the router.
    yield from _https(endpoint, "tracing.endpoint", local=settings.local or beside)


def _https(text: str, setting: str, *, local: bool) -> Iterator[Finding]:
    url = _split(text)
    if url is None or url.scheme not in {"http", "https"} or not url.hostname:
        yield Finding(setting, "must be an https:// URL with a host")
    elif url.username is not None or url.password is not None:
        yield Finding(setting, "must not hold a user or a password: remove them")
    elif url.scheme == "http" and not local:
        yield Finding(setting, "is plain http: use https:// outside the local world")


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None
