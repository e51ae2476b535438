"""One isolate of the Worker: builds an `Edge` from its settings, and drives exchanges through it.

What an isolate remembers is shared by its requests: routes, breakers, grants, verified tokens. What
is under way is not: a request never resumes another one, it only leaves it a note (`_wait`).
"""

import asyncio
import random  # noqa: TID251 - this shell is the composition root that seeds it
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from cell_core.wire.registry import CellRecord, RegistryRefused
from cell_core.wire.registry_seal import Sealed
from cell_router.auth.authenticator import Authenticator
from cell_router.auth.jwt import TokenVerifier
from cell_router.auth.key_set import SET_BYTES_MAX
from cell_router.auth.refused import AuthRefused
from cell_router.decide import Failure
from cell_router.edge import Edge
from cell_router.exchange import ASK, SEND, Exchange, Step, Wait
from cell_router.limits import ANSWER_BYTES_MAX
from cell_router.messages import CellAnswer, EdgeRequest, Reply
from cell_router.registry import Registry
from cell_router.server.addresses import AddressPolicy, AddressRefused
from cell_router.shell_worker_grants import ALGORITHM, WorkerGrants
from cell_router.shell_worker_ports import (
    Crypto,
    KvUnavailable,
    Lost,
    Nonsense,
    Runtime,
    TimedOut,
)
from cell_router.shell_worker_registry import KvRegistry
from cell_router.shell_worker_settings import SettingsRefused, WorkerSettings
from cell_router.shell_worker_tokens import Signatures, TokenKeys
from cell_router.shell_worker_verdicts import VERDICTS, NotYetVerified

if TYPE_CHECKING:
    from cell_router.grants import GrantBook

REMEMBERED_MAX: Final = 10_000
REMEMBERED_BYTES_MAX: Final = 8 * 1024 * 1024
JWKS_WAIT_MS: Final = 5000
LOOK_S: Final = 0.02
"""How often a waiting request looks whether another one has left it a note."""


