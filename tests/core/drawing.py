"""Commands drawn from the JSON schema of their models and from the state reached so far.

Drawing from the schema alone looks thorough and is not: most commands then name what does not
exist. Ids come from a small pool, a command often names what one existing entity says of itself,
and numbers are those of the state, give or take one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any, TypeAlias

from cell_core.domain.decider import Command, Context, Decider, Entities, execute
from cell_core.schema import read

IDS = ("a", "b", "c", "d")
AMOUNTS = ("1", "2", "10", "5" + "0" * 17, "9" * 18)
TEXTS = ("", "x", "\u00e9\U0001f600", "x" * 300)
NAMES = ("x", "y", "z")
TRIES_MAX = 6

Pick: TypeAlias = Callable[[Sequence[Any]], Any]
Plausible: TypeAlias = Callable[[str, Pick], Mapping[str, Any]]
"""Members of a command, from whoever knows the domain better; empty if nobody does."""


@dataclass
class Known:
    """What a command may name: leaves of the state, and hints of whoever knows better."""

    ids: list[str] = field(default_factory=lambda: list(IDS))
    digits: list[str] = field(default_factory=lambda: list(AMOUNTS))
    integers: list[int] = field(default_factory=list)

    def add(self, value: Any) -> None:
        if isinstance(value, str) and value.isdigit():
            self.digits.append(value)
        elif type(value) is int:
            self.integers.append(value)


def known_in(entities: Entities) -> Known:
    known = Known()
    for key, body in entities.items():
        known.ids.append(key.partition(".")[2])
        for value in body.values():
            known.add(value)
    return known


class Drawing:
    """One draw of commands from one seed.

    Hypothesis would take ten times as long to draw each choice by itself, and of a failing walk it
    is the number of steps that is worth shrinking.
    """

    def __init__(
        self, seed: int, decider: Decider, entities: Entities, plausible: Plausible
    ) -> None:
        self._random = Random(seed)
        self._decider = decider
        self._entities = entities
        self._plausible = plausible
        self._known = known_in(entities)

    def pick(self, options: Sequence[Any]) -> Any:
        """Draw one of `options`."""
        return options[int(self._random.random() * len(options))]

    def chance(self, part: float) -> bool:
        return self._random.random() < part

    def commands(self, names: Sequence[str], size: int, context: Context) -> list[Command]:
        """Draw a batch; mostly, commands that the domain would reject are drawn again."""
        state, batch, tries = self._entities, [], TRIES_MAX if self.chance(3 / 4) else 1
        while len(batch) < size:
            command = self.command(self.pick(names))
            outcome = execute(self._decider, state, [command], context)
            tries -= 1
            if outcome.rejection is None or tries <= 0:
                batch.append(command)
                state = outcome.state
        return batch

    def command(self, name: str) -> Command:
        """Draw one command; its model must accept whatever its JSON schema allows."""
        model = self._decider.commands[name]
        schema = schema_of(model)
        self._definitions = schema.get("$defs", {})
        self._focus = self._plausible(name, self.pick) if self.chance(3 / 4) else {}
        if not self._focus and self.chance(1 / 2):
            self._focus = self._facts(schema["properties"])
        return Command(name, read(model, self._object(schema), "invalid_data"))

    def _facts(self, members: Mapping[str, Any]) -> Mapping[str, Any]:
        """What one entity that has to do with `members` says of itself, its id included."""
        facts = []
        for key, body in self._entities.items():
            kind, _, entity = key.partition(".")
            if kind in members or "id" in members or not body.keys().isdisjoint(members):
                facts.append((body, {kind: entity, "id": entity}))
        body, ids = self.pick(facts or [({}, {})])
        return {**body, **ids}

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        if "properties" not in schema:
            members = schema.get("additionalProperties", {})
            return {self.pick(NAMES): self._value(members) for _ in range(self.pick((0, 1, 2)))}
        drawn = {}
        for name, member in schema["properties"].items():
            if name in self._focus and self.chance(7 / 8):
                drawn[name] = self._focus[name]
            elif name in schema.get("required", ()) or self.chance(1 / 2):
                drawn[name] = self._value(member)
        return drawn

    def _value(self, schema: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            return self._value(self._definitions[schema["$ref"].rpartition("/")[2]])
        if "enum" in schema or "const" in schema:
            return self.pick(schema.get("enum") or [schema["const"]])
        if "anyOf" in schema:
            return self._value(self.pick(schema["anyOf"]))
        if "type" not in schema:
            return self._json(3)
        return _DRAWERS[schema["type"]](self, schema)

    def _string(self, schema: Mapping[str, Any]) -> str:
        pattern = schema.get("pattern", "")
        examples = schema.get("examples") or TEXTS
        known = (self.pick(self._known.ids), self._number_near(), self.pick(AMOUNTS))
        fitting = [text for text in known if pattern and re.fullmatch(pattern, text)]
        if not fitting or self.chance(1 / 32):
            return self.pick(examples)[: schema.get("maxLength")]
        return fitting[0]

    def _number_near(self) -> str:
        return str(int(self.pick(self._known.digits)) + self.pick((0, 0, 1, -1)))

    def _integer(self, schema: Mapping[str, Any]) -> int:
        low, high = schema.get("minimum", -(2**53) + 1), schema.get("maximum", 2**53 - 1)
        known = self.pick([low, high, *self._known.integers]) + self.pick((0, 0, 1, -1))
        return min(max(known, low), high)

    def _array(self, schema: Mapping[str, Any]) -> list[Any]:
        fewest = schema.get("minItems", 0)
        most = min(schema.get("maxItems", fewest + 2), fewest + 2)
        return [self._value(schema["items"]) for _ in range(self.pick(range(fewest, most + 1)))]

    def _json(self, depth: int) -> Any:
        """Any JSON value, with few names, so that two of them often share one."""
        kind = self.pick("slooo" if depth else "s")
        if kind == "s":
            return self.pick((None, 0, "", 1.5, True, "x", 7))
        if kind == "l":
            return [self._json(depth - 1) for _ in range(self.pick((0, 1, 2)))]
        return {self.pick(NAMES): self._json(depth - 1) for _ in range(self.pick((0, 1, 2, 3)))}


_DRAWERS: Mapping[str, Callable[[Drawing, Mapping[str, Any]], Any]] = {
    "array": Drawing._array,
    "boolean": lambda drawing, _schema: drawing.pick((False, True)),
    "integer": Drawing._integer,
    "null": lambda _drawing, _schema: None,
    "number": Drawing._integer,
    "object": Drawing._object,
    "string": Drawing._string,
}


@cache
def schema_of(model: Any) -> Mapping[str, Any]:
    return model.model_json_schema()
