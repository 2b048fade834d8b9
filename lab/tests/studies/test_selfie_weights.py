"""The fit of the weights of the eight signals."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lab.studies import selfie_weights as command
from lab.studies.selfie_weights import (
    FIXED,
    Group,
    best_weights,
    candidates,
    figures_of,
    groups_of,
    mean_error,
    score_pictures,
)
from lab.tests.evaluation.samples import burning_pack
from liveness.selfie import SIGNAL_NAMES
from tests.liveness.builders import face_at
from vision.face import BgrImage, DetectedFace
from vision.packs import Pack

# A small folder of labelled images, and a pack with the places of their faces.

_WIDTH, _HEIGHT = 240, 320
_COLUMNS = ("file", "source_repo", "label", "attack_type", "usable")


class _Detector:
    """Detects one frontal face in every image except black ones."""

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return (face_at(120, 150, 100),) if image.any() else ()


@pytest.fixture
def known_pack() -> Pack:
    return replace(burning_pack(landmarks=False), detector=_Detector())


@pytest.fixture(scope="session")
def assets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sharp live images, blurred prints and sharp screens of one source; live and screens of another."""
    assets = tmp_path_factory.mktemp("assets")
    folder = assets / "data" / "pad"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(2)
    rows = []
    for source, label, attack, count, sigma in (
        ("large/one", "live", "", 4, 0.5),
        ("large/one", "spoof", "print:A4", 3, 6.0),
        ("large/one", "spoof", "screen", 2, 0.5),
        ("small/two", "live", "", 1, 0.5),
        ("small/two", "spoof", "screen?", 1, 6.0),
    ):
        for number in range(count):
            noise = rng.normal(128, 40, (_HEIGHT, _WIDTH))
            pixels = np.clip(cv2.GaussianBlur(noise, (0, 0), sigma), 0, 255).astype(np.uint8)
            name = f"{source.replace('/', '-')}-{label}-{attack.strip('?').replace(':', '')}-{number}.png"
            cv2.imwrite(str(folder / name), pixels)
            rows.append((name, source, label, attack, "1"))
    cv2.imwrite(str(folder / "black.png"), np.zeros((_HEIGHT, _WIDTH), np.uint8))
    rows += [("black.png", "small/two", "live", "", "1"), ("left-out.png", "small/two", "live", "", "0")]
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
    return assets


def test_the_command_prints_weights_that_sum_to_1(
    assets_folder: Path, known_pack: Pack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load_pack", lambda spec: known_pack)
    assert command.main(["--assets", str(assets_folder), "--pack", "known"]) == 0
    output = capsys.readouterr().out
    weights = {name: float(value) for name, value in re.findall(r"^(\w+) = ([\d.]+)$", output, re.MULTILINE)}
    assert set(weights) == set(SIGNAL_NAMES)
    assert sum(weights.values()) == pytest.approx(1)
    assert "without a face: 1 live, 0 attacks" in output
    assert re.search(r"mean error of the chosen weights [\d.]+; each fold by the others' [\d.]+", output)


def test_every_usable_picture_with_a_face_is_scored(assets_folder: Path, known_pack: Pack) -> None:
    found = score_pictures(known_pack, assets_folder / "data" / "pad")
    assert found.scores.shape == (11, 8)
    assert found.without_face == (1, 0)
    assert (int(found.live.sum()), int(found.screen.sum()), int(found.largest.sum())) == (5, 3, 9)
    sharpness = found.scores[:, SIGNAL_NAMES.index("sharpness")]
    assert sharpness[found.live].min() > 0.8
    assert sharpness[~found.live & ~found.screen].max() < 0.3


def test_groups_hold_live_pictures_against_one_kind_of_attack(assets_folder: Path, known_pack: Pack) -> None:
    found = score_pictures(known_pack, assets_folder / "data" / "pad")
    prints, screens, others = groups_of(found)
    assert [(group.live.size, group.attacks.size) for group in (prints, screens, others)] == [
        (4, 3),
        (4, 2),
        (1, 1),
    ]
    assert not found.screen[prints.attacks].any()
    assert found.screen[screens.attacks].all()
    (only,) = groups_of(found, ~found.largest)
    np.testing.assert_array_equal(only.live, others.live)


_TEXTURE, _SHARPNESS = SIGNAL_NAMES.index("lbp_texture"), SIGNAL_NAMES.index("sharpness")
_GROUP = Group("all", np.arange(4), np.arange(4, 8))


def _scores(column: int, live: float, attack: float) -> NDArray[np.float64]:
    """Eight images that differ in one signal only."""
    scores = np.full((8, 8), 0.6)
    scores[:4, column], scores[4:, column] = live, attack
    return scores


def test_every_candidate_sums_to_1_and_has_texture_first() -> None:
    sets = candidates()
    assert len(np.unique(sets, axis=0)) == len(sets) > 400
    np.testing.assert_allclose(sets.sum(axis=1), 1)
    assert sets.min() == pytest.approx(0.05)
    others = np.delete(sets, _TEXTURE, axis=1)
    assert (sets[:, _TEXTURE] > others.max(axis=1)).all()
    for name, weight in FIXED.items():
        np.testing.assert_array_equal(sets[:, SIGNAL_NAMES.index(name)], weight)


@pytest.mark.parametrize(("column", "weight"), [(_TEXTURE, 0.30), (_SHARPNESS, 0.25)])
def test_an_informative_signal_gets_its_weight(column: int, weight: float) -> None:
    # The attacks' sum falls below 0.58 where 0.6 - weight * 0.6 does: from a weight of 0.05 on; live ones
    # stay at 0.6. A wrong signal could not separate them.
    scores = _scores(column, 0.6, 0.0)
    best = best_weights(candidates(), [scores], [[_GROUP]], threshold=0.58)
    assert mean_error(best, [scores], [[_GROUP]], threshold=0.58) == 0
    harder = _scores(column, 0.6, 0.6 - 0.021 / weight)
    best = best_weights(candidates(), [harder], [[_GROUP]], threshold=0.58)
    assert best[column] >= weight - 1e-9
    assert mean_error(best, [harder], [[_GROUP]], threshold=0.58) == 0


def test_the_figures_of_a_group_are_counted() -> None:
    scores = np.repeat(np.array([0.70, 0.60, 0.58, 0.50, 0.65, 0.55, 0.54, 0.10])[:, None], 8, axis=1)
    weights = candidates()[0]
    figures = figures_of(weights, scores, _GROUP, threshold=0.58)
    assert figures.live == (1, 2, 1)
    assert figures.attacks == (1, 2, 1)
    # Live below 0.58: one of four; attacks at or above it: one of four.
    assert figures.error == pytest.approx(0.25)
    # Of 16 pairs the live one is above in 4 + 3 + 3 + 1.
    assert figures.area == pytest.approx(11 / 16)