class Isolate:
    """Everything that one isolate remembers."""

    def __init__(
        self, settings: WorkerSettings, runtime: Runtime, kv: KvRegistry, grants: WorkerGrants
    ) -> None:
        """Take what `open_isolate` has prepared."""
        generator = random.Random(runtime.seed)  # noqa: S311 - jitter, not secrets
        self.limits = settings.limits
        self._kv = kv
        self._grants = grants
        self._signatures = Signatures(runtime.crypto)
        self._subrequest = runtime.subrequest
        self._clock = runtime.clock
        self._policy = AddressPolicy(local=settings.local, host_suffixes=settings.host_suffixes)
        self._allowed: dict[str, bool] = {}
        self._tokens = TokenKeys(
            settings.issuers, self._fetch_keys, jitter=generator.random, forget=self._forget
        )
        self._authenticator = Authenticator(
            TokenVerifier(self._tokens.trusted),
            settings.api_keys,
            remembered_max=REMEMBERED_MAX,
            remembered_bytes_max=REMEMBERED_BYTES_MAX,
        )
        self._edge = Edge(
            registry=Registry(kv),
            credentials=self._authenticator,
            # It has the methods of one that an exchange calls.
            grants=cast("GrantBook", grants),
            limits=settings.limits,
            generator=generator,
            new_command_id=runtime.new_id,
        )

    async def answer(self, request: EdgeRequest) -> tuple[Reply, Exchange]:
        """Return the reply to `request`, and its exchange for the log."""
        await self._prepare(request)
        self._tick()
        self._edge.refresh(at_once=not self._edge.registry.ready)
        exchange = self._edge.begin(request)
        exchange.waker = _leave_note
        try:
            return await self._drive(exchange), exchange
        finally:
            exchange.flow.close()

    def has_chores(self, exchange: Exchange) -> bool:
        """Say whether there is something to fetch, now that the answer was given."""
        return self._tokens.due(self._clock.now_s()) or self._is_stale(exchange)

    async def chores(self, exchange: Exchange) -> None:
        """Read anew what was read long ago."""
        if self._is_stale(exchange):
            with suppress(KvUnavailable):  # What is held serves on.
                await self._kv.load(exchange.call.tenant, self._clock.now())
            self._tick()
            self._edge.refresh(at_once=True)
        await self._tokens.refresh(self._clock.now_s())

    def take_refusals(self) -> list[str]:
        """Return why parts of the registry were refused since the last call, for the log."""
        taken, self._kv.refusals = self._kv.refusals, []
        return taken

    # ── Before the exchange ──────────────────────────────────────────────────

    async def _prepare(self, request: EdgeRequest) -> None:
        """Get what the exchange cannot wait for: a registry, keys, the verdict on a signature."""
        if not self._kv.version():
            with suppress(KvUnavailable):  # The exchange says so, if it comes to that.
                await self._kv.freshen(self._clock.now())
        await self._tokens.ensure(self._clock.now_s())
        headers = request.headers
        try:
            self._authenticator.authenticate(
                headers.get(b"authorization"), headers.get(b"x-api-key"), self._clock.now_s()
            )
        except AuthRefused:
            pass  # The exchange finds the same.
        except NotYetVerified as asked:
            right = await self._signatures.is_right(asked.token, asked.key, asked.algorithm)
            VERDICTS.note(asked, is_right=right)  # Looked at before anything else is awaited.

    # ── What the exchange asks for ───────────────────────────────────────────

    async def _drive(self, exchange: Exchange) -> Reply:
        event: Any = None
        while True:
            self._tick()
            try:
                step = exchange.flow.send(event)
            except StopIteration as done:
                reply: Reply = done.value
                return reply
            event = await self._done(exchange, step)

    async def _done(self, exchange: Exchange, step: Step) -> object:
        if step is SEND:
            return await self._send(exchange)
        if step is ASK:
            return await self._ask(exchange)
        assert isinstance(step, Wait)  # noqa: S101 - there is no fourth
        return await self._wait(exchange, step.until)

    async def _send(self, exchange: Exchange) -> CellAnswer | Failure:
        record = exchange.cell.record
        left_s = exchange.until - self._clock.now()
        if left_s <= 0:
            return Failure.TIMEOUT
        if not self._may_reach(record):
            return Failure.NOT_SENT
        headers = _header_list(exchange.lines)
        route, writes = exchange.route, exchange.call.writes
        headers += await self._grants.headers(route, self._clock.now_s(), writes=writes)
        try:
            return await self._subrequest(
                record.base_url + exchange.target.decode(),
                exchange.request.method.decode(),
                headers,
                exchange.sent_body,
                wait_ms=int(left_s * 1000) + 1,
                bytes_max=ANSWER_BYTES_MAX,
            )
        except TimedOut:
            over = self._clock.now() >= exchange.deadline
            return Failure.TIMEOUT if over else Failure.UNKNOWN
        except Lost:
            return Failure.UNKNOWN
        except Nonsense:
            return Failure.INVALID

    async def _ask(self, exchange: Exchange) -> Failure | None:
        tenant = exchange.call.tenant
        registry = self._edge.registry
        left_s = max(0.0, exchange.deadline - self._clock.now())
        try:
            await asyncio.wait_for(self._kv.load(tenant, self._clock.now()), left_s)
        except (KvUnavailable, TimeoutError):
            return Failure.TIMEOUT
        self._tick()
        self._edge.refresh(at_once=True)
        if registry.find(tenant) is None:
            registry.note_unknown(tenant, self._edge.now)
        return None

    async def _wait(self, exchange: Exchange, until: float) -> object:
        """Wait for a note of another request, or until it is time."""
        exchange.parked = True
        end = min(until, exchange.deadline)
        while exchange.parked and (left_s := end - self._clock.now()) > 0:
            await self._clock.sleep(min(left_s, LOOK_S))
        if not exchange.parked:
            return exchange.shell
        exchange.parked = False
        return None if until <= exchange.deadline else Failure.TIMEOUT

    # ── Small things ─────────────────────────────────────────────────────────

    def _tick(self) -> None:
        self._edge.now = self._clock.now()
        self._edge.now_s = self._clock.now_s()

    def _is_stale(self, exchange: Exchange) -> bool:
        call = getattr(exchange, "call", None)  # None: nobody knows yet whose request it was.
        return call is not None and self._kv.is_stale(call.tenant, self._clock.now())

    def _may_reach(self, record: CellRecord) -> bool:
        allowed = self._allowed.get(record.base_url)
        if allowed is None:
            try:
                self._policy.origin(record.base_url)
                allowed = True
            except AddressRefused:
                allowed = False
            self._allowed[record.base_url] = allowed
        return allowed

    def _forget(self) -> None:
        self._authenticator.forget()

    async def _fetch_keys(self, url: str) -> bytes:
        answer = await self._subrequest(
            url,
            "GET",
            [("accept", "application/json")],
            b"",
            wait_ms=JWKS_WAIT_MS,
            bytes_max=SET_BYTES_MAX,
        )
        if answer.status != 200:
            raise Lost
        return answer.body


async def open_isolate(settings: WorkerSettings, runtime: Runtime) -> Isolate:
    """Return an isolate that serves with `settings`.

    Raises:
        SettingsRefused: A key in them cannot be loaded.
    """
    crypto = runtime.crypto
    try:
        key = await crypto.load(settings.grant_key, ALGORITHM, use="sign")
    except ValueError:
        raise SettingsRefused("GRANT_KEY", "is not a key that can be loaded") from None
    kv = KvRegistry(runtime.kv, await _registry_check(settings, crypto))
    grants = WorkerGrants(crypto, key, settings.grant_key["kid"], runtime.new_id)
    return Isolate(settings, runtime, kv, grants)


async def _registry_check(
    settings: WorkerSettings, crypto: Crypto
) -> Callable[[Sealed], Awaitable[None]]:
    keys = {}
    for kid, jwk in settings.registry_keys.items():
        try:
            keys[kid] = await crypto.load(jwk, ALGORITHM, use="verify")
        except ValueError:
            setting = "SETTINGS.registry_keys"
            raise SettingsRefused(setting, "hold one that cannot be loaded") from None

    async def check(sealed: Sealed) -> None:
        key = keys.get(sealed.kid)
        if key is None:
            raise RegistryRefused("registry_key_unknown", kid=sealed.kid)
        if not await crypto.verify(key, ALGORITHM, sealed.signature, sealed.message):
            raise RegistryRefused("registry_signature_invalid", kid=sealed.kid)

    return check


def _leave_note(exchange: Exchange, event: object) -> None:
    exchange.shell = event


def _header_list(lines: bytes) -> list[tuple[str, str]]:
    pairs = (line.split(": ", 1) for line in lines.decode("latin-1").split("\r\n") if line)
    return [(name, value) for name, value in pairs]
