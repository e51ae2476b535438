"""`cellctl up`: the local world, which is another package and found by its entry point.

Refuses to load it for anything else: it brings both clouds' stand-ins with it.
"""

from importlib.metadata import entry_points
from typing import Final

from typer import Context, Typer

from cell_control.cli.failures import Exit, Failed

GROUP: Final = "cellctl.commands"
_SETTINGS: Final = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}


def add_to(app: Typer, group: str = GROUP) -> None:
    """Add this command to `app`; it is looked up in the entry points of `group`."""

    @app.command("up", context_settings=_SETTINGS)
    def up(context: Context) -> None:
        """Run the local world here until Ctrl-C: both cells, the edge, a control plane.

        `cellctl up --help` says what it takes.
        """
        found = [one for one in entry_points(group=group) if one.name == "up"]
        if not found:
            raise Failed(
                "The local world is not installed here.",
                "In a checkout, `make demo` installs it; elsewhere, install cell-devstack.",
                exit_code=Exit.UNAVAILABLE,
                code="not_installed",
            )
        code = found[0].load()(context.args)
        if code:
            raise SystemExit(code)
