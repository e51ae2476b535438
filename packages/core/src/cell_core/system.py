"""The parts of a cell that both clouds share at start-up: settings, clock, patience, the app.

Reads no environment itself: the bootstraps do, and pass what they found.
"""

import random  # noqa: TID251 - composition root: the one place that makes a generator
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cell_core.app import App
from cell_core.domain.decider import Decider
from cell_core.domain.ids import CELLS_MAX, ID_PATTERN
from cell_core.domains import DOMAINS
from cell_core.ports import CellStore
from cell_core.service.control import Cell
from cell_core.standby_link import HttpStandbyLink
from cell_core.wire.grants import GrantVerifier

PAUSE_MIN_MS = 10
PAUSE_MAX_MS = 80
ATTEMPTS_MAX = 12


class SettingsError(Exception):
    """A cell cannot start: names of settings and kinds of problem, never values."""


class StoreSettings(BaseModel):
    """What whoever works on a cell's store needs to know; the names are those of the environment.

    Attributes:
        CELL_ID: Its name on the wire and the audience of its grants.
        CELL_ORDINAL: The remainder of the epochs it owns.
        CELL_LOCAL: The local world: plain http and keys instead of identities are allowed.
        CELL_STORE_CONNECT_TIMEOUT_S, CELL_STORE_READ_TIMEOUT_S: Bounds of one call to the store.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    CELL_ID: str = Field(pattern=ID_PATTERN)
    CELL_ORDINAL: int = Field(ge=0, lt=CELLS_MAX)
    CELL_LOCAL: bool = False
    CELL_LOG_LEVEL: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    CELL_STORE_CONNECT_TIMEOUT_S: float = Field(default=0.5, gt=0, le=5)
    CELL_STORE_READ_TIMEOUT_S: float = Field(default=0.8, gt=0, le=10)

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings found in `environment`.

        Raises:
            SettingsError: Says which are missing or wrong.
        """
        try:
            return cls.model_validate(dict(environment))
        except ValidationError as invalid:
            found = invalid.errors(include_url=False, include_context=False, include_input=False)
            problems = ", ".join(f"{e['loc'][0] if e['loc'] else ''}: {e['type']}" for e in found)
            raise SettingsError(f"cannot start: {problems}") from None


class CellSettings(StoreSettings):
    """What every cell needs to know to serve.

    Attributes:
        CELL_GRANT_KEYS: A JWKS with the public keys of the edge and the control plane.
    """

    CELL_GRANT_KEYS: str = Field(min_length=2)


class SystemClock:
    """The machine's wall clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


class JitteredPatience:
    """Waits 10 ms and more, doubling to 80 ms, each time with jitter, at most 12 times."""

    def __init__(
        self,
        clock: SystemClock,
        generator: "random.Random",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._generator = generator
        self._sleep = sleep

    def wait(self, attempt: int, deadline_ms: int) -> bool:
        """See `Patience.wait`."""
        ceiling = min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** min(attempt, 8))
        pause_ms = self._generator.uniform(PAUSE_MIN_MS, ceiling)
        if attempt > ATTEMPTS_MAX or self._clock.now_ms() + pause_ms >= deadline_ms:
            return False
        self._sleep(pause_ms / 1000)
        return True


def build_app(
    settings: CellSettings, store: CellStore, domains: Sequence[Decider] = DOMAINS
) -> App:
    """Return the application of the cell that `settings` describe.

    Raises:
        SettingsError: The grant keys are unusable, or the development key is used for real.
    """
    try:
        verifier = GrantVerifier(settings.CELL_GRANT_KEYS, audience=settings.CELL_ID)
    except (ValueError, KeyError, TypeError) as wrong:
        raise SettingsError(f"cannot start: CELL_GRANT_KEYS: {type(wrong).__name__}") from None
    if not settings.CELL_LOCAL and verifier.holds(LOCAL_KID):
        raise SettingsError("cannot start: CELL_GRANT_KEYS: the local world's key")
    clock = SystemClock()
    return App(
        Cell(id=settings.CELL_ID, ordinal=settings.CELL_ORDINAL),
        store,
        domains,
        verifier,
        clock=clock,
        patience=JitteredPatience(clock, random.Random()),  # noqa: S311 - jitter, not a secret
        new_id=lambda: uuid.uuid4().hex,
        link=HttpStandbyLink(clock, local=settings.CELL_LOCAL),
    )


LOCAL_KID = "local-world"
"""The name of every key that the local world makes for itself; refused anywhere else."""
