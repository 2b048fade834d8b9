import io

from facegate.v1 import feedback_pb2
from rich.console import Console

from cli.demo.display import DemoDisplay, hint_name
from tests.cli.demo.builders import judged, scenario


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
