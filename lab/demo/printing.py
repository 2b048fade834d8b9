"""The demo in the terminal: a bar and the hints of each running check, its outcome, and a table of all."""

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cli.shown import list_table, say
from cli.verdict import enum_word
from cli.words import feedback_text
from lab.demo.scenarios import (
    DemoRecord,
    Scenario,
    Status,
    expected_reasons,
    hint_name,
    mode_word,
    outcome_text,
)

_RENDERING_SHARE: Final = 0.35
_SCANNING_SHARE: Final = 0.6
_STATUS_STYLES = {
    Status.SUCCESS: "green",
    Status.FAILURE: "red",
    Status.NOT_DECIDED: "yellow",
    Status.REFUSED: "yellow",
}
_MARKS = {True: Text("✓", "green"), False: Text("✗", "bold red"), None: Text("·", "cyan")}


class DemoDisplay:
    """Bars if the console is a terminal, and permanent lines. Several checks may run at once."""

    def __init__(self, console: Console, *, checks: int) -> None:
        """Show ``checks`` checks on ``console``."""
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
        """Start the display of the next check."""
        self._begun += 1
        place = f"{self._begun}/{self._checks} {mode_word(scenario)}: {scenario.title}"
        return CheckView(self._console, self._bars, place)


class CheckView:
    """The display of one check: a bar while it runs, then its hints and its outcome."""

    def __init__(self, console: Console, bars: Progress, place: str) -> None:
        """Show the bar; permanent lines go to ``console``. ``place`` is the number and name of the check."""
        self._console = console
        self._bars = bars
        self._place = place
        self._task: TaskID = bars.add_task(escape(place), total=1.0)
        self._hints: list[int] = []

    def rendered(self, share: float) -> None:
        """Show the rendered share of the scan, 0..1. May be called from another thread."""
        self._update(_RENDERING_SHARE * share, "making the frames")

    def hint(self, code: int, progress: float) -> None:
        """Record a feedback code of the scan, once while it stays the same."""
        self._update(_RENDERING_SHARE + _SCANNING_SHARE * progress, hint_name(code))
        if self._hints[-1:] != [code]:
            self._hints.append(code)

    def deciding(self, frames: int) -> None:
        """Show that all frames of an attempt are sent."""
        self._update(_RENDERING_SHARE + _SCANNING_SHARE, f"deciding over {frames} frames")

    def end(self, record: DemoRecord) -> None:
        """Remove the bar and prints hints and outcome."""
        self._bars.remove_task(self._task)
        self._say(self._place, style="bold")
        for code in self._hints:
            self._say(f"      {hint_name(code):<23} {feedback_text(code)}", style="dim")
        mark = _mark(record)
        outcome = outcome_text(record.status, record.reasons)
        said = f"{outcome}: the attack passed" if record.attack_passed else outcome
        self._say(f"    {mark.plain} {said} ({record.timings.total:.1f} s)", style=str(mark.style))

    def _say(self, text: str, *, style: str) -> None:
        say(text, style=style, console=self._console)

    def _update(self, share: float, doing: str) -> None:
        self._bars.update(self._task, completed=share, description=escape(f"{self._place}: {doing}"))


def unexpected(records: Sequence[DemoRecord]) -> tuple[DemoRecord, ...]:
    """Return the checks with an unexpected outcome."""
    return tuple(record for record in records if record.as_expected is False)


def passed_attacks(records: Sequence[DemoRecord]) -> tuple[DemoRecord, ...]:
    """Return the attacks that were accepted as a living person."""
    return tuple(record for record in records if record.attack_passed)


def summary_table(records: Sequence[DemoRecord]) -> Table:
    """Return scenarios with expected and actual outcomes; fits a terminal of 80 columns."""
    numbers = ("liveness", "simi-\nlarity", "sec-\nonds")
    names = ("", "shown", "expected", "outcome", *numbers)
    title = "Simulated scans, judged through gRPC"
    table = list_table(*names, title=title, right=numbers, box=box.SIMPLE_HEAD, pad_edge=True)
    mode = None
    for record in records:
        expected = record.scenario.expected
        if mode_word(record.scenario) != mode:
            mode = mode_word(record.scenario)
            table.add_section()
            table.add_row("", Text(mode, "bold"))
        table.add_row(
            _mark(record),
            Text(record.scenario.title),
            Text("-", "dim") if expected is None else _outcome(expected.status, expected_reasons(expected)),
            _outcome(record.status, ("the attack passed",) if record.attack_passed else _reasons(record)),
            _liveness(record),
            _similarity(record),
            f"{record.timings.total:.1f}",
        )
    for column in table.columns:
        words = (word for cell in column.cells if isinstance(cell, Text) for word in cell.plain.split())
        column.min_width = max(map(len, words), default=None)  # No word is broken.
    signed = [record for record in records if record.response is not None]
    verified = sum(record.signature_verified for record in signed)
    table.caption = f"{verified} of {len(signed)} results have a signature that verifies."
    table.caption_justify = "left"
    return table


def _reasons(record: DemoRecord) -> tuple[str, ...]:
    late = record.frames_late and record.as_expected is False
    return (*record.reasons[:1], "late frames") if late else record.reasons[:1]


def _mark(record: DemoRecord) -> Text:
    informs = record.as_expected is None
    return Text("!", "yellow") if informs and record.attack_passed else _MARKS[record.as_expected]


def _outcome(status: Status, reasons: tuple[str, ...]) -> Text:
    words = Text(status, _STATUS_STYLES[status])
    for reason in reasons:
        words.append("\n" + reason.lower().replace("_", " "), "default")
    return words


def _liveness(record: DemoRecord) -> Text:
    result = record.result
    if result is None or not result.HasField("liveness"):
        return Text("-", "dim")
    word = enum_word(result.liveness, "verdict")
    return Text(f"{result.liveness.confidence:.0f} {word}")


def _similarity(record: DemoRecord) -> Text:
    result = record.result
    if result is None or not result.match.HasField("similarity"):
        return Text("-", "dim")
    return Text(f"{result.match.similarity:.0f}", "green" if result.match.same_person else "red")
