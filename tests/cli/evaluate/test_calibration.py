from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import evaluate as evaluate_command
from cli.evaluate import app
from matcher.similarity import fmr_bound
from tests.evaluation.match.reports import pack_of
from tests.evaluation.samples import plain, small_set
from vision.packs.calibration import parse_calibration
from vision.packs.pack import read_operator_calibration


def calibrate(*arguments: object) -> tuple[int, str]:
    """Exit status and all output."""
    result = CliRunner().invoke(app, ["match", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, plain(result.output)


@pytest.fixture
def pack_folder(assets: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    for name in ("det_500m.onnx", "mobilefacenet_foamliu.onnx"):
        (folder / name).symlink_to((assets / "models" / name).resolve())
    return folder


def test_a_small_set_is_measured_and_supports_little(assets: Path, pack_folder: Path, tmp_path: Path) -> None:
    faces = small_set(
        assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl", "cmusatyalab", "ageitgey")
    )
    out = tmp_path / "calibration.toml"
    arguments = ("--pack", f"insightface:{pack_folder}", "--identities", faces, "--calibration", out)
    status, said = calibrate(*arguments)
    assert status == 0, said
    assert "not supported by these data (needs about" in said
    assert str(out) in said
    # The server reads this.
    calibration = read_operator_calibration(out)
    assert calibration.provenance == "measured_by_operator"
    record = calibration.record
    assert record.provenance == "measured"
    assert 8 <= record.identities <= 13
    pairs_of_persons = record.identities * (record.identities - 1) / 2
    assert calibration.lowest_bound >= 2.9 / pairs_of_persons
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
    assert record.command.startswith("facegate evaluate match --identities DIR --pack insightface:DIR ")
    # A file is never replaced.
    before = out.read_bytes()
    status, said = calibrate(*arguments)
    assert (status, "remove it first" in said) == (2, True)
    assert out.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["calibration.toml", "faces", "pack"]


@pytest.mark.slow
def test_of_two_packs_the_worst_counts(assets: Path, pack_folder: Path, tmp_path: Path) -> None:
    (pack_folder / "face_detection_yunet_2023mar.onnx").symlink_to(
        (assets / "models" / "face_detection_yunet_2023mar.onnx").resolve()
    )
    faces = small_set(
        assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl", "cmusatyalab", "ageitgey")
    )
    found = {}
    for specs in (["insightface"], ["open"], ["insightface", "open"]):
        out = tmp_path / "calibration.toml"
        packs = [argument for spec in specs for argument in ("--pack", f"{spec}:{pack_folder}")]
        status, said = calibrate(*packs, "--identities", faces, "--calibration", out)
        assert status == 0, said
        found["+".join(specs)] = parse_calibration(out.read_text(encoding="utf-8"), source=out.name)
        out.unlink()
    both = found["insightface+open"]
    assert "--pack insightface:DIR --pack open:DIR" in both.record.command
    assert "Pack open:DIR: " in both.record.note
    for alone in ("insightface", "open"):
        for point in found[alone].points[1:]:
            # A point is a bound, rounded up to a fiftieth of a decade, of all thresholds below it.
            assert fmr_bound(point.cosine, calibration=both) >= point.fmr_upper_bound * 10**-0.02001


@pytest.mark.slow
def test_packs_of_different_embedders_are_refused(assets: Path, pack_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    faces = small_set(assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl",))
    out = tmp_path / "out.toml"
    status, said = calibrate(
        "--pack",
        f"insightface:{pack_folder}",
        "--pack",
        "embedded",
        "--identities",
        faces,
        "--calibration",
        out,
    )
    assert status == 2
    assert "different embedders" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--identities": "none"}, "none is no folder"),
        ({"--identities": "empty"}, "neither a manifest.csv nor subfolders"),
        ({"--calibration": "none/out.toml"}, "does not exist"),
        ({"--calibration": "people"}, "is a folder"),
        ({"--pack": "nobody"}, "no pack is named 'nobody'"),
        ({"--corrections": "none.toml"}, "none.toml cannot be read"),
    ],
)
def test_an_error_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("people/ann/1.jpg", "people/bob/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"no picture")
    options = {"--identities": "people", "--pack": "embedded", "--calibration": "out.toml"} | changed
    status, output = calibrate(*(part for option in options.items() for part in option))
    assert status == 2
    assert said in output
    assert len(output.strip().splitlines()) == 1
    assert not (tmp_path / "out.toml").exists()


def test_photos_that_are_none_are_counted_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_command, "load_packs", lambda specs: (pack_of("ab" * 32),))
    for name in ("people/ann/1.jpg", "people/bob/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"no picture")
    status, said = calibrate(
        "--identities", tmp_path / "people", "--pack", "embedded", "--calibration", tmp_path / "out.toml"
    )
    assert status == 2
    assert "2 files cannot be read as images: 1.jpg, 1.jpg" in said
    assert "finds no photo with one face, or one clear subject, among 2" in said
