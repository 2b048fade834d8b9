"""``facegate models pull`` as a user runs it."""

import io
import shlex
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import chosen
from cli.main import app
from cli.models import command
from cli.models.tables import TerminalProgress
from tests.vision.packs.pulling.pulling import CONTENTS, make_pack, put, snapshot
from vision.packs.catalogue import Catalogue
from vision.packs.pulling.installed import RECORD, read_acceptance

runner = CliRunner()


@pytest.fixture(params=[False, True], ids=["free", "restricted"])
def restricted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the only pack of the catalogue restricts use."""
    pack = make_pack(restricts_use=request.param)
    monkeypatch.setattr(chosen, "load_catalogue", lambda: Catalogue(entries=pack.members, packs=(pack,)))
    return bool(request.param)


@pytest.fixture
def mirror_folder(tmp_path: Path) -> Path:
    return put(tmp_path / "mirror")


def pull(*words: str, folder: Path, mirror: Path, answer: str = "") -> tuple[int, str, str]:
    arguments = ["pull", "toy", "--mirror", str(mirror), "--models-dir", str(folder), *words]
    result = runner.invoke(app, ["models", *arguments], input=answer)
    return result.exit_code, result.stdout, result.stderr


def test_terms_first_and_no_files_without_acceptance(
    tmp_path: Path, mirror_folder: Path, restricted: bool
) -> None:
    folder = tmp_path / "m"
    status, output, problem = pull(folder=folder, mirror=mirror_folder)
    assert "training data  Not published." in output
    assert ("Research only, unless bought." in output) == restricted
    if not restricted:
        assert (status, snapshot(folder / "toy")) == (0, CONTENTS)
        assert output.index("Not published.") < output.index("toy is installed. Files fetched: 3.")
        return
    assert status == 2
    assert not folder.exists()
    # The printed command works unchanged.
    again = shlex.split(problem.rpartition("above: ")[2])
    assert again[:2] == ["facegate", "models"]
    assert runner.invoke(app, again[1:]).exit_code == 0
    accepted = read_acceptance(folder / "toy")
    assert accepted is not None
    assert "Research only, unless bought." in accepted.terms


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_at_a_terminal_it_asks(
    tmp_path: Path, mirror_folder: Path, restricted: bool, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        stdin = stdout = type("Stream", (), {"isatty": staticmethod(lambda: True)})

    monkeypatch.setattr(command, "sys", Terminal)
    folder = tmp_path / "m"
    status, output, _ = pull(folder=folder, mirror=mirror_folder, answer=f"{answer}\n")
    assert ("Do you accept" in output) == restricted
    assert status == (0 if answer == "y" or not restricted else 2)
    assert (folder / "toy" / RECORD).exists() == (restricted and answer == "y")


def test_a_second_pull_fetches_nothing(tmp_path: Path, mirror_folder: Path, restricted: bool) -> None:
    folder = tmp_path / "m"
    assert pull("--accept", folder=folder, mirror=mirror_folder)[0] == 0
    status, output, problem = pull(folder=folder, mirror=tmp_path / "nowhere")
    assert (status, problem) == (0, "")
    assert output == f"toy is installed and intact; nothing was fetched. {folder / 'toy'}\n"
    assert restricted == ("Research" in (folder / "toy" / RECORD).read_text())


@pytest.mark.usefixtures("restricted")
def test_errors_are_reported_in_plain_words(tmp_path: Path, mirror_folder: Path) -> None:
    (mirror_folder / "detector.onnx").write_bytes(bytes(300_000))
    status, _, problem = pull("--accept", folder=tmp_path / "m", mirror=mirror_folder)
    assert status == 2
    assert "detector.onnx" in problem
    assert "expected SHA-256" in problem
    assert not (tmp_path / "m/toy").exists()


@pytest.mark.usefixtures("restricted")
def test_ctrl_c_is_no_traceback(tmp_path: Path, mirror_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "pull_pack", interrupted)
    status, _, problem = pull("--accept", folder=tmp_path / "m", mirror=mirror_folder)
    assert status == 130
    assert "Stopped. Files that arrived whole are kept" in problem


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
    assert "a[b].onnx: 1.0 MB\n" in stream.getvalue()
