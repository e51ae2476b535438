"""cellctl's entry point."""

import typer

app = typer.Typer(name="cellctl", no_args_is_help=True)


@app.callback()
def options() -> None:
    """Operate cells and tenants."""


def main() -> None:
    """Run cellctl."""
    app()
