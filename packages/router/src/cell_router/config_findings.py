"""What is wrong with a configuration, as sentences: the setting, and what to do. Never a value."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

_SENTENCES: Final[Mapping[str, str]] = {
    "missing": "is missing: add it",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotes",
    "string_type": "must be a text in quotes",
    "tuple_type": "must be a list in brackets",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "string_pattern_mismatch": "has a form that is not allowed: see docs/router-settings.md",
    "finite_number": "must be a finite number",
}
_BOUNDS: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be more than"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be less than"),
    "too_short": ("min_length", "must have at least this many entries:"),
    "too_long": ("max_length", "must have at most this many entries:"),
    "string_too_short": ("min_length", "must have at least this many characters:"),
    "string_too_long": ("max_length", "must have at most this many characters:"),
    "literal_error": ("expected", "must be one of"),
}
_NAME_LETTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        setting: Its place in the file, such as `limits.total_ms`.
        message: Follows the setting's name in a sentence.
        severity: `error` forbids a start, `warning` does not.
    """

    setting: str
    message: str
    severity: str = "error"

    def __str__(self) -> str:
        """Return the sentence."""
        return f"{self.setting} {self.message}."


class ConfigError(Exception):
    """The router cannot start with this configuration; `findings` say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(" ".join(map(str, findings)))
        self.findings = tuple(findings)


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return those that forbid a start."""
    return [finding for finding in findings if finding.severity == "error"]


def findings_of(invalid: ValidationError, names: Mapping[str, Iterable[str]]) -> list[Finding]:
    """Return what pydantic found; `names` holds the settings that exist, by their table."""
    errors = invalid.errors(include_url=False, include_input=False)
    return [Finding(_place(e["loc"]), _sentence(e, names)) for e in errors]


def _place(loc: tuple[int | str, ...]) -> str:
    """Return `issuers[0].jwks_url` for ("issuers", 0, "jwks_url")."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:_NAME_LETTERS_MAX]}"
    return text.removeprefix(".") or "the file"


def _sentence(error: Any, names: Mapping[str, Iterable[str]]) -> str:  # noqa: ANN401 - pydantic's
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(error["loc"], names)
    if kind in _BOUNDS:
        member, text = _BOUNDS[kind]
        return f"{text} {context.get(member)}"
    return _SENTENCES.get(kind, "is not valid: see docs/router-settings.md")


def _unknown(loc: tuple[int | str, ...], names: Mapping[str, Iterable[str]]) -> str:
    table = ".".join(str(part) for part in loc[:-1] if not isinstance(part, int))
    close = difflib.get_close_matches(str(loc[-1]), list(names.get(table, ())), n=1)
    hint = f" (is `{close[0]}` meant?)" if close else ""
    return f"is not a setting: remove it{hint}"
