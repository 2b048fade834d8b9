"""The help of all commands: `--help` fits a terminal of 24 lines, and `--help-all` shows everything.

`--help` shows the first paragraph of a command, its first examples, its arguments and its common options,
each with the first sentence of its text.
"""

import copy
import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Final

from typer import Typer
from typer.core import TyperArgument, TyperCommand, TyperOption

if TYPE_CHECKING:
    # The copy of Click that comes with Typer.
    from typer._click.core import Context, Parameter
    from typer._click.formatting import HelpFormatter

__all__ = ["HELP_ALL", "Command", "add_help_all", "brief"]

HELP_ALL: Final = "--help-all"
_MOST_EXAMPLES: Final = 2
_SENTENCE_END: Final = re.compile(r"(?<=\.)\s+(?=[A-Z`])")


class Command(TyperCommand):
    """A command with `--help-all`.

    Attributes:
        common: The options that `--help` shows, such as ``"--pack"``; all if empty.
    """

    common: tuple[str, ...] = ()

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Prints the whole help if ``--help-all`` is among the arguments."""
        if HELP_ALL in args:
            self.format_help_all(ctx, ctx.make_formatter())
            ctx.exit()
        return super().parse_args(ctx, args)

    def format_help(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes the short help."""
        short = copy.copy(self)
        short.params = [_shortened(param) for param in self.params if self._is_common(param)]
        short.help = _short(self.help or "")
        if short.help != cleandoc(self.help or "") or _texts(short.params) != _texts(self.params):
            short.epilog = f"`{ctx.command_path} {HELP_ALL}` shows all options, examples and details."
        TyperCommand.format_help(short, ctx, formatter)

    def format_help_all(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Writes the whole help."""
        super().format_help(ctx, formatter)

    def _is_common(self, param: "Parameter") -> bool:
        return (
            not self.common or isinstance(param, TyperArgument) or not {*self.common}.isdisjoint(param.opts)
        )


def brief(*common: str) -> type[Command]:
    """Returns a class of commands. Their `--help` shows only the given options."""
    return type("BriefCommand", (Command,), {"common": common})


def add_help_all(app: Typer) -> None:
    """Makes every command of an application, and of its groups, a ``Command``."""
    for command in app.registered_commands:
        if command.cls is None or not issubclass(command.cls, Command):
            command.cls = Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            add_help_all(group.typer_instance)


def _shortened(param: "Parameter") -> "Parameter":
    """Returns a copy of a parameter with the first sentence of its text, without its environment variable."""
    short = copy.copy(param)
    if isinstance(short, TyperArgument | TyperOption) and (text := short.help) is not None:
        whole = text.partition("  [default: ")[0] if text.endswith("]") else text
        short.help = _SENTENCE_END.split(whole)[0] + text[len(whole) :]
        if isinstance(short, TyperOption) and short.show_default is True and _has_default(param):
            # Rich prints a default that is not part of the text on a line of its own.
            short.help += f"  [default: {param.default}]"
            short.show_default = False
        short.show_envvar = False
    return short


def _has_default(param: "Parameter") -> bool:
    return isinstance(param.default, str | int | float) and not isinstance(param.default, bool)


def _texts(params: "list[Parameter]") -> list[str | None]:
    return [getattr(param, "help", None) for param in params]


def _short(text: str) -> str:
    """Returns the first paragraph of a help text and its first examples, as Markdown."""
    first, *others = re.split(r"\n\s*\n", cleandoc(text))
    examples = [" ".join(part.split()) for part in others]
    examples = [part.removeprefix("Examples: ") for part in examples]
    lines = [f"- {part}" for part in examples if part.startswith("facegate ")]
    return "\n\n".join([first, "\n".join(lines[:_MOST_EXAMPLES])] if lines else [first])
