"""The measures of portraits."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import structural_similarity as reference

from lab.evaluation.match.photos import PhotoListError
from lab.studies.portrait_measures import faces
from lab.studies.portrait_measures.__main__ import main
from lab.studies.portrait_measures.faces import portrait_at, studied_faces
from lab.studies.portrait_measures.measures import (
    Mouth,
    farthest,
    fit_logistic,
    ladder_of,
    left_out_evidence,
    mean_errors,
    mean_mask,
    moved,
    ordered_pairs,
    structural_similarity,
)
from matcher.conformance.detail import UNBLOCKED
from tests.matcher.conformance.pictures import drawn_face, portrait_of
from vision.face import Landmarks
from vision.mouth_colours import MouthColours
from vision.onnx_sessions import RuntimeOptions
from vision.packs.loading import load_folder_pack
from vision.packs.pack import Pack


@pytest.mark.parametrize("quality", [90, 30, 5])
def test_the_similarity_is_that_of_scikit_image(quality: int) -> None:
    one = cv2.cvtColor(drawn_face(), cv2.COLOR_BGR2GRAY).astype(np.uint8)
    other = cv2.imdecode(
        cv2.imencode(".jpg", one, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE
    )
    expected = reference(
        one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert structural_similarity(one, np.asarray(other, dtype=np.uint8)) == pytest.approx(expected, abs=1e-6)
    assert structural_similarity(one, one) == pytest.approx(1)


def test_a_ladder_and_its_own_tables() -> None:
    portrait = portrait_at(portrait_of(drawn_face()), eyes=100)
    ladder = ladder_of(portrait)
    assert (np.diff(ladder.jpeg[:, 0]) > 0).all()
    assert ladder.jpeg[0, 1] > 0.99 > ladder.jpeg[5, 1] > ladder.jpeg[-1, 1]
    assert ladder.jpeg2000[-1, 1] > ladder.jpeg2000[5, 1] > ladder.jpeg2000[0, 1]
    assert ladder.unblocked.max() < UNBLOCKED
    jpeg, jpeg2000 = mean_errors([ladder], ladder)
    np.testing.assert_allclose(jpeg[0, :, 0], 0, atol=1e-9)
    np.testing.assert_allclose(jpeg2000, 0, atol=1e-9)
    shifted = replace(
        ladder, jpeg=ladder.jpeg + np.array([0, 0.01, 0]), jpeg2000=ladder.jpeg2000 + np.array([0, 0.02])
    )
    jpeg, jpeg2000 = mean_errors([shifted], ladder)
    np.testing.assert_allclose(jpeg[0, :, 0], 0.01, atol=1e-9)
    np.testing.assert_allclose(jpeg2000, 0.02, atol=1e-9)


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


def drawn(offset: float, slope: float, *, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    features = rng.normal(0, 2, (count, 1))
    chance = 1 / (1 + np.exp(-(offset + slope * features[:, 0])))
    return features, rng.uniform(size=count) < chance


def test_the_fit_finds_the_slope_that_the_data_were_drawn_with() -> None:
    features, covered = drawn(0.0, 1.5)
    offset, slope = fit_logistic(features, covered)
    assert slope == pytest.approx(1.5, abs=0.15)
    assert offset == pytest.approx(0.0, abs=0.15)


def test_many_bare_photos_count_no_more_than_few() -> None:
    features, covered = drawn(0.0, 1.5)
    again = np.concatenate([np.arange(covered.size), *[np.flatnonzero(~covered)] * 4])
    np.testing.assert_allclose(
        fit_logistic(features[again], covered[again]), fit_logistic(features, covered), atol=1e-3
    )


def test_a_fold_is_judged_by_the_others() -> None:
    """The fold's own labels are reversed; a function that was fitted to them would follow."""
    rng = np.random.default_rng(5)
    found = []
    for at in range(400):
        lips, cheek, skin = rng.uniform((-10, 0, 20), (30, 30, 80)).tolist()
        colours = MouthColours(lips=lips, cheek=cheek, skin=skin)
        turned = at < 150
        found.append(
            Mouth("s", "turned" if turned else "as drawn", (lips + rng.normal(0, 3) < 10) != turned, colours)
        )
    said = left_out_evidence(found, fitted_on=found) > 0
    true = np.array([each.colours.lips < 10 for each in found])
    assert np.mean(said[:150] == true[:150]) > 0.9
    assert np.mean(said[150:] == true[150:]) < 0.1


def square(left: int, right: int) -> np.ndarray:
    mask = np.zeros((100, 100), np.uint8)
    mask[30:70, left:right] = 1
    return mask


def test_borders_are_as_far_apart_as_they_were_put() -> None:
    assert farthest(square(30, 70), square(30, 70)) == 0
    assert farthest(square(30, 70), square(30, 77)) == pytest.approx(7, abs=0.5)
    assert farthest(square(30, 77), square(30, 70)) == pytest.approx(7, abs=0.5)


def test_the_mean_is_the_majority_and_symmetric() -> None:
    np.testing.assert_array_equal(mean_mask([square(30, 70), square(30, 70), square(10, 90)]), square(30, 70))
    mean = mean_mask([square(20, 70), square(25, 75), square(30, 80)])
    np.testing.assert_array_equal(mean, mean[:, ::-1])


def dot() -> np.ndarray:
    image = np.zeros((41, 41, 3), np.uint8)
    image[20, 20] = 255
    return image


def test_a_movement_draws_a_line_and_keeps_the_light() -> None:
    line = moved(dot(), 11, degrees=0)[..., 0]
    assert np.count_nonzero(line.any(axis=0)) == 11
    assert np.count_nonzero(line.any(axis=1)) == 1
    assert line.sum() == pytest.approx(255, abs=11)
    upright = moved(dot(), 11, degrees=90)[..., 0]
    assert np.count_nonzero(upright.any(axis=0)) == 1


def test_pairs_in_order_are_counted_and_ties_are_half() -> None:
    assert ordered_pairs(np.array([3.0, 2.0]), np.array([1.0, 2.0])) == 3.5 / 4
