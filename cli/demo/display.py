"""The demo in the terminal while it runs: a bar for each running check, and the outcomes of finished ones."""

from types import TracebackType
from typing import Final, Self

from facegate.v1 import feedback_pb2
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cli.demo.record import DemoRecord
from cli.demo.scenarios import Scenario
from cli.demo.words import mode_word, outcome_text
from cli.verdict import enum_word
from cli.words import feedback_text

__all__ = ["CheckView", "DemoDisplay", "hint_name"]

_RENDERING_SHARE: Final = 0.35
_SCANNING_SHARE: Final = 0.6


def hint_name(code: int) -> str:
    """Returns the name of a feedback code without its prefix."""
    return enum_word(feedback_pb2.FeedbackCode.Name, code, "FEEDBACK_CODE_")


class DemoDisplay:
    """Bars if the console is a terminal, and permanent lines. Several checks may run at once."""

    def __init__(self, console: Console, *, checks: int) -> None:
        """Shows ``checks`` checks on ``console``."""
        self._console = console
        self._checks = checks
        self._begun = 0
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, scenario: Scenario) -> "CheckView":
        """Starts the display of the next check."""
        self._begun += 1
        place = f"{self._begun}/{self._checks} {mode_word(scenario)}: {scenario.title}"
        return CheckView(self._console, self._bars, place)


class CheckView:
    """The display of one check: a bar while it runs, then its hints and its outcome."""

    def __init__(self, console: Console, bars: Progress, place: str) -> None:
        """Shows the bar.

        Args:
            console: Console for the permanent lines.
            bars: Progress display for the bar.
            place: Number and name of the check.
        """
        self._console = console
        self._bars = bars
        self._place = place
        self._task: TaskID = bars.add_task(escape(place), total=1.0)
        self._hints: list[int] = []

    def rendered(self, share: float) -> None:
        """Shows the rendered share of the scan, 0..1. May be called from another thread."""
        self._update(_RENDERING_SHARE * share, "making the frames")

    def hint(self, code: int, progress: float) -> None:
        """Records a feedback code of the scan, once while it stays the same."""
        self._update(_RENDERING_SHARE + _SCANNING_SHARE * progress, hint_name(code))
        if self._hints[-1:] != [code]:
            self._hints.append(code)

    def deciding(self, frames: int) -> None:
        """Shows that all frames of an attempt are sent."""
        self._update(_RENDERING_SHARE + _SCANNING_SHARE, f"deciding over {frames} frames")

    def end(self, record: DemoRecord) -> None:
        """Removes the bar and prints hints and outcome."""
        self._bars.remove_task(self._task)
        self._say(self._place, style="bold")
        for code in self._hints:
            self._say(f"      {hint_name(code):<23} {feedback_text(code)}", style="dim")
        mark, style = {True: ("✓", "green"), False: ("✗", "bold red"), None: ("·", "cyan")}[
            record.as_expected
        ]
        if record.as_expected is None and record.attack_passed:
            mark, style = "!", "yellow"
        outcome = outcome_text(record.status, record.reasons)
        said = f"{outcome}: the attack passed" if record.attack_passed else outcome
        self._say(f"    {mark} {said} ({record.timings.total:.1f} s)", style=style)

    def _say(self, text: str, *, style: str) -> None:
        self._console.print(escape(text), style=style, highlight=False)

    def _update(self, share: float, doing: str) -> None:
        self._bars.update(self._task, completed=share, description=escape(f"{self._place}: {doing}"))
