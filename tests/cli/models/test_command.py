"""``facegate models show|bundle`` as a user runs them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import chosen
from cli.main import app
from lab.packs import load_catalogue as load_lab_catalogue
from tests.packs import shared_pack
from tests.vision.packs.pulling.pulling import CONTENTS, make_entry, make_pack, put
from vision.packs.catalogue import Catalogue, load_catalogue

runner = CliRunner(env={"COLUMNS": "100"})


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A catalogue with one simulated pack, installed; returns the models folder."""
    pack = make_pack()
    monkeypatch.setattr(chosen, "load_catalogue", lambda: Catalogue(entries=pack.members, packs=(pack,)))
    put(tmp_path / "toy")
    return tmp_path


def run(*arguments: str | Path, models_dir: Path) -> tuple[int, str, str]:
    result = runner.invoke(app, ["models", *map(str, (*arguments, "--models-dir", models_dir))])
    return result.exit_code, result.stdout, result.stderr


def test_the_real_catalogue_is_listed(tmp_path: Path) -> None:
    status, output, _ = run("show", models_dir=tmp_path)
    assert status == 0
    for pack in load_catalogue().packs:
        assert pack.name in output
    status, output, _ = run("show", "--json", models_dir=tmp_path)
    listed = {one["pack"]: one for one in json.loads(output)}
    assert listed["buffalo_l"]["restricts_use"] is True
    assert listed["open"]["restricts_use"] is False
    assert listed.pop("embedded")["installed"] == "yes"
    assert {one["installed"] for one in listed.values()} == {"no"}


def test_the_known_part_of_a_size_is_listed(tmp_path: Path) -> None:
    output = run("show", models_dir=tmp_path)[1]
    (row,) = (line for line in output.splitlines() if line.split()[:1] == ["open"])
    assert "over 9.9 MB" in row  # The catalogue does not know the size of two PAD networks.


def test_the_embedded_pack_is_listed_as_installed(tmp_path: Path) -> None:
    row = next(line for line in run("show", models_dir=tmp_path)[1].splitlines() if "embedded" in line)
    assert "yes" in row


def test_list_shows_the_state_of_each_pack(toy: Path) -> None:
    def installed() -> str:
        return str(json.loads(run("show", "--json", models_dir=toy)[1])[0]["installed"])

    assert installed() == "yes"
    (toy / "toy/detector.onnx").write_bytes(b"altered")
    assert installed() == "altered"
    assert "altered" in run("show", models_dir=toy)[1]
    (toy / "toy/detector.onnx").unlink()
    assert installed() == "partly"


