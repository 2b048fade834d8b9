"""``facegate models pull`` and ``import`` as a user runs them, also with real files."""

import io
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import chosen
from cli.main import app
from cli.models import command
from cli.models.tables import TerminalProgress
from matcher.comparison import MatchPolicy, require_calibration_support
from matcher.errors import CalibrationTooWeak
from tests.vision.models import channel_means_model
from tests.vision.packs.pulled_files import write_pulled_files
from tests.vision.packs.pulling.pulling import CONTENTS, make_pack, put, snapshot
from tests.vision.packs.pulling.pulling import pull as pull_in_process
from vision.errors import FileNotOffered, FileRefused
from vision.packs import CataloguePack, load_pack
from vision.packs.catalogue import Catalogue, load_catalogue
from vision.packs.pulling.installed import RECORD, read_acceptance, sha256_of

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


def _import(embedder: Path, to: Path, assets: Path, *further: str) -> tuple[int, str]:
    answer = runner.invoke(
        app,
        [
            "models", "import", str(embedder), "--beside", f"open:{assets / 'models'}", "--to", str(to),
            "--weights", "Apache-2.0", "--training-data", "unknown", *further,
        ],
    )  # fmt: skip
    return answer.exit_code, answer.output


def test_it_makes_a_pack_that_supports_no_policy_before_it_is_calibrated(
    tmp_path: Path, assets: Path
) -> None:
    embedder = tmp_path / "mine.onnx"
    embedder.write_bytes(channel_means_model(size=112))
    status, output = _import(embedder, tmp_path / "pack", assets)
    assert status == 0, output
    assert "--calibration calibration.toml" in output
    pack = load_pack(f"open:{tmp_path / 'pack'}")
    assert pack.template_form.model == "mine"
    assert pack.template_form.preprocessing.endswith("+mirror")
    with pytest.raises(CalibrationTooWeak) as refused:
        require_calibration_support(pack.match_calibration, MatchPolicy(max_fmr=0.5))
    assert refused.value.supported_fmr == 1.0
    assert "no calibration for the embedder of this pack" in str(refused.value)
    terms = {each.part: each.weights for each in pack.terms}
    assert terms["mine.onnx"] == "Apache-2.0"


def test_it_leaves_nothing_behind_where_the_file_is_no_embedder(tmp_path: Path, assets: Path) -> None:
    embedder = tmp_path / "mine.onnx"
    embedder.write_bytes(b"no model")
    status, output = _import(embedder, tmp_path / "pack", assets)
    assert status == 2, output
    assert not (tmp_path / "pack").exists()


def test_an_existing_folder_is_kept(tmp_path: Path, assets: Path) -> None:
    embedder = tmp_path / "mine.onnx"
    embedder.write_bytes(channel_means_model(size=112))
    (tmp_path / "pack").mkdir()
    status, output = _import(embedder, tmp_path / "pack", assets)
    assert status == 2, output
    assert list((tmp_path / "pack").iterdir()) == []


def test_it_states_the_calibration_of_an_embedder_that_facegate_knows(tmp_path: Path, assets: Path) -> None:
    embedder = assets / "models_more" / "edgeface_xs_q_fp32.onnx"
    status, output = _import(embedder, tmp_path / "pack", assets, "--no-mirror")
    assert status == 0, output
    assert re.search(r"own calibration \(measured\) supports bounds on FMR down to [\d.e-]+", output), output


@pytest.mark.parametrize(
    ("name", "further", "expected"),
    [
        ("det_500m.onnx", (), "is the file det_500m.onnx of Facegate's catalogue (detector)"),
        ("face_landmarker.task", (), "is not named *.onnx"),
        ("det_500m.onnx", ("--training-data", " "), "neither may be empty"),
    ],
)
def test_it_states_why_a_file_cannot_be_imported(
    tmp_path: Path, assets: Path, name: str, further: tuple[str, ...], expected: str
) -> None:
    status, output = _import(assets / "models" / name, tmp_path / "pack", assets, *further)
    assert status == 2
    assert expected in output.replace("\n", " ")
    assert not (tmp_path / "pack").exists()


def test_a_name_of_the_catalogue_is_refused(tmp_path: Path, assets: Path) -> None:
    embedder = tmp_path / "w600k_r50.onnx"
    embedder.write_bytes(channel_means_model(size=112))
    status, output = _import(embedder, tmp_path / "pack", assets)
    assert status == 2
    assert "rename it before the import" in output.replace("\n", " ")


