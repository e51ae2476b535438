"""The registry's source that a configuration names, followed into a store."""

from collections.abc import Callable
from typing import Final

from cell_core.wire.registry_keys import RegistryVerifier
from cell_router.config import Config
from cell_router.config_findings import ConfigError, Finding
from cell_router.ports import RegistryStore
from cell_router.sources.backoff import Patience
from cell_router.sources.opening import open_source
from cell_router.sources.sync import RegistrySync

FEED_WAIT_S: Final = 20.0
FILE_WAIT_S: Final = 1.0
"""A file is looked at, nobody is asked: a short wait costs nothing, and a reload that names another
source waits for the end of the old one's."""


def follow(config: Config, store: RegistryStore, draw: Callable[[], float]) -> RegistrySync:
    """Return what keeps `store` current with the source that `config` names.

    `draw` returns 0 to 1, for jitter.

    Raises:
        ConfigError: No source can be made of it, or its keys cannot be read.
    """
    settings = config.settings.registry
    credential = config.path(settings.credential_file) if settings.credential_file else None
    local = config.settings.local
    try:
        source = open_source(
            settings.source,
            credential_file=credential,
            local=local,
            options={"allow_http": "true"} if local else {},
        )
        verify = RegistryVerifier(config.path(settings.keys).read_text())
    except (ValueError, OSError) as wrong:
        message = f"cannot be used ({type(wrong).__name__}): run `cell-router check`"
        raise ConfigError([Finding("registry", message)]) from None
    patience = Patience(
        wait_s=FILE_WAIT_S if settings.source.startswith("file:") else FEED_WAIT_S,
        poll_s=settings.poll_s,
        age_max_s=settings.age_max_s,
    )
    return RegistrySync(store, source, verify, draw=draw, patience=patience)
