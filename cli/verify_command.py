"""`facegate verify --help`: the options, and below them the knobs of simulated scans."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text
from typer.core import TyperCommand

if TYPE_CHECKING:
    # The copy of Click that comes with Typer; commands are given its contexts.
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

__all__ = ["VerifyCommand"]


class VerifyCommand(TyperCommand):
    """The command with its knobs in the help text."""

    def format_help(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes the usual help, then the knobs."""
        super().format_help(ctx, formatter)
        # Only now: the simulator takes half a second to load.
        from cli.simulation_knobs import knob_lines
        from simulator import FlashScanSettings

        console = Console(highlight=False)
        console.print(Text("Knobs of --set, for a phone whose screen flashes:\n", "bold"))
        for line in knob_lines(FlashScanSettings):
            name = Text(f" {line.name}", "cyan")
            console.print(name + Text(f"  {line.values} [{line.default}]", "default"))
            if line.text:
                console.print(Padding(Text(line.text), (0, 0, 0, 6)))
