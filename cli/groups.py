"""Groups of commands: whose options hold for all commands in them, and whose commands are imported late.

The root group lists names and texts without an import, so that no command waits for the imports of others.
Each command imports its own packages, which takes from 0.1 to 2 seconds of CPU time.
"""

import gc
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from cli.errors import errors_reported, fail
from cli.lab import lab_installed, lab_part
from cli.shown import printable

if TYPE_CHECKING:
    # The copy of Click that comes with Typer.
    from typer._click.core import Command as ClickCommand
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter


_ON_ONE_LINE: Final = {"config": "db", "keys": "audit"}
"""Pairs of commands that share a line, so that the list fits a terminal of 24 lines."""


@dataclass(frozen=True, slots=True)
class LateCommand:
    """A command, or a group of commands, that is not imported yet.

    Attributes:
        target: Its module and name; None for one that ``facegate-lab`` brings, by the name of the command.
    """

    target: str | None
    text: str


class SharingGroup(TyperGroup):
    """A group whose options with a value hold for all of its commands, and may also stand behind them."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Take the options of the group, wherever they stand before a ``--``."""
        names = {name for param in self.params if not getattr(param, "is_flag", True) for name in param.opts}
        own: list[str] = []
        others: list[str] = []
        words = iter(args)
        for word in words:
            if word == "--":
                others += [word, *words]
            elif word in names:
                own += [word, *islice(words, 1)]
                if own[-1] is word:
                    others.clear()  # Its value is missing, which is the error to report.
            else:
                (own if word.partition("=")[0] in names else others).append(word)
        return super().parse_args(ctx, own + others)


class _Commands(Mapping[str, "ClickCommand"]):
    """The commands of the root group by name. The first access to one imports it."""

    def __init__(self, late: Mapping[str, LateCommand]) -> None:
        self._late = late
        self._imported: dict[str, ClickCommand] = {}

    def __getitem__(self, name: str) -> "ClickCommand":
        if name not in self._imported:
            self._imported[name] = _imported(name, self._late[name])
        return self._imported[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._late)

    def __len__(self) -> int:
        return len(self._late)


def root_group(late: Mapping[str, LateCommand]) -> type[TyperGroup]:
    """Return the class of a group with commands that are imported when they run, in the given order.

    Its ``--help`` lists only commands, to fit a terminal of 24 lines.
    """

    class RootGroup(SharingGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = cast("MutableMapping[str, ClickCommand]", _Commands(late))

        def list_commands(self, ctx: "Context") -> list[str]:
            return [name for name, command in late.items() if command.target is not None or lab_installed()]

        def invoke(self, ctx: "Context") -> Any:
            """Report an error of a file that no command expected, such as a name that is too long."""
            try:
                return super().invoke(ctx)
            except typer.BadParameter as error:
                error.message = error.message.removeprefix("Value error, ")  # Pydantic's words.
                raise
            except OSError as error:
                if error.filename is None:
                    raise
                fail(f"{printable(str(error.filename))}: {error.strerror or error}")

        def format_help(self, ctx: "Context", formatter: "HelpFormatter") -> None:
            """Write a line for each command, without options, such as those for shell completion."""
            console = Console(highlight=False)
            console.print(
                f"[yellow]Usage:[/] [bold]{ctx.command_path}[/] \\[--version] \\[--config FILE] "
                "\\[--models-dir DIR] COMMAND ..."
            )
            console.print(self.help)
            commands = Table.grid(padding=(0, 2))
            listed = self.list_commands(ctx)
            for name in listed:
                if name in _ON_ONE_LINE.values():
                    continue
                command = late[name]
                names, text = name, command.text
                if (other := _ON_ONE_LINE.get(name)) is not None:
                    names, text = f"{name}, {other}", f"{text.rstrip('.')}; {late[other].text.lower()}"
                commands.add_row(f"  [bold cyan]{names}[/]", text)
            console.print(commands)
            if missing := [name for name in late if name not in listed]:
                console.print(f"  [dim]With facegate-lab: {', '.join(missing)}.[/]")

    return RootGroup


def _imported(name: str, late: LateCommand) -> "ClickCommand":
    # Modules stay: searching them for garbage while they are imported takes a quarter of the time.
    gc.disable()
    try:
        with errors_reported():
            found = _part(name, late)
    finally:
        gc.enable()
    parent = typer.Typer(rich_markup_mode="markdown")
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name)(found)
    return typer.main.get_group(parent).commands[name]


def _part(name: str, late: LateCommand) -> Any:
    if late.target is None:
        return lab_part(name, f"facegate {name}")
    module, _, attribute = late.target.partition(":")
    return getattr(import_module(module), attribute)
