"""The cues of single frames."""

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.evaluation.pad.dataset import read_dataset, without_unusable
from liveness.express.cues import FrameCues
from liveness.express.frame_cues import (
    FRAME_CUES,
    measure_frame_cues,
)
from liveness.express.pad_network import PadScore, network_medians, stretch_medians
from liveness.express.settings import CueLine, ExpressSettings
from liveness.express.signals import (
    BlurDepth,
    ColourGamut,
    CueSignal,
    MediumBorder,
    Moire,
    PadNetworks,
    PassiveEvidence,
    SpecularHighlights,
)
from liveness.verdict import Signal
from tests.liveness.builders import HEIGHT, WIDTH, face_at, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait, small, through_camera
from tests.packs import shared_pack
from vision.face import BgrImage, DetectedFace
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
        (np.clip(grey.astype(int) + np.array((0, 3, 1)), 0, 255), True),
        (grey * (0.96, 0.98, 1.0), True),
        (grey * (0.3, 1.0, 0.4), False),
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
@pytest.mark.timeout(1200)
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


_LINES = ExpressSettings()


def _value(name: str, image: np.ndarray, face: DetectedFace = FACE) -> float:
    value = measured(np.clip(image, 0, 255).astype(np.uint8), face, name)
    assert value is not None
    return value


_SMALL = small(portrait(), 0.3)


@pytest.mark.parametrize(
    ("name", "image", "face"),
    [
        ("moire", *_SMALL),
        ("blur_depth", *_SMALL),
        ("blur_depth", portrait(), face_at(-20.0, 300.0, 200.0)),
        ("specular_highlights", *_SMALL),
        ("specular_highlights", portrait(), face_at(10.0, 300.0, 200.0)),
        ("colour_gamut", portrait()[..., [1, 1, 1]], FACE),
        ("colour_gamut", (portrait() * 0.4).astype(np.uint8), FACE),
        ("colour_gamut", portrait(), face_at(-40.0, 300.0, 200.0)),
        # A tight crop.
        ("medium_border", portrait()[150:450, 150:330], face_at(90.0, 150.0, 200.0)),
        *((name, portrait(), face_at(-900.0, 300.0, 200.0)) for name in FRAME_CUES),
    ],
)
def test_a_face_that_does_not_show_the_cue_is_not_measured(
    name: str, image: BgrImage, face: DetectedFace
) -> None:
    assert measured(image, face, name) is None


def _seen(cues: Sequence[FrameCues]) -> PassiveEvidence:
    return PassiveEvidence(scan=scan(), cues=cues)


@pytest.mark.parametrize(
    ("signal", "name", "against", "detail"),
    [
        (Moire, "moire", [20.0, 25.0, 1.0], "3 frames"),
        (ColourGamut, "colour_gamut", [0.2, 0.3, 0.9], "0.30 in 3 frames"),
        (BlurDepth, "blur_depth", [2.5, 2.6], "as soft as"),
        (SpecularHighlights, "specular_highlights", [0.02], "flatter"),
        # Most frames must show the border.
        (MediumBorder, "medium_border", [0.95, 0.96, 0.5], "95 %"),
    ],
)
def test_a_signal_falls_with_its_cue_and_its_detail_names_it(
    signal: type[CueSignal], name: str, against: list[float], detail: str
) -> None:
    live: float = getattr(_LINES, name).live
    for_life = signal().assess(_seen(cues_of(name, [live] * 3)))
    assert for_life.score == pytest.approx(0.8)
    assert for_life.passed
    found = signal().assess(_seen(cues_of(name, against)))
    assert found.passed is False
    assert detail in found.detail
    assert signal().assess(_seen(())).score is None


@pytest.mark.parametrize("name", ["moire", "medium_border"])
@pytest.mark.parametrize("seed", range(3))
def test_a_person_in_a_room_shows_no_medium(seed: int, name: str) -> None:
    assert _value(name, portrait(seed)) < getattr(_LINES, name).line


def test_neither_a_straight_edge_nor_the_seams_of_jpeg_blocks_are_a_pattern() -> None:
    edged = portrait()
    edged[:, :130] = 30
    edged[:, 350:] = 220
    coded = cv2.imencode(".jpg", portrait(), [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    for image in (edged, np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))):
        assert _value("moire", image) < _LINES.moire.line


