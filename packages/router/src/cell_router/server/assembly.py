"""Builds a worker's edge from its configuration: registry, credentials, grants, limits."""

import hashlib
import logging
import random  # noqa: TID251, TC003 - the type of the generator that the bootstrap passes in
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cell_core.wire.grants import GrantSigner
from cell_router.auth.api_key_file import FILE_BYTES_MAX, KeyFile, read_key_file
from cell_router.auth.api_keys import ApiKeys
from cell_router.auth.authenticator import Authenticator
from cell_router.auth.jwks import IssuerKeys
from cell_router.auth.jwt import TokenVerifier, TrustedIssuer
from cell_router.auth.key_fetch import FileKeys, HttpKeys
from cell_router.auth.key_shelf import FileShelf
from cell_router.auth.refresher import JwksRefresher, Source
from cell_router.config import Config, IssuerSettings
from cell_router.edge import Edge
from cell_router.grants import GrantBook
from cell_router.mint import uuid7
from cell_router.ports import RegistryView
from cell_router.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a worker takes from the machine.

    Attributes:
        now_ms: Wall clock milliseconds.
        new_id: Makes ids that no other process makes.
    """

    now_ms: Callable[[], int]
    new_id: Callable[[], str]
    generator: "random.Random"
    log: logging.Logger

    def now_s(self) -> int:
        """Return wall clock seconds."""
        return self.now_ms() // 1000


def build_edge(config: Config, store: RegistryView, machine: Machine) -> tuple[Edge, JwksRefresher]:
    """Return the edge that `config` describes, and what keeps its issuers' keys fresh."""
    trusted: dict[str, TrustedIssuer] = {}
    sources: dict[str, Source] = {}
    for settings in config.settings.issuers:
        rules = settings.to_issuer()
        keys = IssuerKeys(rules.algorithms, jitter=machine.generator.random)
        trusted[settings.issuer] = TrustedIssuer(rules, keys)
        sources[settings.issuer] = _source(config, settings, keys)
    authenticator = Authenticator(TokenVerifier(trusted), _api_keys(config, machine.now_s()))

    def report(issuer: str, word: str) -> None:
        if word != "fetched":
            machine.log.warning("jwks", extra={"fields": {"issuer": issuer, "problem": word}})

    refresher = JwksRefresher(
        sources, clock_s=machine.now_s, forget=authenticator.forget, report=report
    )
    key = config.path(config.settings.grants.key).read_text()
    edge = Edge(
        registry=Registry(store),
        credentials=authenticator,
        grants=GrantBook(GrantSigner(key, issuer="edge"), machine.new_id),
        limits=config.settings.limits.to_limits(),
        generator=machine.generator,
        new_command_id=lambda: uuid7(machine.now_ms(), machine.generator.getrandbits(74)),
    )
    return edge, refresher


def _source(config: Config, settings: IssuerSettings, keys: IssuerKeys) -> Source:
    if settings.jwks_file:
        # Read at each start and never kept: a reload takes what the file says now.
        return Source(keys, FileKeys(config.path(settings.jwks_file)))
    fetch = HttpKeys(settings.jwks_url, local=config.settings.local)
    return Source(keys, fetch, FileShelf(_shelf(config, settings.issuer)))


def _shelf(config: Config, issuer: str) -> Path:
    name = hashlib.sha256(issuer.encode()).hexdigest()[:32]
    return config.path(config.settings.registry.cache) / f"jwks-{name}"


def _api_keys(config: Config, now_s: int) -> ApiKeys:
    if config.settings.api_keys is None:
        return ApiKeys(KeyFile(1, []))
    with config.path(config.settings.api_keys.file).open("rb") as file:
        raw = file.read(FILE_BYTES_MAX + 1)
    return ApiKeys(read_key_file(raw, now_s), local=config.settings.local)
