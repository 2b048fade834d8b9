import io

from facegate.v1 import feedback_pb2
from rich.console import Console

from cli.demo.display import DemoDisplay, hint_name
from tests.cli.demo.builders import judged, scenario


def test_a_hint_is_said_once_while_it_stays() -> None:
    sink = io.StringIO()
    with DemoDisplay(Console(file=sink, width=120), checks=2) as display:
        display.begin(scenario("same-person"))
        display.rendered(1.0)
        for code in (1, 1, 5, 5, 1):
            display.hint(code, 0.5)
        display.deciding(60)
        display.end(judged("same-person"))
        display.begin(scenario("screen-replay"))
        display.hint(1, 0.5)
        display.end(judged("screen-replay"))
    lines = [line.split()[0] for line in sink.getvalue().splitlines() if line.startswith("      ")]
    assert lines == ["GOOD", "MOVE_BACK", "GOOD", "GOOD"]
    assert "1/2 The same person" in sink.getvalue()
    assert "✓ SUCCESS" in sink.getvalue()
    assert "the attack passed" in sink.getvalue()


def test_the_bar_never_runs_backwards_over_checks() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    with DemoDisplay(console, checks=1) as display:
        display.begin(scenario("same-person"))
        display.rendered(0.5)
        display.hint(feedback_pb2.FEEDBACK_CODE_GOOD, 1.0)
        display.end(judged("same-person"))


def test_an_unknown_code_is_shown_as_a_number() -> None:
    assert hint_name(feedback_pb2.FEEDBACK_CODE_NO_FACE) == "NO_FACE"
    assert hint_name(999) == "999"