def _grid(*, period: float, degrees: float, depth: float) -> np.ndarray:
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    angle = np.radians(degrees)
    along = across * np.cos(angle) + down * np.sin(angle)
    grid: np.ndarray = (1 + depth * np.cos(2 * np.pi * along / period))[..., None]
    return grid


@pytest.mark.parametrize(("period", "degrees"), [(3.1, 0.0), (4.7, 7.0), (6.0, 84.0), (2.4, 40.0)])
def test_a_faint_grid_over_the_image_is_detected(period: float, degrees: float) -> None:
    shown = portrait() * _grid(period=period, degrees=degrees, depth=0.05)
    assert _value("moire", np.clip(shown, 0, 255).astype(np.uint8)) > 3 * _LINES.moire.line


def test_a_scene_is_above_the_line() -> None:
    assert _value("colour_gamut", portrait()) > _LINES.colour_gamut.line


def test_a_narrow_bluish_print_of_it_is_below() -> None:
    narrow = 95 + 0.3 * portrait().astype(np.float32)
    assert _value("colour_gamut", narrow) < _value("colour_gamut", portrait())
    assert _value("colour_gamut", narrow + np.array([45.0, 0.0, -15.0])) < _LINES.colour_gamut.line


def test_a_yellow_light_gains_nothing_beyond_skins_own_yellow() -> None:
    yellow = portrait() * np.array([0.6, 1.0, 1.0])
    yellower = portrait() * np.array([0.4, 1.0, 1.0])
    assert _value("colour_gamut", yellower) - _value("colour_gamut", yellow) < 0.03


def test_a_picture_in_focus_is_crisp() -> None:
    assert _value("blur_depth", portrait()) < _LINES.blur_depth.line


def test_a_picture_of_an_unsharp_picture_is_soft_though_its_camera_has_noise() -> None:
    rng = np.random.default_rng(2)
    again = through_camera(cv2.GaussianBlur(portrait(), (0, 0), 3.0).astype(np.float32), rng)
    assert _value("blur_depth", again) > _LINES.blur_depth.line
    assert _value("blur_depth", again) > _value("blur_depth", portrait()) + 1


def test_a_sharp_room_explains_a_face_out_of_focus() -> None:
    blurred = cv2.GaussianBlur(portrait(), (0, 0), 3.0)
    sharp_room = blurred.copy()
    sharp_room[:, :138] = portrait()[:, :138]
    assert _value("blur_depth", sharp_room) < _value("blur_depth", blurred) - 0.5


def test_the_signal_hardly_depends_on_the_resolution() -> None:
    image, face = small(portrait(), 0.7)
    assert _value("blur_depth", image, face) == pytest.approx(_value("blur_depth", portrait()), abs=0.7)


def test_shiny_skin_is_above_the_line_and_a_flattened_one_below() -> None:
    image = portrait()
    assert _value("specular_highlights", image) > _LINES.specular_highlights.line
    level = cv2.blur(image, (61, 61)).astype(np.float32)
    assert _value("specular_highlights", level + 0.25 * (image - level)) < _LINES.specular_highlights.line


def test_coloured_spots_are_no_shine() -> None:
    image = portrait()
    spotted = image.copy()
    for x, y in ((240, 230), (215, 320), (268, 322), (240, 400), (200, 260), (285, 262)):
        cv2.circle(spotted, (x, y), 5, (60, 60, 255), -1)
    assert _value("specular_highlights", spotted) < _value("specular_highlights", image)


def test_glare_across_the_outline_takes_the_value_away() -> None:
    image = portrait()
    glaring = image.copy()
    cv2.ellipse(glaring, (330, 260), (75, 60), 0, 0, 360, (255, 255, 255), -1)
    assert _value("specular_highlights", glaring) < 0.2 * _value("specular_highlights", image)


def test_white_that_stays_beside_the_face_is_a_window() -> None:
    image = portrait()
    window = image.copy()
    window[100:300, 360:] = 255
    assert _value("specular_highlights", window) == pytest.approx(
        _value("specular_highlights", image), rel=0.05
    )


