"""``facegate models import``: a folder pack with an embedder of the operator's own."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from matcher.comparison import MatchPolicy, require_calibration_support
from matcher.errors import CalibrationTooWeak
from tests.vision.models import channel_means_model
from vision.packs import load_pack

_RUN = CliRunner()


def _import(embedder: Path, to: Path, assets: Path, *further: str) -> tuple[int, str]:
    answer = _RUN.invoke(
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
    embedder.write_bytes(b"no model")
    (tmp_path / "pack").mkdir()
    assert _import(embedder, tmp_path / "pack", assets)[0] == 2
    assert (tmp_path / "pack").is_dir()


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
