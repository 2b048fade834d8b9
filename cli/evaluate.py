"""``facegate evaluate``: measures error rates and outcomes over data sets."""

import typer

from cli.help import brief
from cli.match.evaluate_command import match
from cli.pad.evaluate_command import pad
from cli.whole_checks.command import checks

app = typer.Typer(help="Measure error rates and outcomes over data sets.", no_args_is_help=True)
app.command(cls=brief("--pack", "--identities", "--pairs", "--group-by", "--out", "--json"))(match)
app.command(cls=brief("--pack", "--out", "--json"))(pad)
app.command()(checks)
