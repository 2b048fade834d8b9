import io
from pathlib import Path

from rich.console import Console

from cli.analyze.display import AnalysisDisplay


def output(*, terminal: bool) -> str:
    stored = io.StringIO()
    display = AnalysisDisplay(Console(file=stored, width=160, force_terminal=terminal))
    with display.counting(2):
        display.begin(Path("folder/clip\x1b[2J.mp4"))
        display.at_frame(0.0)
        display.at_frame(0.5)
        with display.hidden():
            stored.write("an answer\n")
        display.end()
    return stored.getvalue()


def test_on_a_terminal_files_and_frames_are_counted() -> None:
    shown = output(terminal=True)
    assert r"clip\x1b[2J.mp4: frame 2, at 0.5 s" in shown
    assert "1/2" in shown
    assert "an answer\n" in shown


def test_a_file_gets_nothing_but_the_answers() -> None:
    assert output(terminal=False) == "an answer\n"
