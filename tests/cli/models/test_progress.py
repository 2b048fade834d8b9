import io
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from cli.models.install import pull_pack
from cli.models.progress import TerminalProgress
from tests.cli.models.builders import CONTENTS, make_pack, put


@dataclass
class Recorder:
    """Records its calls."""

    sizes: dict[str, int | None] = field(default_factory=dict)
    done: dict[str, list[int]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)

    def planned(self, file: str, *, size: int | None) -> None:
        self.sizes[file] = size

    def moved(self, file: str, *, done: int) -> None:
        self.done.setdefault(file, []).append(done)

    def ended(self, file: str, *, how: str) -> None:
        self.ends[file] = how

    def say(self, text: str) -> None:
        raise AssertionError(text)


async def test_a_pull_reports_every_file(tmp_path: Path) -> None:
    recorder = Recorder()
    mirror = put(tmp_path / "mirror")
    await pull_pack(make_pack(), models_dir=tmp_path / "m", source=str(mirror), progress=recorder)
    assert recorder.sizes == {name: len(data) for name, data in CONTENTS.items()}
    assert {name: done[-1] for name, done in recorder.done.items()} == recorder.sizes
    assert set(recorder.ends) == set(CONTENTS)


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
