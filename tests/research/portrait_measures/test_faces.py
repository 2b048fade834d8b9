from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation.match.photos import PhotoListError
from research.portrait_measures import faces
from research.portrait_measures.__main__ import main
from research.portrait_measures.faces import portrait_at, studied_faces
from tests.matcher.conformance.pictures import drawn_face, portrait_of
from vision.face import Landmarks
from vision.onnx_sessions import RuntimeOptions
from vision.packs.loading import load_folder_pack
from vision.packs.pack import Pack


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return load_folder_pack("open", assets / "models", runtime=RuntimeOptions(providers="cpu"))


def test_a_reduced_portrait_keeps_its_points_on_the_same_pixels() -> None:
    view = portrait_of(drawn_face())
    points = np.random.default_rng(1).uniform(200, 400, (68, 2)).astype(np.float32)
    view = replace(view, landmarks=Landmarks(points=points, scheme="ibug68"))
    small = portrait_at(view, eyes=60)
    assert small.face.eye_distance == pytest.approx(60, abs=0.1)
    assert small.landmarks is not None
    moved = small.landmarks.points - small.face.five_points[0]
    np.testing.assert_allclose(
        moved / 60, (points - view.face.five_points[0]) / view.face.eye_distance, atol=1e-3
    )
    for large, reduced in zip(view.face.five_points, small.face.five_points, strict=True):
        (x, y), (u, v) = large.round().astype(int), reduced.round().astype(int)
        assert np.abs(view.image[y, x].astype(int) - small.image[v, u]).max() < 60


def test_folders_without_a_manifest_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    assert main(["--assets", str(tmp_path), "--part", "mouth"]) == 2
    assert "could not measure" in capsys.readouterr().err


def test_labels_that_contradict_each_other_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name in two lists would silently count as the first."""
    labels = tmp_path / "labels.toml"
    labels.write_text('covered = ["a.jpg"]\nbare = ["a.jpg"]\nleft_out = []\n')
    monkeypatch.setattr(faces, "_LABELS", labels)
    for folder in ("faces", "pad"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "manifest.csv").write_text(
            "file,source_repo,label,identity,attack_type,note\na.jpg,o/r,live,,,\n"
        )
    with pytest.raises(PhotoListError, match="several labels"):
        next(studied_faces(tmp_path, pack=None, name="none"))  # type: ignore[arg-type]


@pytest.mark.slow
def test_some_photos_are_studied(assets: Path, pack: Pack, capsys: pytest.CaptureFixture[str]) -> None:
    known = [face.covered for face in studied_faces(assets / "data", pack=pack, name="open", every=12)]
    assert 40 < len(known) < 80
    assert 3 < known.count(True) < known.count(False)
    arguments = ["--part", "sharpness", "--part", "compression", "--every", "8"]
    assert main(["--assets", str(assets), *arguments]) == 0
    printed = capsys.readouterr().out
    assert "Sharp (blur 0 or 0.8) above blurred (2 to 4): 9" in printed
    assert "Never cut into blocks: 0 of" in printed
