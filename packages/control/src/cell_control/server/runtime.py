"""The real shell of flows: performs what they ask for, one effect at a time.

A flow may be dropped between any two effects; the registry and the cells admit that at any point.
Refuses to retry anything: flows know what may be asked again.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from cell_control.errors import Unavailable
from cell_control.flows.effects import (
    Ask,
    Commit,
    Effect,
    Flow,
    Get,
    ListRecords,
    Pause,
    SkipTo,
    Together,
)
from cell_control.ports import RegistryError, RegistryUnavailable
from cell_control.server.cell_link import CellLink
from cell_control.server.registry_threads import RegistryThreads

Result = TypeVar("Result")

TOGETHER_MAX: Final = 64


class Runtime:
    """Runs flows; any number at a time."""

    def __init__(self, threads: RegistryThreads, link: CellLink) -> None:
        self._threads = threads
        self._link = link

    async def run(self, flow: Flow[Result], *, in_thread: bool = False) -> Result:
        """Return what `flow` returns; cancelling drops it where it stands.

        `in_thread` is for flows that compute for long between two effects.

        Raises:
            Exception: What the flow raises.
        """
        try:
            return await self._drive(flow, in_thread=in_thread)
        finally:
            # One whose step a thread still computes ends by itself: nobody sends to it any more.
            with suppress(ValueError):
                flow.close()

    async def _drive(self, flow: Flow[Result], *, in_thread: bool) -> Result:
        send: Any = None
        refused: RegistryError | None = None
        while True:
            step = partial(_step, flow, send, refused)
            effect = await asyncio.to_thread(step) if in_thread else step()
            if isinstance(effect, _Ended):
                return effect.result
            send, refused = None, None
            try:
                send = await self._perform(effect)
            except RegistryError as error:
                refused = error

    async def _perform(self, effect: Effect) -> Any:  # noqa: ANN401 - each effect has its result
        match effect:
            case Ask():
                return await self._link.ask(effect)
            case Together():
                return await self._together(effect)
            case Pause():
                return await asyncio.sleep(effect.ms / 1000)
            case _:
                return await self._registry(effect)

    async def _together(self, effect: Together) -> tuple[Any, ...]:
        if len(effect.asks) > TOGETHER_MAX:
            raise ValueError(f"at most {TOGETHER_MAX} requests together")
        return tuple(await asyncio.gather(*map(self._link.ask, effect.asks)))

    async def _registry(self, effect: Get | ListRecords | Commit | SkipTo) -> Any:  # noqa: ANN401 - as above
        registry, call = self._threads.registry, self._threads.call
        try:
            match effect:
                case Get():
                    return tuple(await call(registry.get, effect.keys))
                case Commit():
                    return await call(registry.commit, effect.writes)
                case SkipTo():
                    return await call(registry.skip_to, effect.rev)
                case ListRecords():
                    found = await call(
                        registry.list,
                        effect.kind,
                        tag=effect.tag,
                        prefix=effect.prefix,
                        after=effect.after,
                        limit=effect.limit,
                    )
                    return tuple(found)
        except Unavailable:
            raise RegistryUnavailable("too many wait") from None


@dataclass(frozen=True, slots=True)
class _Ended(Generic[Result]):
    """A flow is over. A thread cannot hand on `StopIteration`."""

    result: Result


def _step(
    flow: Flow[Result], send: object, refused: RegistryError | None
) -> Effect | _Ended[Result]:
    try:
        return flow.send(send) if refused is None else flow.throw(refused)
    except StopIteration as ended:
        return _Ended(ended.value)
