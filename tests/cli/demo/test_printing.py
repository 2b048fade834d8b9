import io
from pathlib import Path

from facegate.v1 import feedback_pb2, result_pb2
from rich.console import Console

from cli.demo.command import conclude
from cli.demo.printing import DemoDisplay, passed_attacks, summary_table, unexpected
from cli.demo.scenarios import hint_name
from tests.cli.demo.builders import all_as_expected, judged, result, scenario


def test_lines_of_two_checks_stay_together_and_each_hint_is_printed_once() -> None:
    sink = io.StringIO()
    with DemoDisplay(Console(file=sink, width=120), checks=2) as display:
        view, other = display.begin(scenario("same-person")), display.begin(scenario("screen-replay"))
        view.rendered(1.0)
        for code in (1, 1, 5, 5, 1):
            view.hint(code, 0.5)
            other.hint(1, 0.5)
        view.deciding(60)
        view.end(judged("same-person"))
        other.end(judged("screen-replay"))
    lines = [line.split()[0] for line in sink.getvalue().splitlines() if line.startswith("      ")]
    assert lines == ["GOOD", "MOVE_BACK", "GOOD", "GOOD"]
    assert "1/2 EXPRESS: The same person" in sink.getvalue()
    assert "✓ SUCCESS" in sink.getvalue()
    assert "the attack passed" in sink.getvalue()


def test_a_terminal_gets_a_bar() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with DemoDisplay(console, checks=1) as display:
        view = display.begin(scenario("same-person"))
        view.rendered(0.5)
        view.hint(feedback_pb2.FEEDBACK_CODE_GOOD, 1.0)
        view.end(judged("same-person"))


def test_an_unknown_code_is_shown_as_a_number() -> None:
    assert hint_name(feedback_pb2.FEEDBACK_CODE_NO_FACE) == "NO_FACE"
    assert hint_name(999) == "999"


def printed(width: int) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width).print(summary_table(all_as_expected()))
    return sink.getvalue()


def test_the_table_fits_a_narrow_terminal_uncut() -> None:
    text = printed(80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_no_word_is_broken_in_a_narrow_terminal() -> None:
    unsure = result(result_pb2.FAILURE_REASON_LIVENESS_INCONCLUSIVE)
    unsure.liveness.verdict = result_pb2.LIVENESS_VERDICT_INCONCLUSIVE
    undecided = judged("same-person", unsure)
    sink = io.StringIO()
    Console(file=sink, width=80).print(summary_table((*all_as_expected(), undecided)))
    words = sink.getvalue().split()
    for record in (*all_as_expected(), undecided):
        assert set(record.scenario.title.split()) <= set(words)
    assert "inconclusive" in words


def test_the_summary_contains_every_outcome() -> None:
    text = " ".join(printed(160).split())
    assert text.count("✓") == 20
    assert "eye distance too small" in text
    assert "not same person" in text
    assert "the attack passed" in text
    assert "97 LIVE" in text
    assert text.index("EXPRESS") < text.index("DOUBT") < text.index("DYNAMIC") < text.index("ATTESTED")
    assert text.count("spoof or undecided") == 7
    assert text.count("! ") == 1
    assert "20 of 20 results have a signature that verifies." in text


def test_attacks_that_passed_are_named() -> None:
    passed = [record.scenario.key for record in passed_attacks(all_as_expected())]
    assert passed == ["screen-replay"]


def test_unexpected_are_those_that_fail_an_expectation() -> None:
    wrong = judged("same-person", result(result_pb2.FAILURE_REASON_SPOOF))
    assert unexpected((*all_as_expected(), wrong)) == (wrong,)


def test_a_machine_that_is_too_busy_is_said() -> None:
    undecided = result(result_pb2.FAILURE_REASON_CONDITIONS)
    undecided.attempts[0].feedback.append(feedback_pb2.FEEDBACK_CODE_CAPTURE_TOO_SLOW)
    late = judged("same-person", undecided)
    plain = judged("same-person", result(result_pb2.FAILURE_REASON_CONDITIONS))
    for record, said in ((late, True), (plain, False)):
        console = Console(file=(sink := io.StringIO()), width=80)
        conclude(console, (*all_as_expected(), record), page=Path("index.html"), seconds=200)
        text = sink.getvalue()
        assert ("late frames" in text) is said
        assert ("this machine is too busy for scans in real time" in text.replace("\n", " ")) is said