def test_the_environment_names_the_folder(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_MODELS_DIR", str(toy))
    result = runner.invoke(app, ["models", "show", "--json"])
    assert json.loads(result.stdout)[0]["folder"] == str(toy / "toy")


def test_the_settings_file_names_the_folder_for_every_command(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/operating.md says of FACEGATE_CONFIG."""
    config = tmp_path / "facegate.toml"
    config.write_text(f'models_dir = "{toy}"\n')
    monkeypatch.setenv("FACEGATE_CONFIG", str(config))
    assert json.loads(runner.invoke(app, ["models", "show", "--json"]).stdout)[0]["folder"] == str(
        toy / "toy"
    )
    # What the command line names comes first.
    other = runner.invoke(app, ["models", "show", "--json", "--models-dir", str(tmp_path / "none")])
    assert json.loads(other.stdout)[0]["installed"] == "no"


def test_settings_that_cannot_be_read_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGATE_CONFIG", str(tmp_path / "none.toml"))
    for command in (["show"], ["show", "open"], ["bundle", "open", "--out", str(tmp_path / "x")]):
        result = runner.invoke(app, ["models", *command])
        assert result.exit_code == 2, command
        assert "none.toml: cannot be read" in " ".join(result.stderr.split())
        assert result.exception is None or isinstance(result.exception, SystemExit)


def test_show_prints_every_field(toy: Path) -> None:
    (toy / "toy/detector.onnx").write_bytes(b"altered")
    status, output, _ = run("show", "toy", models_dir=toy)
    assert status == 1
    for entry in make_pack().members:
        assert entry.url is not None
        for fact in (entry.file_name, entry.sha256, entry.url, f"{entry.size:,} bytes", entry.terms.weights):
            assert fact in output
    assert make_entry("x", b"altered").sha256 in output
    shown = json.loads(run("show", "toy", "--json", models_dir=toy)[1])
    assert [file["state"] for file in shown["files"]] == ["altered", "intact", "intact"]


def test_an_unknown_pack_is_reported(tmp_path: Path) -> None:
    for command in (["show"], ["pull"], ["bundle", "--out", tmp_path / "x"]):
        status, _, output = run(*command, "nobody's", models_dir=tmp_path)
        assert status == 2
        assert (
            'no pack is called "nobody\'s". Known: open, open_sface, edgeface, buffalo_l, buffalo_s' in output
        )


def test_show_prints_the_terms(tmp_path: Path) -> None:
    status, output, _ = run("show", "buffalo_l", models_dir=tmp_path)
    assert status == 0
    assert "Non-commercial research only, unless a licence is bought" in output
    assert "They have not been accepted here." in output
    assert "nothing has to be accepted" in run("show", "open", models_dir=tmp_path)[1]


def test_a_pack_without_an_optional_file_is_intact(toy: Path) -> None:
    assert run("show", models_dir=toy)[0] == 0
    (toy / "toy/pad.onnx").unlink()
    status, _, problems = run("show", "toy", models_dir=toy)
    assert (status, problems) == (0, "")


def test_each_problem_and_its_remedy_are_named(toy: Path) -> None:
    (toy / "toy/detector.onnx").write_bytes(b"altered")
    (toy / "toy/embedder.onnx").unlink()
    expected, found = make_pack().required[0].sha256, make_entry("x", b"altered").sha256
    for command in (["show"], ["show", "toy"], ["show", "--json"]):
        status, _, problems = run(*command, models_dir=toy)
        assert status == 1
        assert f"toy: detector.onnx is altered: expected SHA-256 {expected}, found {found}" in problems
        assert "toy: embedder.onnx is missing" in problems
        assert "facegate models pull toy" in problems
    mirror = put(toy / "mirror")
    assert run("pull", "toy", "--mirror", mirror, models_dir=toy)[0] == 0
    assert run("show", models_dir=toy)[0] == 0


def test_a_bundle_can_be_pulled(toy: Path) -> None:
    status, output, _ = run("bundle", "toy", "--out", toy / "x.tar", models_dir=toy)
    assert status == 0
    assert "3 model files, 1.1 MB" in output
    assert run("pull", "toy", "--mirror", toy / "x.tar", models_dir=toy / "elsewhere")[0] == 0
    assert run("show", models_dir=toy / "elsewhere")[0] == 0
    status, _, problem = run("bundle", "toy", "--out", toy / "x.tar", models_dir=toy)
    assert status == 2
    assert "already exists" in problem


def test_the_commands_are_mounted() -> None:
    result = runner.invoke(app, ["models", "--help"])
    assert result.exit_code == 0
    assert "bundle" in result.stdout


def test_every_command_has_examples() -> None:
    for command in ("show", "bundle", "pull"):
        result = runner.invoke(app, ["models", command, "--help"])
        assert result.exit_code == 0
        assert f"facegate models {command}" in result.stdout


def test_the_synthetic_pack_has_its_stated_contents() -> None:
    assert sum(entry.size or 0 for entry in make_pack().members) == sum(map(len, CONTENTS.values()))


def test_the_embedded_pack_is_shown_with_its_terms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dlib")
    monkeypatch.setattr("cli.models.command.load_pack", shared_pack)
    status, output, _ = run("show", "embedded", models_dir=tmp_path)
    assert status == 0
    entry = load_lab_catalogue().only("facegate_pad")
    for fact in (entry.file_name, entry.sha256, entry.terms.weights, "research only: it must not decide"):
        assert fact in output
    shown = json.loads(run("show", "embedded", "--json", models_dir=tmp_path)[1])
    assert shown["evaluation_only"] is True
    assert entry.sha256 in {file["sha256"] for file in shown["files"]}
    assert entry.terms.training_data in run("show", "embedded", models_dir=tmp_path)[1]
