"""The cues of single frames."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.pad.dataset import read_dataset, without_unusable
from liveness.express.frame_cues import (
    FRAME_CUES,
    BlurDepth,
    ColourGamut,
    MediumBorder,
    Moire,
    SpecularHighlights,
    measure_frame_cues,
)
from liveness.express.pad_network import PadNetworks, PadScore, network_medians, stretch_medians
from liveness.express.settings import CueLine, ExpressSettings
from tests.liveness.builders import HEIGHT, WIDTH, face_at, scan
from tests.liveness.express.portrait import FACE, cues_of, measured, portrait, small, through_camera
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


_LINES = ExpressSettings().moire


def _grid(*, period: float, degrees: float, depth: float) -> np.ndarray:
    across, down = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    angle = np.radians(degrees)
    along = across * np.cos(angle) + down * np.sin(angle)
    grid: np.ndarray = (1 + depth * np.cos(2 * np.pi * along / period))[..., None]
    return grid


@pytest.mark.parametrize("seed", range(3))
def test_a_person_in_a_room_shows_no_pattern(seed: int) -> None:
    value = measured(portrait(seed), FACE, "moire")
    assert value is not None
    assert value < _LINES.line


@pytest.mark.parametrize(("period", "degrees"), [(3.1, 0.0), (4.7, 7.0), (6.0, 84.0), (2.4, 40.0)])
def test_a_faint_grid_over_the_image_is_detected(period: float, degrees: float) -> None:
    shown = portrait() * _grid(period=period, degrees=degrees, depth=0.05)
    value = measured(np.clip(shown, 0, 255).astype(np.uint8), FACE, "moire")
    assert value is not None
    assert value > 3 * _LINES.line


def test_a_straight_edge_is_no_pattern() -> None:
    image = portrait()
    image[:, :130] = 30
    image[:, 350:] = 220
    value = measured(image, FACE, "moire")
    assert value is not None
    assert value < _LINES.line


def test_the_seams_of_jpeg_blocks_are_no_pattern() -> None:
    coded = cv2.imencode(".jpg", portrait(), [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    value = measured(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8), FACE, "moire")
    assert value is not None
    assert value < _LINES.line


def test_a_small_face_that_fills_its_picture_is_not_measured() -> None:
    image, face = small(portrait(), 0.3)
    assert measured(image, face, "moire") is None


def test_the_signal_falls_with_the_pattern_and_its_detail_names_it() -> None:
    settings = ExpressSettings()
    clear = Moire(cues_of("moire", [_LINES.live] * 3)).assess(scan(), settings)
    assert clear.score == pytest.approx(0.8)
    assert clear.passed
    assert "3 frames" in clear.detail
    seen = Moire(cues_of("moire", [20.0, 25.0, 1.0])).assess(scan(), settings)
    assert seen.score is not None
    assert seen.score < 0.01
    assert not seen.passed
    assert Moire(()).assess(scan(), settings).score is None


_COLOUR_GAMUT_LINES = ExpressSettings().colour_gamut


def _measured(image: np.ndarray) -> float:
    value = measured(np.clip(image, 0, 255).astype(np.uint8), FACE, "colour_gamut")
    assert value is not None
    return value


def test_a_scene_is_above_the_line() -> None:
    assert _measured(portrait()) > _COLOUR_GAMUT_LINES.line


def test_a_narrow_bluish_print_of_it_is_below() -> None:
    narrow = 95 + 0.3 * portrait().astype(np.float32)
    assert _measured(narrow) < _measured(portrait())
    assert _measured(narrow + np.array([45.0, 0.0, -15.0])) < _COLOUR_GAMUT_LINES.line


def test_a_yellow_light_gains_nothing_beyond_skins_own_yellow() -> None:
    yellow = portrait() * np.array([0.6, 1.0, 1.0])
    yellower = portrait() * np.array([0.4, 1.0, 1.0])
    assert _measured(yellower) - _measured(yellow) < 0.03


def test_grey_pictures_and_faces_mostly_outside_are_not_measured() -> None:
    grey = cv2.cvtColor(cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    assert measured(np.asarray(grey, np.uint8), FACE, "colour_gamut") is None
    assert measured(portrait(), face_at(-40.0, 300.0, 200.0), "colour_gamut") is None
    assert measured(portrait(), face_at(-900.0, 300.0, 200.0), "colour_gamut") is None


def test_a_dim_picture_is_not_called_narrow() -> None:
    assert measured((portrait() * 0.4).astype(np.uint8), FACE, "colour_gamut") is None


def test_the_signal_rises_with_the_gamut() -> None:
    settings = ExpressSettings()
    wide = ColourGamut(cues_of("colour_gamut", [_COLOUR_GAMUT_LINES.live])).assess(scan(), settings)
    assert wide.score == pytest.approx(0.8)
    narrow = ColourGamut(cues_of("colour_gamut", [0.2, 0.3, 0.9])).assess(scan(), settings)
    assert narrow.passed is False
    assert "0.30 in 3 frames" in narrow.detail
    assert ColourGamut(()).assess(scan(), settings).score is None


_BLUR_DEPTH_LINES = ExpressSettings().blur_depth


def _blur_depth_measured(image: np.ndarray) -> float:
    value = measured(image.astype(np.uint8), FACE, "blur_depth")
    assert value is not None
    return value


def test_a_picture_in_focus_is_crisp() -> None:
    assert _blur_depth_measured(portrait()) < _BLUR_DEPTH_LINES.line


def test_a_picture_of_an_unsharp_picture_is_soft_though_its_camera_has_noise() -> None:
    rng = np.random.default_rng(2)
    again = through_camera(cv2.GaussianBlur(portrait(), (0, 0), 3.0).astype(np.float32), rng)
    assert _blur_depth_measured(again) > _BLUR_DEPTH_LINES.line
    assert _blur_depth_measured(again) > _blur_depth_measured(portrait()) + 1


def test_a_sharp_room_explains_a_face_out_of_focus() -> None:
    blurred = cv2.GaussianBlur(portrait(), (0, 0), 3.0)
    sharp_room = blurred.copy()
    sharp_room[:, :138] = portrait()[:, :138]
    assert _blur_depth_measured(sharp_room) < _blur_depth_measured(blurred) - 0.5


def test_the_signal_hardly_depends_on_the_resolution() -> None:
    image, face = small(portrait(), 0.7)
    value = measured(image, face, "blur_depth")
    assert value is not None
    assert value == pytest.approx(_blur_depth_measured(portrait()), abs=0.7)


def test_a_small_face_and_one_mostly_outside_are_not_measured() -> None:
    image, face = small(portrait(), 0.3)
    assert measured(image, face, "blur_depth") is None
    assert measured(portrait(), face_at(-20.0, 300.0, 200.0), "blur_depth") is None
    assert measured(portrait(), face_at(-900.0, 300.0, 200.0), "blur_depth") is None


def test_the_signal_falls_with_the_blur() -> None:
    settings = ExpressSettings()
    crisp = BlurDepth(cues_of("blur_depth", [_BLUR_DEPTH_LINES.live])).assess(scan(), settings)
    assert crisp.score == pytest.approx(0.8)
    soft = BlurDepth(cues_of("blur_depth", [2.5, 2.6])).assess(scan(), settings)
    assert soft.passed is False
    assert "as soft as" in soft.detail
    assert BlurDepth(()).assess(scan(), settings).score is None


_SPECULAR_HIGHLIGHTS_LINES = ExpressSettings().specular_highlights


def _specular_highlights_measured(image: np.ndarray) -> float:
    value = measured(image.astype(np.uint8), FACE, "specular_highlights")
    assert value is not None
    return value


def test_shiny_skin_is_above_the_line_and_a_flattened_one_below() -> None:
    image = portrait()
    assert _specular_highlights_measured(image) > _SPECULAR_HIGHLIGHTS_LINES.line
    level = cv2.blur(image, (61, 61)).astype(np.float32)
    assert _specular_highlights_measured(level + 0.25 * (image - level)) < _SPECULAR_HIGHLIGHTS_LINES.line


def test_coloured_spots_are_no_shine() -> None:
    image = portrait()
    spotted = image.copy()
    for x, y in ((240, 230), (215, 320), (268, 322), (240, 400), (200, 260), (285, 262)):
        cv2.circle(spotted, (x, y), 5, (60, 60, 255), -1)
    assert _specular_highlights_measured(spotted) < _specular_highlights_measured(image)


def test_glare_across_the_outline_takes_the_value_away() -> None:
    image = portrait()
    glaring = image.copy()
    cv2.ellipse(glaring, (330, 260), (75, 60), 0, 0, 360, (255, 255, 255), -1)
    assert _specular_highlights_measured(glaring) < 0.2 * _specular_highlights_measured(image)


def test_white_that_stays_beside_the_face_is_a_window() -> None:
    image = portrait()
    window = image.copy()
    window[100:300, 360:] = 255
    assert _specular_highlights_measured(window) == pytest.approx(
        _specular_highlights_measured(image), rel=0.05
    )


def test_a_small_face_and_one_cut_off_are_not_measured() -> None:
    image, face = small(portrait(), 0.3)
    assert measured(image, face, "specular_highlights") is None
    assert measured(portrait(), face_at(10.0, 300.0, 200.0), "specular_highlights") is None
    assert measured(portrait(), face_at(-400.0, 300.0, 200.0), "specular_highlights") is None


def test_the_signal_rises_with_the_shine() -> None:
    settings = ExpressSettings()
    skin = SpecularHighlights(cues_of("specular_highlights", [_SPECULAR_HIGHLIGHTS_LINES.live])).assess(
        scan(), settings
    )
    assert skin.score == pytest.approx(0.8)
    flat = SpecularHighlights(cues_of("specular_highlights", [0.02])).assess(scan(), settings)
    assert flat.passed is False
    assert "flatter" in flat.detail
    assert SpecularHighlights(()).assess(scan(), settings).score is None


_MEDIUM_BORDER_LINES = ExpressSettings().medium_border


def _on_medium(degrees: float, *, low: int) -> BgrImage:
    """The portrait on a rotated sheet before a dark wall, with its lower edge at row ``low``."""
    image = portrait()
    sheet = np.zeros(image.shape[:2], np.uint8)
    cv2.rectangle(sheet, (110, 130), (370, low), 255, -1)
    turn = cv2.getRotationMatrix2D((240, 300), degrees, 1.0)
    covered = cv2.warpAffine(sheet, turn, (image.shape[1], image.shape[0]))[..., None] > 127
    return np.where(covered, image, np.uint8(12))


@pytest.mark.parametrize("seed", range(3))
def test_a_person_in_a_room_has_no_border(seed: int) -> None:
    value = measured(portrait(seed), FACE, "medium_border")
    assert value is not None
    assert value < _MEDIUM_BORDER_LINES.line


@pytest.mark.parametrize("degrees", [-6.0, 0.0, 3.0])
@pytest.mark.parametrize("low", [500, 900])
def test_a_sheet_has_one_whether_its_lower_edge_is_in_the_picture_or_not(degrees: float, low: int) -> None:
    value = measured(_on_medium(degrees, low=low), FACE, "medium_border")
    assert value is not None
    assert value > _MEDIUM_BORDER_LINES.line


def test_a_door_frame_that_the_shoulders_hide_is_no_border() -> None:
    behind = portrait()
    bright = np.clip(behind.astype(np.int16) + 90, 0, 255).astype(np.uint8)
    room = np.zeros(behind.shape[:2], bool)
    room[:, :115] = room[:, 365:] = True
    room[455:] = False
    value = measured(np.where(room[..., None], bright, behind), FACE, "medium_border")
    assert value is not None
    assert value < _MEDIUM_BORDER_LINES.line


def test_a_tight_crop_is_not_measured() -> None:
    assert measured(portrait()[150:450, 150:330], face_at(90.0, 150.0, 200.0), "medium_border") is None


def test_most_frames_must_show_the_border() -> None:
    settings = ExpressSettings()
    once = MediumBorder(cues_of("medium_border", [0.95, 0.5, 0.5])).assess(scan(), settings)
    assert once.passed
    mostly = MediumBorder(cues_of("medium_border", [0.95, 0.96, 0.5])).assess(scan(), settings)
    assert mostly.passed is False
    assert "95 %" in mostly.detail
    assert MediumBorder(()).assess(scan(), settings).score is None


_SCORE = st.floats(0, 1)


def _score(scores: list[PadScore]) -> float | None:
    return PadNetworks(scores).assess(scan(), ExpressSettings()).score


def _frames(network: str, *values: float) -> list[PadScore]:
    return [PadScore(index, network, value) for index, value in enumerate(values)]


def test_without_a_network_nothing_is_assessed() -> None:
    assert _score([]) is None


def test_one_odd_frame_decides_nothing() -> None:
    assert _score(_frames("n", *[0.95] * 7, 0.0)) == pytest.approx(0.95)
    assert _score(_frames("n", 0.2)) == pytest.approx(0.2)


def test_four_good_frames_of_ten_do_not_hide_an_attack() -> None:
    assert _score(_frames("n", *[1.0] * 4, *[0.02] * 6)) == pytest.approx(0.02)
    assert _score(_frames("n", *[0.02] * 4, *[1.0] * 6)) == pytest.approx(1.0, abs=1e-3)


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
    found = PadNetworks([*many, PadScore(0, "b", 0.0)]).assess(scan(), ExpressSettings())
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
