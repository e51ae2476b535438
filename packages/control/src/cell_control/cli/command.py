"""How a function becomes a command: its dataclass parameters are spread into options of their own.

So options that several commands share are written once. Refuses nothing: it is plumbing of Typer.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Final, TypeAlias, get_type_hints

from typer import Context, Typer

from cell_control.cli.session import Session, Shared

_CONTEXT: Final = "ctx"

Parameters: TypeAlias = dict[str, inspect.Parameter]
Function: TypeAlias = Callable[..., None]


def command(app: Typer, name: str) -> Callable[[Function], Function]:
    """Return a decorator that makes `function(session, ...)` the command `name` of `app`.

    A parameter that is a dataclass is given whole; each of its fields is an option or argument.
    """

    def add(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        given = list(inspect.signature(function).parameters.values())[1:]
        groups = {p.name: hints[p.name] for p in given if is_dataclass(hints[p.name])}

        def run(**values: Any) -> None:  # noqa: ANN401 - what the command line holds
            context = values.pop(_CONTEXT)
            session = Session(context.obj, _taken(Shared, values))
            whole = {name: _taken(kind, values) for name, kind in groups.items()}
            try:
                function(session, **values, **whole)
            finally:
                session.close()

        wanted = _spread(given, hints)
        run.__doc__ = function.__doc__
        run.__name__ = function.__name__
        run.__annotations__ = {p.name: p.annotation for p in wanted}
        run.__signature__ = inspect.Signature(wanted)  # type: ignore[attr-defined]  # a function's
        app.command(name)(run)
        return function

    return add


def _spread(given: list[inspect.Parameter], hints: dict[str, Any]) -> list[inspect.Parameter]:
    found = [_parameter(_CONTEXT, Context)]
    for parameter in given:
        hint = hints[parameter.name]
        if is_dataclass(hint):
            found += _of_fields(hint)
        else:
            found.append(_parameter(parameter.name, hint, parameter.default))
    return [*found, *_of_fields(Shared)]


def _of_fields(kind: Any) -> list[inspect.Parameter]:  # noqa: ANN401 - a dataclass
    hints = get_type_hints(kind, include_extras=True)
    return [_parameter(field.name, hints[field.name], _default(field)) for field in fields(kind)]


def _default(field: Field[Any]) -> Any:  # noqa: ANN401 - a field's own
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default


def _parameter(name: str, hint: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:  # noqa: ANN401 - types and defaults
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=hint)


def _taken(kind: Any, values: dict[str, Any]) -> Any:  # noqa: ANN401 - a dataclass
    return kind(**{field.name: values.pop(field.name) for field in fields(kind)})
