"""``facegate models import``: a folder pack with an embedder of the operator's own."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from matcher.comparison import MatchPolicy, check_calibration_supports
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
    assert "facegate calibrate match" in output
    pack = load_pack(f"open:{tmp_path / 'pack'}")
    assert pack.template_form.model == "mine"
    assert pack.template_form.preprocessing.endswith("+mirror")
    with pytest.raises(CalibrationTooWeak) as refused:
        check_calibration_supports(pack.match_calibration, MatchPolicy(max_fmr=0.5))
    assert refused.value.supported_fmr == 1.0
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
