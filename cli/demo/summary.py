"""All checks of the demo as one table for the terminal."""

from collections.abc import Sequence

from facegate.v1 import result_pb2
from rich import box
from rich.table import Table
from rich.text import Text

from cli.demo.record import DemoRecord
from cli.demo.scenarios import Status
from cli.demo.words import expected_reasons, mode_word
from cli.verdict import enum_word

__all__ = ["passed_attacks", "summary_table", "unexpected"]

_STATUS_STYLES = {
    Status.SUCCESS: "green",
    Status.FAILURE: "red",
    Status.NOT_DECIDED: "yellow",
    Status.REFUSED: "yellow",
}
_MARKS = {True: Text("✓", "green"), False: Text("✗", "bold red"), None: Text("·", "cyan")}


def unexpected(records: Sequence[DemoRecord]) -> tuple[DemoRecord, ...]:
    """Returns the checks with an unexpected outcome."""
    return tuple(record for record in records if record.as_expected is False)


def passed_attacks(records: Sequence[DemoRecord]) -> tuple[DemoRecord, ...]:
    """Returns the attacks that were accepted as a living person."""
    return tuple(record for record in records if record.attack_passed)


def summary_table(records: Sequence[DemoRecord]) -> Table:
    """Returns scenarios with expected and actual outcomes; fits a terminal of 80 columns."""
    table = Table(title="Simulated scans, judged through gRPC", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", justify="center")
    table.add_column("shown")
    table.add_column("expected")
    table.add_column("outcome")
    table.add_column("liveness", justify="right")
    table.add_column("simi-\nlarity", justify="right")
    table.add_column("sec-\nonds", justify="right")
    mode = None
    for record in records:
        expected = record.scenario.expected
        if mode_word(record.scenario) != mode:
            mode = mode_word(record.scenario)
            table.add_section()
            table.add_row("", Text(mode, "bold"))
        table.add_row(
            Text("!", "yellow") if expected is None and record.attack_passed else _MARKS[record.as_expected],
            Text(record.scenario.title),
            Text("-", "dim") if expected is None else _outcome(expected.status, expected_reasons(expected)),
            _outcome(record.status, ("the attack passed",) if record.attack_passed else record.reasons[:1]),
            _liveness(record),
            _similarity(record),
            f"{record.timings.total:.1f}",
        )
    signed = [record for record in records if record.response is not None]
    verified = sum(record.signature_verified for record in signed)
    table.caption = f"{verified} of {len(signed)} results have a signature that verifies."
    table.caption_justify = "left"
    return table


def _outcome(status: Status, reasons: tuple[str, ...]) -> Text:
    words = Text(status, _STATUS_STYLES[status])
    for reason in reasons:
        words.append("\n" + reason.lower().replace("_", " "), "default")
    return words


def _liveness(record: DemoRecord) -> Text:
    result = record.result
    if result is None or not result.HasField("liveness"):
        return Text("-", "dim")
    word = enum_word(result_pb2.LivenessVerdict.Name, result.liveness.verdict, "LIVENESS_VERDICT_")
    return Text(f"{result.liveness.confidence:.0f} {word}")


def _similarity(record: DemoRecord) -> Text:
    result = record.result
    if result is None or not result.match.HasField("similarity"):
        return Text("-", "dim")
    return Text(f"{result.match.similarity:.0f}", "green" if result.match.same_person else "red")
