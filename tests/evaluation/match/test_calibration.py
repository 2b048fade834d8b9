from pathlib import Path

import pytest

from evaluation.match.calibration import main
from matcher.similarity import fmr_bound
from vision.packs.calibration import load_calibration, parse_calibration

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def pack_folder(assets: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    for name in ("det_500m.onnx", "mobilefacenet_foamliu.onnx"):
        (folder / name).symlink_to((assets / "models" / name).resolve())
    return folder


def small_set(faces: Path, folder: Path, *, prefixes: tuple[str, ...]) -> Path:
    """Some of the photos, with their part of the manifest."""
    folder.mkdir()
    lines = (faces / "manifest.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines[1:] if line.startswith(prefixes)]
    (folder / "manifest.csv").write_text("\n".join([lines[0], *kept]) + "\n", encoding="utf-8")
    for line in kept:
        name = line.partition(",")[0]
        (folder / name).symlink_to((faces / name).resolve())
    return folder


def test_a_small_set_is_measured_and_supports_little(
    assets: Path, pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    faces = small_set(
        assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl", "cmusatyalab", "ageitgey")
    )
    out = tmp_path / "calibration.toml"
    arguments = ["--pack", f"insightface:{pack_folder}", "--faces", str(faces), "--out", str(out)]
    assert main([*arguments, "--resamples", "200"]) == 0
    calibration = parse_calibration(out.read_text(encoding="utf-8"), source=out.name)
    record = calibration.record
    assert record.provenance == "measured"
    assert 8 <= record.identities <= 13
    pairs_of_persons = record.identities * (record.identities - 1) / 2
    assert calibration.lowest_bound >= 2.9 / pairs_of_persons
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
    assert "not supported by these" in capsys.readouterr().out


def test_of_two_packs_the_worst_counts(assets: Path, pack_folder: Path, tmp_path: Path) -> None:
    (pack_folder / "face_detection_yunet_2023mar.onnx").symlink_to(
        (assets / "models" / "face_detection_yunet_2023mar.onnx").resolve()
    )
    faces = small_set(assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl", "cmusatyalab"))
    found = {}
    for specs in (["insightface"], ["open"], ["insightface", "open"]):
        out = tmp_path / "calibration.toml"
        packs = [argument for spec in specs for argument in ("--pack", f"{spec}:{pack_folder}")]
        assert main([*packs, "--faces", str(faces), "--out", str(out), "--resamples", "200"]) == 0
        found["+".join(specs)] = parse_calibration(out.read_text(encoding="utf-8"), source=out.name)
    both = found["insightface+open"]
    assert "--pack insightface:DIR --pack open:DIR" in both.record.command
    assert "Pack open:DIR: " in both.record.note
    for point in both.points:
        for alone in ("insightface", "open"):
            # A point states its bound a step late, so the line of one pack may not lie above the both's.
            assert fmr_bound(point.cosine, calibration=found[alone]) <= point.fmr_upper_bound * 1.0001


def test_packs_of_different_embedders_are_refused(
    assets: Path, pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dlib")
    faces = small_set(assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl", "cmusatyalab"))
    out = tmp_path / "out.toml"
    arguments = ["--pack", f"insightface:{pack_folder}", "--pack", "embedded", "--faces", str(faces)]
    assert main([*arguments, "--out", str(out), "--resamples", "50"]) == 2
    assert "different embedders" in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_without_a_manifest_is_named(
    pack_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.toml"
    arguments = ["--pack", f"insightface:{pack_folder}", "--faces", str(tmp_path), "--out", str(out)]
    assert main(arguments) == 2
    assert "manifest.csv" in capsys.readouterr().err
    assert not out.exists()


def test_an_unknown_pack_is_named(assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    faces = assets / "data" / "faces"
    arguments = ["--pack", "nobody", "--faces", str(faces), "--out", str(tmp_path / "out.toml")]
    assert main(arguments) == 2
    assert "nobody" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("pack", ["mobilefacenet", "embedded"])
def test_the_packaged_calibrations_come_out_again(
    assets: Path, pack_folder: Path, tmp_path: Path, pack: str
) -> None:
    out = tmp_path / "calibration.toml"
    yunet = "face_detection_yunet_2023mar.onnx"
    (pack_folder / yunet).symlink_to((assets / "models" / yunet).resolve())
    specs = [pack] if pack == "embedded" else [f"insightface:{pack_folder}", f"open:{pack_folder}"]
    arguments = [argument for spec in specs for argument in ("--pack", spec)]
    arguments += ["--faces", str(assets / "data" / "faces"), "--apart", "orl"]
    corrections = ["--corrections", str(PROJECT / "evaluation" / "label_corrections.toml")]
    assert main([*arguments, *corrections, "--out", str(out)]) == 0
    measured = parse_calibration(out.read_text(encoding="utf-8"), source=out.name)
    packaged = load_calibration(measured.embedder_sha256)
    assert packaged.record.impostor_pairs == measured.record.impostor_pairs
    assert packaged.lowest_bound == pytest.approx(measured.lowest_bound, rel=0.02)
    for point in packaged.points:
        nearest = min(measured.points, key=lambda other: abs(other.cosine - point.cosine))
        assert nearest.cosine == pytest.approx(point.cosine, abs=0.02)
