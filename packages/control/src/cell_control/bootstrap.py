"""Composition root: the only module that reads the configuration, the keys and the clocks.

Refuses to start with what `check` finds wrong.
"""

import asyncio
import logging
import random  # noqa: TID251 - composition root: the one place that makes a generator
import ssl
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from cell_control.adapters.registry_sql import SqlRegistry
from cell_control.adapters.registry_url import open_registry
from cell_control.adapters.targets.file import FileTarget
from cell_control.adapters.targets.kv import ENDPOINT, open_kv
from cell_control.adapters.targets.objects import open_object
from cell_control.adapters.targets.redis_stream import open_redis
from cell_control.errors import Invalid
from cell_control.server.cell_addresses import CellPolicy
from cell_control.server.cell_link import open_transport
from cell_control.server.config import Config, Publish, load
from cell_control.server.config_files import examine, grant_signer, read_text, sqlite_path
from cell_control.server.config_findings import ConfigError, Finding
from cell_control.server.control_plane import ControlPlane
from cell_control.server.event_log import EventLog, Libraries
from cell_control.server.given import Given
from cell_control.server.machine import Machine
from cell_control.server.process import Listening, serve
from cell_control.server.tokens import TokenBook
from cell_control.service.publishing import Target
from cell_core.wire.registry_keys import RegistrySigner

EXIT_FAILED: Final = 1
EXIT_CONFIG: Final = 78
"""EX_CONFIG of sysexits.h."""


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


def run(path: Path) -> int:
    """Serve as the configuration at `path` says until told to stop; return the exit code."""
    clock = SystemClock()
    log = EventLog(sys.stderr, clock.now_ms)
    logging.getLogger().handlers[:] = [Libraries(log)]
    try:
        config = checked(path)
        plane = ControlPlane(_given(config, machine(log, clock)))
        asyncio.run(serve(plane, _listening(config), log))
    except ConfigError as refused:
        log.say("config_refused", "error", findings=[str(one) for one in refused.findings])
        return EXIT_CONFIG
    except OSError as failed:
        log.say("cannot_start", "error", error=type(failed).__name__, errno=failed.errno)
        return EXIT_FAILED
    return 0


def checked(path: Path) -> Config:
    """Return the configuration at `path`.

    Raises:
        ConfigError: It, or one of the files that it names, cannot be used.
    """
    config = load(path)
    findings = examine(config, SystemClock().now_ms() // 1000)
    if findings:
        raise ConfigError(findings)
    return config


def machine(log: EventLog, clock: SystemClock) -> Machine:
    """Return this machine, with a name for this process."""
    return Machine(
        clock=clock,
        now_s=time.monotonic,
        sleep=time.sleep,
        generator=random.Random(),  # noqa: S311 - jitter and keys of audits, no secrets
        new_id=lambda: uuid.uuid4().hex,
        process=f"cp-{uuid.uuid4().hex[:12]}",
        log=log,
    )


def opened_registry(config: Config) -> SqlRegistry:
    """Return the registry that the configuration names; nothing is connected yet.

    Raises:
        ConfigError: It names none.
    """
    settings, path = config.settings.registry, sqlite_path(config)
    try:
        if path is not None:
            return open_registry(f"sqlite:///{path}")
        url = make_url(settings.url)
        if settings.password_file:
            password = read_text(config.path(settings.password_file)).strip()
            url = url.set(password=password)
        return open_registry(url.render_as_string(hide_password=False))
    except (ArgumentError, ValueError, OSError):
        raise ConfigError([Finding("registry.url", "names no registry: check it")]) from None


def _given(config: Config, of: Machine) -> Given:
    settings = config.settings
    ca = str(config.path(settings.cells.ca)) if settings.cells.ca else ""
    try:
        tokens = TokenBook(
            config.path(settings.tokens.file),
            local=settings.local,
            now_s=of.wall_s,
            on_refused=lambda code: of.log.say("tokens_refused", "warning", code=code),
        )
        return Given(
            machine=of,
            registry=opened_registry(config),
            tokens=tokens,
            signer=RegistrySigner(read_text(config.path(settings.keys.registry))),
            grants=grant_signer(read_text(config.path(settings.keys.grant))),
            transport=open_transport(
                local=settings.local, ca=ca, connections_max=settings.cells.connections_max
            ),
            policy=CellPolicy(local=settings.local, host_suffixes=settings.cells.host_suffixes),
            connections_max=settings.cells.connections_max,
            loops=settings.loops,
            targets=tuple(opened_targets(config)),
        )
    except (Invalid, ValueError, ssl.SSLError):
        # Each was found good a moment ago.
        raise ConfigError(
            [Finding("a file", "was changed during the start: start again")]
        ) from None


def opened_targets(config: Config) -> Iterator[tuple[Publish, Target]]:
    """Yield each place to publish to with its settings; nothing is connected yet.

    Raises:
        ConfigError: One cannot be used.
    """
    for place, settings in enumerate(config.settings.publish):
        try:
            yield settings, _target(config, settings)
        except ValueError as wrong:
            # The message is one of a few fixed sentences; it never holds a piece of the file.
            raise ConfigError([Finding(f"publish[{place}]", f"cannot be used: {wrong}")]) from None


def _target(config: Config, settings: Publish) -> Target:
    scheme, _, rest = settings.url.partition("://")
    credential = config.path(settings.credential_file) if settings.credential_file else None
    match scheme:
        case "file":
            return FileTarget(config.path(rest))
        case "redis" | "rediss":
            ca = config.path(settings.ca) if settings.ca else None
            return open_redis(settings.url, ca=ca, credential_file=credential)
        case "kv":
            if credential is None:
                raise ValueError("kv needs a credential_file")
            endpoint = settings.options.get("endpoint", ENDPOINT)
            return open_kv(settings.url, credential_file=credential, endpoint=endpoint)
        case _:
            return open_object(settings.url, settings.options)


def _listening(config: Config) -> Listening:
    listen = config.settings.listen
    tls = listen.tls
    return Listening(
        address=listen.address,
        port=listen.port,
        tls=None if tls is None else (config.path(tls.certificate), config.path(tls.key)),
        connections_max=listen.connections_max,
        stop_s=listen.stop_s,
    )
