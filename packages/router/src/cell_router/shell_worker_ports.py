"""What the Worker's parts need of their runtime, so that they are tested without one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cell_router.messages import CellAnswer


class KvUnavailable(Exception):
    """KV does not answer; what was read before stays good."""


class Lost(Exception):
    """A subrequest broke: whether it was executed is unknown."""


class TimedOut(Exception):
    """A subrequest took longer than its request may."""


class Nonsense(Exception):
    """What a subrequest brought is not an answer that the edge takes; it may have been executed."""


class Kv(Protocol):
    """A namespace of Workers KV. It is a cache: what was written may take a minute to be seen."""

    async def get(self, key: str, cache_s: int) -> bytes | None:
        """Return the value at `key`; raises `KvUnavailable`."""


class Crypto(Protocol):
    """Web Crypto, for the algorithms of `cell_router.auth.issuer` and for Ed25519 signatures."""

    async def load(self, jwk: Mapping[str, str], algorithm: str, *, use: str) -> Any:  # noqa: ANN401
        """Return the key in `jwk` for `sign` or `verify`; raises ValueError."""

    async def sign(self, key: Any, message: bytes) -> bytes:  # noqa: ANN401 - the runtime's key
        """Return the Ed25519 signature of `message`."""

    async def verify(self, key: Any, algorithm: str, signature: bytes, message: bytes) -> bool:  # noqa: ANN401
        """Say whether `signature` is one of `message`."""


class Clock(Protocol):
    """Time, and waiting for it."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def now_s(self) -> int:
        """Return seconds since 1970-01-01 UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class Subrequest(Protocol):
    """Sends a request; see `shell_worker_platform.subrequest`."""

    async def __call__(
        self,
        url: str,
        method: str,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        wait_ms: int,
        bytes_max: int,
    ) -> CellAnswer:
        """Return the whole answer; raises `TimedOut`, `Lost` or `Nonsense`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """All that an isolate needs of its runtime.

    Attributes:
        new_id: Returns an identifier that nobody can guess.
        seed: Of the jitter.
    """

    kv: Kv
    crypto: Crypto
    subrequest: Subrequest
    clock: Clock
    new_id: Callable[[], str]
    seed: bytes