def run_models(*arguments: str | Path) -> tuple[int, str]:
    result = runner.invoke(app, ["models", *map(str, arguments)])
    return result.exit_code, result.stdout + result.stderr


@pytest.fixture
def published(assets: Path, tmp_path: Path) -> Path:
    """A folder with the files of the pack ``open`` under the names of their publishers."""
    pack = load_catalogue().pack("open")
    assert pack is not None
    return write_pulled_files(pack, assets, tmp_path / "published")


def test_from_a_folder_to_a_bundle_to_another_machine(published: Path, tmp_path: Path) -> None:
    here, there = ("--models-dir", tmp_path / "here"), ("--models-dir", tmp_path / "there")
    status, output = run_models("pull", "open", "--mirror", published, *here)
    assert status == 0, output
    assert run_models("show", "open", *here)[0] == 0
    assert run_models("bundle", "open", "--out", tmp_path / "open.tar", *here)[0] == 0
    assert run_models("pull", "open", "--mirror", tmp_path / "open.tar", *there)[0] == 0
    assert run_models("show", "open", *there)[0] == 0


async def test_a_folder_with_state_files_suffices(assets: Path, tmp_path: Path) -> None:
    pack = load_catalogue().pack("open")
    assert pack is not None
    mirror = assets / "models"
    converted = {entry.file_name: entry for entry in pack.fetched if entry.state_file is not None}
    assert not any((mirror / name).exists() for name in converted)
    report = await pull_in_process(mirror, tmp_path, pack)
    origins = {file.name: file.origin for file in report.fetched}
    for name, entry in converted.items():
        assert entry.state_file is not None
        assert origins[name] == str(mirror / entry.state_file.name)
        assert sha256_of(report.folder / name) == entry.converted_sha256
    assert run_models("show", "open", "--models-dir", tmp_path)[0] == 0
    assert {file.name for file in load_pack("open", models_dir=tmp_path).files} == set(origins)


async def test_an_altered_state_file_is_refused(assets: Path, tmp_path: Path) -> None:
    pack, mirror = _network(assets, tmp_path)
    (entry,) = pack.required
    assert entry.state_file is not None
    path = mirror / entry.state_file.name
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(
        FileRefused, match=f"{entry.state_file.name} .*expected SHA-256 {entry.state_file.sha256}"
    ):
        await pull_in_process(mirror, tmp_path / "m", pack)
    assert not (tmp_path / "m/open").exists()


async def test_a_conversion_that_the_catalogue_does_not_know_is_refused(assets: Path, tmp_path: Path) -> None:
    pack, mirror = _network(assets, tmp_path)
    other = replace(pack, required=(replace(pack.required[0], converted_sha256=None),))
    with pytest.raises(FileRefused, match=f"open:{mirror}"):
        await pull_in_process(mirror, tmp_path / "m", other)
    assert not (tmp_path / "m/open").exists()


async def test_the_state_file_is_named_if_a_folder_has_neither(assets: Path, tmp_path: Path) -> None:
    pack, mirror = _network(assets, tmp_path)
    (entry,) = pack.required
    assert entry.state_file is not None
    (mirror / entry.state_file.name).unlink()
    with pytest.raises(FileNotOffered, match=entry.state_file.name):
        await pull_in_process(mirror, tmp_path / "m", pack)


def _network(assets: Path, folder: Path) -> tuple[CataloguePack, Path]:
    """A pack of one of Silent-Face's networks, and a mirror that has only its state file."""
    pack, entry = load_catalogue().pack("open"), load_catalogue().by_name("MiniFASNetV2.onnx")
    assert pack is not None
    assert entry is not None
    assert entry.state_file is not None
    mirror = folder / "mirror"
    mirror.mkdir()
    name = entry.state_file.name
    (mirror / name).write_bytes((assets / "models" / name).read_bytes())
    return replace(pack, required=(entry,), networks=(), optional=()), mirror


def test_insightface_files_are_not_fetched_unseen(assets: Path, tmp_path: Path) -> None:
    status, output = run_models("pull", "buffalo_s", "--mirror", assets / "models", "--models-dir", tmp_path)
    assert status == 2
    assert "WebFace600K" in output
    assert "facegate models pull buffalo_s --accept" in " ".join(output.split())
    assert list(tmp_path.iterdir()) == []