def _on_medium(degrees: float, *, low: int) -> BgrImage:
    """The portrait on a rotated sheet before a dark wall, with its lower edge at row ``low``."""
    image = portrait()
    sheet = np.zeros(image.shape[:2], np.uint8)
    cv2.rectangle(sheet, (110, 130), (370, low), 255, -1)
    turn = cv2.getRotationMatrix2D((240, 300), degrees, 1.0)
    covered = cv2.warpAffine(sheet, turn, (image.shape[1], image.shape[0]))[..., None] > 127
    return np.where(covered, image, np.uint8(12))


@pytest.mark.parametrize("degrees", [-6.0, 0.0, 3.0])
@pytest.mark.parametrize("low", [500, 900])
def test_a_sheet_has_one_whether_its_lower_edge_is_in_the_picture_or_not(degrees: float, low: int) -> None:
    assert _value("medium_border", _on_medium(degrees, low=low)) > _LINES.medium_border.line


def test_a_door_frame_that_the_shoulders_hide_is_no_border() -> None:
    behind = portrait()
    bright = np.clip(behind.astype(np.int16) + 90, 0, 255).astype(np.uint8)
    room = np.zeros(behind.shape[:2], bool)
    room[:, :115] = room[:, 365:] = True
    room[455:] = False
    assert _value("medium_border", np.where(room[..., None], bright, behind)) < _LINES.medium_border.line


def test_most_frames_must_show_the_border() -> None:
    once = MediumBorder().assess(_seen(cues_of("medium_border", [0.95, 0.5, 0.5])))
    assert once.passed


_SCORE = st.floats(0, 1)


def _pad_signal(scores: list[PadScore]) -> Signal:
    return PadNetworks().assess(PassiveEvidence(scan=scan(), pad_scores=scores))


def _score(scores: list[PadScore]) -> float | None:
    return _pad_signal(scores).score


def _frames(network: str, *values: float) -> list[PadScore]:
    return [PadScore(index, network, value) for index, value in enumerate(values)]


def test_one_odd_frame_decides_nothing() -> None:
    assert _score([]) is None
    assert _score(_frames("n", *[0.95] * 7, 0.0)) == pytest.approx(0.95)
    assert _score(_frames("n", 0.2)) == pytest.approx(0.2)


@given(st.lists(_SCORE, max_size=9), st.data())
def test_a_minority_of_frames_decides_nothing(minority: list[float], data: st.DataObject) -> None:
    more = len(minority) + 1
    majority = data.draw(st.lists(_SCORE, min_size=more, max_size=more + 5))
    drawn = data.draw(st.permutations([*minority, *majority]))
    (median,) = network_medians(_frames("n", *drawn)).values()
    assert min(majority) <= median <= max(majority)


def test_every_network_counts_the_same_for_any_number_of_frames() -> None:
    many = _frames("a", *[1.0] * 8)
    assert _score([*many, PadScore(0, "b", 0.0)]) == pytest.approx(0.5)
    found = _pad_signal([*many, PadScore(0, "b", 0.0)])
    assert "a 1.00" in found.detail
    assert "b 0.00" in found.detail
    assert "frames examined: 8" in found.detail


def test_the_score_is_the_mean_of_the_networks_log_odds() -> None:
    found = _score([*_frames("a", 0.9), *_frames("b", 0.6)])
    assert found == pytest.approx(1 / (1 + math.sqrt(1 / 9 * 2 / 3)))


def test_each_network_has_its_own_median_for_the_fusion() -> None:
    scores = _frames("b", 0.0, 0.3, 0.9, 0.95, 1.0)
    medians = network_medians([*scores, PadScore(0, "a", 0.2)])
    assert medians == pytest.approx({"a": 0.2, "b": 0.9})
    assert list(medians) == ["a", "b"]
    assert network_medians([]) == {}


def test_each_half_of_the_scored_frames_is_a_stretch() -> None:
    scores = [PadScore(index, "n", 0.9 if index < 5 else 0.1) for index in range(10)]
    assert stretch_medians(scores) == ({"n": 0.9}, {"n": 0.1})
    assert stretch_medians(scores[:5]) == ()
    assert stretch_medians([]) == ()
