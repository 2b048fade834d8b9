"""The help of `verify` and `scan`: options, and with ``--help-all`` the knobs and the test devices."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.help import Command

if TYPE_CHECKING:
    # The copy of Click that comes with Typer; commands are given its contexts.
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

__all__ = ["ScanCommand", "VerifyCommand"]


class VerifyCommand(Command):
    """A command with knobs and test devices in its whole help."""

    common: tuple[str, ...] = (
        "--trusted",
        "--scan",
        "--simulate",
        "--mode",
        "--policy",
        "--out",
        "--jwks",
        "--json",
    )

    def format_help_all(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes the options, then the knobs and the test devices."""
        super().format_help_all(ctx, formatter)
        # Imported late: the simulator takes half a second to load.
        from simulator import FlashKind, ScanKind
        from simulator.devices import KINDS
        from simulator.phone import flash_settings, knob_lines, scan_settings

        console = Console(highlight=False)
        for title, kinds in (("", tuple(ScanKind)), (" in front of a screen that flashes", tuple(FlashKind))):
            console.print(Text(f"Kinds of --simulate{title}:\n", "bold"))
            console.print(Padding(Text(", ".join(kinds), "cyan"), (0, 0, 1, 1)))
        for title, settings in (
            ("with a phone whose screen flashes", flash_settings(FlashKind.GENUINE, seed=0)),
            ("without a flash", scan_settings(ScanKind.GENUINE, seed=0)),
        ):
            console.print(Text(f"Knobs of --set, {title}:\n", "bold"))
            for line in knob_lines(settings):
                name = Text(f" {line.name}", "cyan")
                console.print(name + Text(f"  {line.values} [{line.default}]", "default"))
                console.print(Padding(Text(line.text), (0, 0, 0, 6)))
            console.print()
        console.print(Text("Kinds of --test-device:\n", "bold"))
        for kind, device in KINDS.items():
            console.print(Text(f" {kind}", "cyan") + Text(f"  {device.description}", "default"))
        console.print()


class ScanCommand(VerifyCommand):
    """The same for the device alone."""

    common = ("--token-file", "--challenge-key", "--server", "--scan", "--simulate", "--photo")
