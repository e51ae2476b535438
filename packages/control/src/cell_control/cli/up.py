"""`cellctl up`: the local world, which is another package and found by its entry point.

Refuses to load it for anything else: it brings both clouds' stand-ins with it.
"""

from typer import Context, Typer

from cell_control.cli.plugs import GROUP, PASSED_ON, loaded


def add_to(app: Typer, group: str = GROUP) -> None:
    """Add this command to `app`; it is looked up in the entry points of `group`."""

    @app.command("up", context_settings={**PASSED_ON})
    def up(context: Context) -> None:
        """Run the local world here until Ctrl-C: both cells, the edge, a control plane, a lake.

        `cellctl up --help` says what it takes.
        """
        plug = loaded(
            "up",
            group,
            "The local world is not installed here.",
            "In a checkout, `make demo` installs it; elsewhere, install cell-devstack.",
        )
        code = plug(context.args)
        if code:
            raise SystemExit(code)
