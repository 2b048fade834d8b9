"""The demo in the terminal while it runs: one bar, and what each scan says."""

from types import TracebackType
from typing import Final, Self

from facegate.v1 import feedback_pb2
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.record import CheckRecord
from cli.demo.scenarios import Scenario
from cli.demo.words import outcome_text
from cli.feedback_text import feedback_text
from cli.verdict_table import enum_word

__all__ = ["DemoDisplay", "hint_name"]

_RENDERING_SHARE: Final = 0.35
_SCANNING_SHARE: Final = 0.6


def hint_name(code: int) -> str:
    """Name of a feedback code without its prefix."""
    return enum_word(feedback_pb2.FeedbackCode.Name, code, "FEEDBACK_CODE_")


class DemoDisplay:
    """A progress bar over all checks where the console is a terminal, and lines that stay."""

    def __init__(self, console: Console, *, checks: int) -> None:
        """Shows ``checks`` checks on ``console``."""
        self._console = console
        self._checks = checks
        self._number = 0
        self._hint: int | None = None
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=float(checks))

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str, *, style: str = "") -> None:
        """A line that stays."""
        self._console.print(escape(text), style=style, highlight=False)

    def begin(self, scenario: Scenario) -> None:
        """The next check begins."""
        self._number += 1
        self._hint = None
        self.say(f"{self._number}/{self._checks} {scenario.title}", style="bold")
        self._update(0.0, "making the frames")

    def rendered(self, share: float) -> None:
        """How much of the scan is rendered, 0..1. May be called from another thread."""
        self._update(_RENDERING_SHARE * share, "making the frames")

    def hint(self, code: int, progress: float) -> None:
        """A feedback code of the scan, said once while it stays the same."""
        self._update(_RENDERING_SHARE + _SCANNING_SHARE * progress, f"scanning: {hint_name(code)}")
        if code != self._hint:
            self._hint = code
            self.say(f"      {hint_name(code):<18} {feedback_text(code)}", style="dim")

    def deciding(self, frames: int) -> None:
        """All frames are out."""
        self._update(_RENDERING_SHARE + _SCANNING_SHARE, f"deciding over {frames} frames")

    def end(self, record: CheckRecord) -> None:
        """A check is over."""
        self._update(1.0, "done")
        mark, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("·", "cyan")}[
            record.as_expected
        ]
        outcome = outcome_text(record.status, record.reasons)
        said = f"{outcome}: the attack passed" if record.attack_passed else outcome
        self.say(f"    {mark} {said} ({record.timings.total:.1f} s)", style=style)

    def _update(self, share: float, doing: str) -> None:
        self._bar.update(
            self._task,
            completed=max(self._number - 1, 0) + share,
            description=f"{self._number}/{self._checks} {doing}",
        )
