import io

from rich.console import Console

from cli.models.tables import TerminalProgress


def drive(progress: TerminalProgress) -> None:
    with progress:
        progress.planned("a[b].onnx", size=1_000_000)
        progress.planned("c.onnx", size=None)
        progress.moved("a[b].onnx", done=500_000)
        progress.ended("a[b].onnx", how="1.0 MB")
        progress.ended("c.onnx", how="left out")


def test_one_line_a_file_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    drive(TerminalProgress(Console(file=stream, force_terminal=False)))
    assert stream.getvalue().split("\n") == ["a[b].onnx: 1.0 MB", "c.onnx: left out", ""]


def test_bars_on_a_terminal() -> None:
    stream = io.StringIO()
    drive(TerminalProgress(Console(file=stream, force_terminal=True, width=120)))
    assert "all files" in stream.getvalue()
    assert "a[b].onnx: 1.0 MB\n" in stream.getvalue()
