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

from cell_control.server.config_findings import ConfigError, Finding, findings_of
from cell_core.domain.ids import ID_PATTERN

CONFIG_BYTES_MAX: Final = 64 * 1024

_HOST = r"^\.?[a-z0-9]([a-z0-9-]{0,62})(\.[a-z0-9-]{1,63}){0,8}$"
_REGISTRIES: Final = ("sqlite", "postgresql")
TARGETS: Final = ("file", "s3", "az", "redis", "rediss", "kv")

Port = Annotated[int, Field(ge=0, le=65535)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]
OptionalText = Annotated[str, Field(max_length=1024)]
Host = Annotated[str, Field(pattern=_HOST, max_length=253)]
Name = Annotated[str, Field(pattern=ID_PATTERN)]


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
    """Where routers, cells and operators connect.

    Attributes:
        behind_tls: An ingress in front ends TLS, so that plain http is right here.
        stop_s: What requests in flight and a cut-over under way get at a stop.
    """

    address: Text = "127.0.0.1"
    port: Port = 9443
    tls: ListenTls | None = None
    behind_tls: bool = False
    connections_max: int = Field(default=2000, ge=16, le=100_000)
    stop_s: float = Field(default=5.0, ge=0.5, le=60)


class RegistrySettings(Section):
    """Where the registry is kept.

    Attributes:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user@host/name`.
        password_file: Holds the database's password, where it needs one; never in the URL.
    """

    url: Text
    password_file: OptionalText = ""


class Tokens(Section):
    """The file of hashed tokens; see `cell_control.server.token_file`."""

    file: Text


class Keys(Section):
    """Private JWKs, each with a `kid`: one signs grants, the other the registry."""

    grant: Text
    registry: Text


class Cells(Section):
    """Which hosts may be cells.

    Attributes:
        host_suffixes: `.example.com` for every host below it, `a.example.com` for that one.
        ca: PEM file of the authorities that cells' certificates come from; empty: the system's.
    """

    host_suffixes: tuple[Host, ...] = Field(default=(), max_length=64, strict=False)
    ca: OptionalText = ""
    connections_max: int = Field(default=64, ge=1, le=512)


class Publish(Section):
    """One place that routers read the registry from.

    Attributes:
        url: `file:///path`, `s3://bucket/key`, `az://container/key`, `rediss://host/0` or
            `kv://account/namespace`.
        credential_file: Holds the place's password or token, where it needs one.
        every_s: At most one publication in this time.
        snapshot_s: How old the snapshot of a place with a feed (redis, kv) may become.
        options: What obstore would else read from the environment.
    """

    name: Name
    url: Text
    credential_file: OptionalText = ""
    ca: OptionalText = ""
    every_s: float = Field(default=5.0, ge=0.05, le=3600)
    snapshot_s: float = Field(default=60.0, ge=0.05, le=86_400)
    options: dict[str, Text] = Field(default={}, max_length=32)


class Loops(Section):
    """What this process does beside answering.

    Attributes:
        run: Whether it moves, replicates and publishes at all; one that only answers scales reads.
        movers_max, followers_max: At work at a time.
        sweep_s: How often all open tenants are looked for, whatever was missed.
        probe_s: How often each cell is probed; one not probed for 15 min gets no tenants.
        tidy_s: How often each cell's directory is compared with the registry.
        keep_s: How long an old home that is no standby is kept behind a move, before it is dropped.
        share, shares: This process follows the tenants whose hash falls to its share.
    """

    run: bool = True
    movers_max: int = Field(default=64, ge=1, le=1000)
    followers_max: int = Field(default=16, ge=1, le=1000)
    campaigns_max: int = Field(default=8, ge=1, le=100)
    sweep_s: float = Field(default=3.0, ge=0.05, le=300)
    probe_s: float = Field(default=60.0, ge=1, le=600)
    tidy_s: float = Field(default=3600.0, ge=0.1, le=86_400)
    keep_s: float = Field(default=86_400.0, ge=0.05, le=30 * 86_400)
    share: int = Field(default=0, ge=0, le=255)
    shares: int = Field(default=1, ge=1, le=256)


class Settings(Section):
    """The whole file."""

    local: bool = False
    listen: Listen = Listen()
    registry: RegistrySettings
    tokens: Tokens
    keys: Keys
    cells: Cells = Cells()
    publish: tuple[Publish, ...] = Field(default=(), max_length=16, strict=False)
    loops: Loops = Loops()


@dataclass(frozen=True, slots=True)
class Config:
    """Settings that passed every rule which needs no other file.

    Attributes:
        folder: What relative paths in it begin at: the folder of the file.
    """

    settings: Settings
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
            raise ConfigError(findings_of(invalid)) from None
        refused = list(_refusals(settings))
        if refused:
            raise ConfigError(refused)
        return cls(settings, folder)


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
    return Config.parse(text, path.absolute().parent)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        # The library's message quotes the text, which may be a secret; its place does not.
        line = getattr(wrong, "lineno", None)
        where = f" at line {line}" if line else ""
        raise ConfigError([Finding("the file", f"is not TOML{where}: correct it")]) from None


def _refusals(settings: Settings) -> Iterator[Finding]:
    """Yield what security.md refuses at start and a look at the settings alone can tell."""
    yield from _registry(settings)
    names = [target.name for target in settings.publish]
    if len(set(names)) < len(names):
        yield Finding("publish", "names one target twice: give each a name of its own")
    for place, target in enumerate(settings.publish):
        yield from _target(target, f"publish[{place}]", local=settings.local)
    if settings.loops.share >= settings.loops.shares:
        yield Finding("loops.share", "must be less than loops.shares")
    if settings.local:
        return
    if settings.listen.tls is None and not settings.listen.behind_tls:
        yield Finding("listen.tls", "is missing: add it, or say listen.behind_tls = true")
    if not settings.cells.host_suffixes:
        yield Finding("cells.host_suffixes", "is empty: list the hosts that may be cells")


def _registry(settings: Settings) -> Iterator[Finding]:
    url = _split(settings.registry.url)
    if url is None or url.scheme.partition("+")[0] not in _REGISTRIES:
        yield Finding("registry.url", "must begin with sqlite:// or postgresql://")
    elif url.password:
        yield Finding("registry.url", "holds a secret: move it to registry.password_file")


def _target(target: Publish, place: str, *, local: bool) -> Iterator[Finding]:
    url = _split(target.url)
    if url is None or url.scheme not in TARGETS:
        known = ", ".join(f"{scheme}://" for scheme in TARGETS)
        yield Finding(f"{place}.url", f"must begin with one of {known}")
        return
    if url.password:
        yield Finding(f"{place}.url", "holds a secret: move it to credential_file")
    if url.scheme == "redis" and not local:
        yield Finding(f"{place}.url", "is plain: use rediss:// outside the local world")
    if target.options.get("allow_http") == "true" and not local:
        yield Finding(f"{place}.options", "allow plain http: remove allow_http")


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None
