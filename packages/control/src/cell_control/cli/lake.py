"""`cellctl lake`: the lake's own commands, which are another package, and what they ask here.

Refuses to know the lake: it lends them the control plane's API, the streams and the profile.
"""

from typer import Context, Typer

from cell_control.cli.plugs import GROUP, PASSED_ON, loaded, run_lent


def add_to(app: Typer, group: str = GROUP) -> None:
    """Add this command to `app`; it is looked up in the entry points of `group`."""

    @app.command("lake", context_settings={**PASSED_ON})
    def lake(context: Context) -> None:
        """Ask the lake of both clouds, prove it complete, keep it quick to read.

        `cellctl lake --help` says which commands there are.
        """
        plug = loaded(
            "lake",
            group,
            "The lake's commands are not installed here.",
            "In a checkout, `make demo` installs them; elsewhere, install cell-lake[query].",
        )
        code = run_lent(plug, context.args, context.obj)
        if code:
            raise SystemExit(code)
