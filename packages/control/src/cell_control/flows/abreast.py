"""Several flows side by side: what they ask goes out together, a round at a time.

Only for flows that do nothing but ask cells; any other effect is refused, as the order of commits
must never depend on how flows were bundled.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from cell_control.flows.calling import TOGETHER_MAX, NotDone
from cell_control.flows.effects import Ask, Effect, Flow, Together

T = TypeVar("T")


def abreast(flows: Sequence[Flow[T]]) -> Flow[list[T | NotDone]]:
    """Run all `flows`; return what became of each, in their order. At most 64 asks at a time.

    Raises:
        TypeError: One of them wants something else than to ask.
    """
    outcomes: dict[int, T | NotDone] = {}
    waiting: dict[int, Ask | Together] = {}

    def go_on(place: int, answer: Any) -> None:  # noqa: ANN401 - what a flow's effect gave
        try:
            effect = flows[place].send(answer)
        except StopIteration as done:
            outcomes[place] = done.value
        except NotDone as no:
            outcomes[place] = no
        else:
            waiting[place] = _only_ask(effect)

    for place in range(len(flows)):
        go_on(place, None)
    while waiting:
        round_ = {place: waiting.pop(place) for place in list(_fitting(waiting))}
        answers = iter((yield Together(tuple(a for e in round_.values() for a in _asks(e)))))
        for place, effect in round_.items():
            mine = tuple(next(answers) for _ in _asks(effect))
            go_on(place, mine if isinstance(effect, Together) else mine[0])
    return [outcomes[place] for place in range(len(flows))]


def _only_ask(effect: Effect) -> Ask | Together:
    if not isinstance(effect, Ask | Together):
        raise TypeError(f"not an ask: {type(effect).__name__}")
    return effect


def _fitting(waiting: Mapping[int, Ask | Together]) -> Iterator[int]:
    """Yield the first places whose asks fit into one round; at least one."""
    total = 0
    for place, effect in waiting.items():
        total += len(_asks(effect))
        if total > TOGETHER_MAX and total > len(_asks(effect)):
            return
        yield place


def _asks(effect: Ask | Together) -> Sequence[Ask]:
    return effect.asks if isinstance(effect, Together) else (effect,)
