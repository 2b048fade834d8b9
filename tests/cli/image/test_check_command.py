"""``facegate image check`` as a user runs it."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cli.image import command
from cli.image.command import app
from matcher.records import EyeCentres, RecordMetadata, RecordVersion, build_record, serialise
from tests.server.live import portrait
from tests.server.models_once import remembering_pack
from vision.errors import DecoderUnavailable, ModelFailed
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import Pack

runner = CliRunner(env={"COLUMNS": "100"})


@pytest.fixture(autouse=True)
def _pack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded pack with cached answers, without the settings of the machine."""

    def load(spec: str, **_: object) -> Pack:
        assert spec == "embedded"
        return remembering_pack()

    monkeypatch.setattr(command, "load_pack", load)
    monkeypatch.delenv("FACEGATE_CONFIG", raising=False)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = runner.invoke(app, ["check", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def checked(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    status, output, error = run(*arguments, "--json")
    assert error == ""
    return status, json.loads(output)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.jpg"
    file.write_bytes(portrait())
    return file


@pytest.fixture
def small(tmp_path: Path) -> Path:
    image = cv2.imdecode(np.frombuffer(portrait(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    half: BgrImage = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA).astype(np.uint8)
    file = tmp_path / "small.jpg"
    file.write_bytes(encode_jpeg(half, 95))
    return file


def test_a_settings_file_chooses_pack_policy_and_models(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the server with these settings, unless an option names another one."""
    asked: list[tuple[str, object]] = []

    def load(spec: str, *, models_dir: Path) -> Pack:
        asked.append((spec, models_dir))
        return remembering_pack()

    monkeypatch.setattr(command, "load_pack", load)
    policies = tmp_path / "policies"
    policies.mkdir()
    policy_file(policies, "")
    config = tmp_path / "facegate.toml"
    config.write_text(
        f'pack = "open"\nmodels_dir = "{tmp_path}/models"\npolicies.folder = "{policies}"\n'
        'policies.default = "mine"\n'
    )
    monkeypatch.setenv("FACEGATE_CONFIG", str(config))
    assert "the policy mine" in " ".join(run(good)[1].split())
    assert "the policy low" in " ".join(run(good, "--pack", "embedded", "--policy", "low")[1].split())
    assert asked == [("open", tmp_path / "models"), ("embedded", tmp_path / "models")]
    config.write_text("nonsense = 1\n")
    status, _, error = run(good)
    assert (status, "nonsense" in error) == (2, True)


def policy_file(folder: Path, portrait_rules: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(
        'name = "mine"\nversion = 1\ndescription = "Mine."\nmode = "EXPRESS"\n'
        f"[match]\nmax_fmr = 0.01\n[portrait]\n{portrait_rules}\n"
    )
    return file


def line_of(output: str, code: str) -> str:
    (line,) = (line for line in output.split("Remedies:", maxsplit=1)[0].splitlines() if f" {code} " in line)
    return line


def test_a_good_portrait_is_conformant(good: Path) -> None:
    status, output, error = run(good)
    assert (status, error) == (0, "")
    assert output.startswith("CONFORMANT")
    assert "image/jpeg" in output
    assert "policy standard (profile facegate), pack embedded" in output.replace("\n", " ")
    assert line_of(output, "inter_eye_distance").startswith("✓")
    assert "at least 85 px (hard)" in line_of(output, "inter_eye_distance")
    assert "█" in line_of(output, "sharpness")
    assert line_of(output, "unified_quality_score").startswith("·")
    assert "not assessed" in line_of(output, "unified_quality_score")
    assert "Summary" not in output


def test_one_that_is_too_small_is_not(small: Path) -> None:
    status, output, _ = run(small)
    assert status == 1
    assert output.startswith("NOT CONFORMANT")
    assert line_of(output, "inter_eye_distance").startswith("✗")
    assert "Remedies:" in output
    assert "✗ The face has too few pixels:" in output


def test_advice_does_not_decide(good: Path, tmp_path: Path) -> None:
    nothing_is_good_enough = "[portrait.requirements.dynamic_range]\nminimum_score = 100"
    status, output, _ = run(good, "--policy", policy_file(tmp_path, nothing_is_good_enough))
    assert status == 0
    assert line_of(output, "dynamic_range").startswith("!")
    hard = nothing_is_good_enough + '\nseverity = "hard"'
    status, output, _ = run(good, "--policy", policy_file(tmp_path, hard))
    assert status == 1
    assert line_of(output, "dynamic_range").startswith("✗")


def test_the_declarations_of_a_record_are_reported(good: Path, tmp_path: Path) -> None:
    wrong = RecordMetadata(eyes=EyeCentres(left=(12, 10), right=(10, 12)))
    record = build_record(good.read_bytes(), version=RecordVersion.ISO_19794_5_2011, metadata=wrong)
    file = tmp_path / "record.iso"
    file.write_bytes(serialise(record))
    status, output, _ = run(file)
    assert status == 0
    assert "image/jpeg in ISO/IEC 19794-5:2011" in output
    assert line_of(output, "declared_size").startswith("✓")
    assert line_of(output, "declared_eye_positions").startswith("!")


def test_json_has_everything(good: Path) -> None:
    status, (found,) = checked(good)
    assert status == 0
    assert found["answer"] == "CONFORMANT"
    assert (found["media_type"], found["container"]) == ("image/jpeg", None)
    by_code = {each["code"]: each for each in found["requirements"]}
    eyes = by_code["inter_eye_distance"]
    assert (eyes["severity"], eyes["passed"], eyes["unit"]) == ("HARD", True, "px")
    assert eyes["value"] == pytest.approx(found["eye_distance_px"], abs=0.01)
    assert by_code["head_size"]["method"] == "STANDARD"
    covered = by_code["no_head_coverings"]
    assert (covered["passed"], covered["score"], covered["method"]) == (None, None, None)
    assert covered["unassessed"]


def test_several_files_are_summed_up(good: Path, small: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pdf"
    nothing.write_bytes(b"%PDF-1.7\n")
    status, output, _ = run(good, small, nothing)
    assert status == 1
    assert "IMAGE_FORMAT_NOT_SUPPORTED" in output
    assert "3 images: 1 conformant, 2 not conformant, 0 undecided." in output
    summary = output[output.index("Summary") :]
    assert "inter_eye_distance" in summary


def test_a_file_that_is_not_there_is_undecided(good: Path, tmp_path: Path) -> None:
    status, (first, second) = checked(good, tmp_path / "none.jpg")
    assert status == 2
    assert (first["answer"], second["answer"]) == ("CONFORMANT", "UNDECIDED")
    assert "cannot be read" in second["message"]


@pytest.mark.parametrize(
    "failure", [ModelFailed("it broke"), DecoderUnavailable("none is free", retry_after=1)]
)
def test_where_a_model_or_a_decoder_fails_it_is_undecided(
    good: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def examine(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(command, "examine_portrait", examine)
    status, (found,) = checked(good)
    assert (status, found["answer"], found["message"]) == (2, "UNDECIDED", str(failure))


def test_a_hard_requirement_that_was_not_assessed_is_undecided(tmp_path: Path) -> None:
    """A grey face has no colour with which to detect a mask."""
    image = cv2.imdecode(np.frombuffer(portrait(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    file = tmp_path / "grey.png"
    file.write_bytes(cv2.imencode(".png", image)[1].tobytes())
    policy = policy_file(tmp_path, '[portrait.requirements.mouth_occlusion_prevention]\nseverity = "hard"')
    status, output, _ = run(file, "--policy", policy)
    assert status == 2
    assert output.startswith("UNDECIDED")
    line = line_of(output, "mouth_occlusion_prevention")
    assert line.startswith("✗")
    assert "not assessed (hard)" in line


@pytest.mark.parametrize(
    ("policy", "message"),
    [("nope", "no policy is named 'nope'"), ("/nowhere/mine.toml", "cannot be read")],
)
def test_a_policy_that_is_not_there(good: Path, policy: str, message: str) -> None:
    status, output, error = run(good, "--policy", policy)
    assert (status, output) == (2, "")
    assert message in error


def test_a_policy_that_the_pack_cannot_meet(good: Path, tmp_path: Path) -> None:
    policy = policy_file(tmp_path, 'profile = "iso_full_frontal"')
    status, output, error = run(good, "--policy", policy)
    assert (status, output) == (2, "")
    assert "eyes_open" in error
    assert "Choose another pack" in error


def test_two_persons_are_reported_with_everything_else(good: Path, tmp_path: Path) -> None:
    image = cv2.imdecode(np.frombuffer(portrait(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    file = tmp_path / "two.jpg"
    file.write_bytes(encode_jpeg(np.hstack([image, image]).astype(np.uint8), 90))
    status, output, _ = run(file)
    assert status == 1
    assert line_of(output, "face_count").startswith("✗")
    assert "2 faces; exactly 1 face (hard)" in line_of(output, "face_count")


def test_jpeg_2000_starts_its_decoder_by_itself(tmp_path: Path) -> None:
    from PIL import Image

    image = cv2.imdecode(np.frombuffer(portrait(), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    file = tmp_path / "portrait.jp2"
    Image.fromarray(image[..., ::-1]).save(file, format="JPEG2000", quality_layers=[20])
    status, (found,) = checked(file)
    assert (status, found["media_type"]) == (0, "image/jp2")
