"""Reads a Dockerfile as far as the router's goes: instructions, by stage."""

import json
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `text` is what follows its name, on one line."""

    name: str
    text: str

    @property
    def words(self):
        return json.loads(self.text) if self.text.startswith("[") else self.text.split()


def read(text):
    """Return the instructions before the first stage, and those of each stage."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    groups = [[]]
    for line in joined.splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            groups.append([])
        groups[-1].append(Instruction(name, rest.strip()))
    return groups


def of(stage, name):
    return [each for each in stage if each.name == name]
