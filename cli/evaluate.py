"""``facegate evaluate``: measurements over data sets."""

import typer

from cli.whole_checks.command import checks

app = typer.Typer(help="Measure over data sets.", no_args_is_help=True)
app.command()(checks)


@app.callback()
def _evaluate() -> None:
    """Measure over data sets."""  # Keeps `checks` a command of its own while it is the only one.
