"""What is wrong with a configuration, as sentences: the setting, and what to do. Never a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is missing: add it",
    "extra_forbidden": "is not a setting: remove it",
    "string_pattern_mismatch": "has a form that is not allowed",
}
_LETTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        setting: Its place in the file, such as `listen.stop_s`.
        message: Follows the setting's name in a sentence.
    """

    setting: str
    message: str

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.setting} {self.message}."


class ConfigError(Exception):
    """The control plane cannot start with this configuration; `findings` say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(" ".join(map(str, findings)))
        self.findings = tuple(findings)


def findings_of(invalid: ValidationError) -> list[Finding]:
    """Return what pydantic found, without any of the values."""
    errors = invalid.errors(include_url=False, include_input=False)
    return [Finding(_place(e["loc"]), _sentence(e["type"], e["msg"])) for e in errors]


def _place(loc: tuple[int | str, ...]) -> str:
    """Return `publish[0].url` for ("publish", 0, "url")."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:_LETTERS_MAX]}"
    return text.removeprefix(".") or "the file"


def _sentence(kind: str, message: str) -> str:
    # Of the kinds that these models raise, pydantic's messages hold bounds and types, no values.
    listed = _SENTENCES.get(kind)
    listed_or_said = listed or f"is wrong: {message.lower()}"
    return f"{listed_or_said} (docs/control-settings.md)"
