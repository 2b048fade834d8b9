from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.pad.dataset import read_dataset, without_unusable
from liveness.express.frame_cues import FRAME_CUES, measure_frame_cues
from liveness.express.settings import CueLine, ExpressSettings
from tests.liveness.builders import face_at
from tests.liveness.express.portrait import FACE, portrait, small
from tests.packs import shared_pack
from vision.face import BgrImage
from vision.packs.pack import Pack

_LARGEST = "feni-katharotiya"
_PICTURES = 60


def test_all_cues_together_equal_each_cue_alone() -> None:
    image = portrait()
    found = measure_frame_cues(image, FACE, frame_index=3)
    assert found.frame_index == 3
    assert set(found.values) == set(FRAME_CUES)


def test_unmeasurable_cues_are_missing() -> None:
    image, face = small(portrait(), 0.2)
    assert set(measure_frame_cues(image, face, frame_index=0).values) <= {"colour_gamut"}
    assert not measure_frame_cues(portrait(), face_at(-900.0, 300.0, 200.0), frame_index=0).values


def _in_grey(image: BgrImage) -> BgrImage:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def test_a_grey_frame_is_told_from_one_with_colours() -> None:
    grey = _in_grey(portrait())
    noisy = np.clip(grey.astype(int) + np.random.default_rng(1).integers(-1, 2, grey.shape), 0, 255)
    one_colour = grey.copy()
    one_colour[:120, :120] = (40, 90, 200)
    for image, colourless in (
        (portrait(), False),
        (one_colour, False),
        (grey, True),
        (np.asarray(noisy, np.uint8), True),
        (cv2.imdecode(cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR), True),
    ):
        found = measure_frame_cues(np.asarray(image, np.uint8), FACE, frame_index=0)
        assert found.colourless is colourless


@pytest.mark.parametrize("shade", [0, 128, 255])
def test_a_picture_of_one_colour_has_no_cue_beyond_reason(shade: int) -> None:
    flat = np.full((640, 480, 3), shade, np.uint8)
    values = measure_frame_cues(flat, FACE, frame_index=0).values
    assert all(np.isfinite(value) for value in values.values())
    assert values["medium_border"] == 0
    assert values["moire"] == pytest.approx(1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_lines_on_selfies_prints_and_screens_of_the_largest_source(assets: Path) -> None:
    pack = shared_pack(f"insightface:{assets / 'models'}")
    samples = [
        sample
        for sample in without_unusable(read_dataset(assets / "data/pad"))
        if sample.source.startswith(_LARGEST)
    ]
    settings = ExpressSettings()
    beyond = {
        species: _beyond([sample.path for sample in samples if sample.species == species], pack, settings)
        for species in ("", "print", "screen")
    }
    for name in FRAME_CUES:
        assert beyond[""][name] <= 0.1, name
    assert beyond["screen"]["medium_border"] > 0.25
    assert beyond["print"]["colour_gamut"] > 0.08
    assert beyond["print"]["blur_depth"] > beyond[""]["blur_depth"]


def _beyond(paths: list[Path], pack: Pack, settings: ExpressSettings) -> dict[str, float]:
    """For each cue the share of images on the attack side of its line."""
    chosen = paths[:: max(1, len(paths) // _PICTURES)][:_PICTURES]
    rows = [_values(image, pack) for path in chosen if (image := cv2.imread(str(path))) is not None]
    shares = {}
    for name in FRAME_CUES:
        lines: CueLine = getattr(settings, name)
        sign = 1 if lines.line > lines.live else -1
        right = [sign * (row[name] - lines.line) > 0 for row in rows if name in row]
        shares[name] = float(np.mean(right))
    return shares


def _values(image: np.ndarray, pack: Pack) -> dict[str, float]:
    picture: BgrImage = np.asarray(image, np.uint8)
    faces = pack.detector.detect(picture)
    return dict(measure_frame_cues(picture, faces[0], frame_index=0).values) if faces else {}
