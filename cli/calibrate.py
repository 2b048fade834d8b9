"""``facegate calibrate``: derives thresholds from the operator's own data."""

import typer

from cli.help import brief
from cli.match.calibrate_command import calibrate_command

app = typer.Typer(help="Derive thresholds from your own data.", no_args_is_help=True)
app.command("match", cls=brief("--pack", "--identities", "--out"))(calibrate_command)


@app.callback()
def _calibrate() -> None:
    """Derive thresholds from your own data."""  # Keeps `match` a subcommand although it is the only one.
