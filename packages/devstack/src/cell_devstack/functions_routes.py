"""Routes of a function app: which function answers a method and a path, with which parameters.

It refuses route constraints it does not know rather than ignore them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

_PARAMETER: Final = re.compile(r"\{(?P<rest>\*?)(?P<name>\w+)(?P<constraint>[^}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One HTTP trigger: its function, its path below the prefix, its methods (none: any)."""

    function: str
    template: str
    methods: frozenset[str]

    @classmethod
    def of_binding(cls, function: str, binding: Mapping[str, Any]) -> "Route":
        """Read the `httpTrigger` binding of `function`, as `function.json` would hold it."""
        methods = binding.get("methods") or []
        return cls(
            function=function,
            template=(binding.get("route") or function).strip("/"),
            methods=frozenset(str(getattr(method, "value", method)).upper() for method in methods),
        )


class RouteTable:
    """All routes of an app; the most literal one wins, whatever the order of definition."""

    def __init__(self, prefix: str, routes: Iterable[Route]) -> None:
        """Compile `routes`, each below `prefix` ("api", or "" for none)."""
        ordered = sorted(routes, key=lambda route: _specificity(route.template))
        self._routes = [(_pattern(prefix, route.template), route) for route in ordered]

    def match(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the function and its route parameters, decoded, or None.

        A known path with another method is None too: the Functions host answers it with 404.
        """
        for pattern, route in self._routes:
            found = pattern.fullmatch(path)
            if found and (not route.methods or method in route.methods):
                given = found.groupdict()
                return route.function, {k: unquote(v) for k, v in given.items() if v is not None}
        return None


def _pattern(prefix: str, template: str) -> re.Pattern[str]:
    pattern = f"/{re.escape(prefix)}" if prefix else ""
    for segment in template.split("/"):
        pattern += _segment_pattern(segment)
    return re.compile(f"{pattern}/?", re.IGNORECASE)


def _segment_pattern(segment: str) -> str:
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None:
        if "{" in segment:
            raise ValueError(f"route segment {segment!r}: a parameter must be a whole segment")
        return "/" + re.escape(segment)
    if parameter["constraint"]:
        raise ValueError(f"route segment {segment!r}: constraints are not supported here")
    if parameter["rest"]:
        return f"(?:/(?P<{parameter['name']}>.*))?"  # `{*rest}` also matches nothing at all.
    return f"/(?P<{parameter['name']}>[^/]+)"


def _specificity(template: str) -> list[int]:
    """Sort key, literal before parameter before `{*rest}`, segment by segment."""
    return [2 if "{*" in part else 1 if "{" in part else 0 for part in template.split("/")]
