"""The study of scans compared with photos."""

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from lab.evaluation.match.calibration import measure_comparisons, render_calibration
from lab.evaluation.match.comparisons import compare_all
from lab.evaluation.match.impostor_scores import THRESHOLDS
from lab.evaluation.match.templates import LabelledTemplate, TemplateRun
from lab.simulator.photo import builtin_photos
from lab.simulator.scan import simulate_scan
from lab.simulator.scene import ScanKind, SceneSettings
from lab.studies.scan_match.__main__ import main
from lab.studies.scan_match.clips import ClipError, Recording, SentFrame, read_recordings
from lab.studies.scan_match.comparisons import (
    ClipTemplates,
    ScanComparisons,
    ScanMeasurement,
    calibrate_with_scans,
    compare_scans,
    scan_curve,
)
from lab.studies.scan_match.constancy_study import (
    Change,
    FindPoints,
    constancy_tables,
    identify_all,
    identify_scan,
    join_selected,
    joined_table,
    judge_genuine,
    judge_spliced,
    most_turned,
    portrait_template,
    splice,
    upper_bound,
)
from lab.tests.studies.parts import SHORT_CLIPS, small_assets, some_photos
from matcher.similarity import fmr_bound
from tests.packs import real_pack
from vision.face import Embedding, Points
from vision.image import encode_jpeg
from vision.packs.calibration import parse_calibration

# A calibration over photos and scans: the worst of both, and a record of it.

_DIMENSIONS = 24


def _near(person: int, seed: int, *, drawn_to: float = 0.0) -> Embedding:
    own = np.random.default_rng(person).normal(size=_DIMENSIONS)
    noise = np.random.default_rng(10_000 + seed).normal(scale=0.3, size=_DIMENSIONS)
    vector = own + noise
    vector[0] += drawn_to
    return (vector / np.linalg.norm(vector)).astype(np.float32)


@functools.cache
def _measurement(*, drawn_to: float) -> ScanMeasurement:
    """Photos, and scans with templates that are shifted in a common direction by an amount."""
    photos = tuple(
        LabelledTemplate(_near(person, 100 * person + seed), f"p{person}", False)
        for person in range(12)
        for seed in range(3)
    )
    clips = [
        ClipTemplates(
            f"c{person}",
            _near(person, 7000 + person, drawn_to=drawn_to),
            (_near(person, 8000 + person, drawn_to=drawn_to),),
        )
        for person in range(100, 115)
    ]
    run = TemplateRun(templates=photos, photos=37)
    compared = compare_scans(clips, photos)
    return ScanMeasurement(
        photos=measure_comparisons(
            run, compare_all(photos), pack="made", resamples=10, confidence=0.95, seed=1
        ),
        comparisons=compared,
        curve=scan_curve(compared, thresholds=THRESHOLDS, resamples=10, confidence=0.95, seed=1),
        scans=len(clips),
    )


@pytest.mark.parametrize("drawn_to", [0.0, 3.0])
def test_no_bound_lies_below_that_of_photos_or_of_scans(drawn_to: float) -> None:
    measured = _measurement(drawn_to=drawn_to)
    made = calibrate_with_scans([measured], embedder_sha256="a" * 64, dataset="made", command="none")
    for cosine in np.arange(-0.2, 1.0, 0.013):
        at = int(np.searchsorted(THRESHOLDS, cosine, side="right")) - 1
        photos = fmr_bound(float(cosine), calibration=made)
        scans = fmr_bound(float(cosine), calibration=made.of_scans)
        assert photos >= measured.photos.curve.upper_bounds[at] - 1e-12
        assert scans >= measured.photos.curve.upper_bounds[at] - 1e-12
        assert scans >= measured.curve.upper_bounds[at] - 1e-12


def test_the_record_counts_photos_and_scans_and_can_be_read_again() -> None:
    measured = _measurement(drawn_to=1.0)
    made = calibrate_with_scans([measured], embedder_sha256="b" * 64, dataset="made", command="none")
    again = parse_calibration(render_calibration(made), source="made.toml")
    assert again == made
    record = again.record
    assert record.provenance == "measured"
    assert record.identities == 12
    assert record.genuine_pairs == 12 * 3
    assert record.impostor_pairs == 9 * 12 * 11 // 2
    scans = again.scans
    assert scans is not None
    assert (scans.scans, scans.persons, scans.genuine_pairs) == (15, 12 + 15, 15)
    assert scans.impostor_pairs == 15 * 36 + 15 * 14
    assert record.failures_to_acquire == 1
    assert "15 scans of 15 persons" in record.note


# Clips as portraits and scans.


def _clip(path: Path, *, seconds: float, rate: float = 20.0, size: tuple[int, int] = (64, 48)) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, size)
    for index in range(round(seconds * rate)):
        writer.write(np.full((size[1], size[0], 3), index % 250, np.uint8))
    writer.release()


def test_a_clip_gives_portraits_and_then_scans(tmp_path: Path) -> None:
    _clip(tmp_path / "b.avi", seconds=7.5)
    _clip(tmp_path / "a.avi", seconds=3.5)
    short, long = read_recordings(tmp_path, seconds=2.5, most=3)
    assert (short.name, long.name) == ("a", "b")
    assert len(short.scans) == 1
    # The rest of the longer one is too short for a third scan.
    assert len(long.scans) == 2
    assert all(0.3 <= frame.time < 1.0 for frame in long.portraits)
    assert [scan[0].time for scan in long.scans] == [1.0, 3.5]
    times = [frame.time for scan in long.scans for frame in scan]
    assert times == sorted(set(times))
    assert long.scans[0][0].pixels().mean() == pytest.approx(20, abs=2)


def test_frames_come_as_a_phone_sends_them(tmp_path: Path) -> None:
    _clip(tmp_path / "fast.avi", seconds=3.4, rate=50.0, size=(800, 448))
    (clip,) = read_recordings(tmp_path, seconds=2.2, most=1)
    gaps = np.diff([frame.time for frame in clip.scans[0]])
    assert gaps.min() >= 0.045
    assert clip.scans[0][0].pixels().shape == (358, 640, 3)


def test_a_clip_that_cannot_be_scanned_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="empty"):
        read_recordings(tmp_path, seconds=2.0, most=1)
    with pytest.raises(ClipError, match="cannot be read"):
        read_recordings(tmp_path / "nowhere", seconds=2.0, most=1)
    (tmp_path / "words.avi").write_text("no clip")
    with pytest.raises(ClipError, match=r"words\.avi"):
        read_recordings(tmp_path, seconds=2.0, most=1)


@pytest.fixture(scope="module")
def made(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    photos = some_photos(assets / "data/faces", people=4, each=2)
    return small_assets(assets, tmp_path_factory.mktemp("assets"), photos=photos, clips=list(SHORT_CLIPS))


def _clips(made: Path) -> list[str]:
    return ["--clips", str(made / "data/video/live"), "--scans", "1", "--seconds", "2.5"]


def test_scans_give_a_calibration_that_a_pack_can_carry(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "calibration.toml"
    options = ["--pack", f"open:{made / 'models'}", "--faces", str(made / "data/faces"), "--out", str(out)]
    assert main(["calibrate", *options, *_clips(made), "--resamples", "50"]) == 0
    calibration = parse_calibration(out.read_text("utf-8"), source="made")
    assert calibration.record.identities >= 4
    assert str(made) not in calibration.record.command
    assert "2 scans" in capsys.readouterr().out


def test_a_change_of_person_is_looked_for(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--pack", f"open:{made / 'models'}", *_clips(made), "--each", "1"]
    assert main(["constancy", *options]) == 0
    assert "One person: 2 scans of 2 persons" in capsys.readouterr().out


# Scans against portraits: the pairs and the resulting bounds.

_THRESHOLDS = np.round(np.arange(-1.0, 1.02, 0.01), 2)


def _at(degrees: float) -> Embedding:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def _compared() -> ScanComparisons:
    clips = [
        ClipTemplates("a", _at(0), (_at(0), _at(10))),
        ClipTemplates("b", _at(60), (_at(60),)),
        ClipTemplates("c", None, (_at(120),)),
    ]
    photos = [
        LabelledTemplate(_at(90), "x", False),
        LabelledTemplate(_at(80), "x", False),
        LabelledTemplate(_at(180), "y", False),
        LabelledTemplate(_at(0), "z", True),
    ]
    return compare_scans(clips, photos)


def test_every_scan_meets_every_photo_of_the_main_group() -> None:
    compared = _compared()
    assert compared.photo_persons == 2
    assert compared.clip_persons == 3
    assert compared.with_photos.scores.size == 3 * 4
    expected = np.cos(np.radians([90, 80, 30, 30, 80, 70, 20, 40, 180, 170, 120, 60]))
    np.testing.assert_allclose(compared.with_photos.scores, expected, atol=1e-6)
    assert compared.with_photos.first.tolist() == [0] * 8 + [1] * 4
    assert compared.with_photos.second.tolist() == [2, 2, 3, 4] * 3


def test_frames_meet_the_scans_of_others_and_their_own() -> None:
    compared = _compared()
    np.testing.assert_allclose(sorted(compared.genuine), sorted(np.cos(np.radians([0, 10, 0]))), atol=1e-6)
    assert compared.with_frames.scores.size == 5
    assert np.all(compared.with_frames.first != compared.with_frames.second)
    assert compared.together.scores.size == 17
    assert compared.fnmr(0.99) == pytest.approx(1 / 3)
    assert compared.fnmr(0.9) == 0.0


def test_the_bound_is_never_below_the_rate_of_either_kind() -> None:
    rng = np.random.default_rng(2)
    clips = [
        ClipTemplates(str(number), _at(rng.uniform(0, 40)), (_at(rng.uniform(0, 40)),)) for number in range(8)
    ]
    photos = [LabelledTemplate(_at(rng.uniform(60, 300)), str(number), False) for number in range(30)]
    curve = scan_curve(
        compare_scans(clips, photos), thresholds=_THRESHOLDS, resamples=200, confidence=0.95, seed=1
    )
    assert curve.comparisons == 8 * 30 + 8 * 7
    assert curve.person_pairs == 8 * 30 + 8 * 7 / 2
    # The clips' persons look similar here; bounds over all comparisons alone would hide it.
    assert np.all(curve.upper_bounds >= curve.frame_rates)
    assert np.all(curve.upper_bounds >= curve.photo_rates)
    assert np.all(np.diff(curve.upper_bounds) <= 0)
    at = int(np.searchsorted(_THRESHOLDS, 0.9))
    assert curve.frame_rates[at] > 0.5
    assert curve.upper_bounds[at] == curve.frame_rates[at]


# From frames to templates with a real pack, and the study's result for a scan of two persons.


@functools.cache
def _recording(person: str) -> Recording:
    settings = SceneSettings(
        kind=ScanKind.GENUINE, seed=3, seconds=3.0, frames_per_second=12.0, width=360, height=480
    )
    frames = tuple(
        SentFrame(frame.capture_time, encode_jpeg(frame.pixels, quality=88))
        for frame in simulate_scan(builtin_photos(names=(person,))[person], settings)
    )
    return Recording(name=person, portraits=frames[:4], scans=(frames[4:],))


@pytest.mark.slow
def test_a_scan_is_identified_as_a_server_does() -> None:
    recording = _recording("astronaut")
    found = identify_scan(recording.scans[0], real_pack())
    assert len(found.selected) == 8
    assert set(found.selected_places) <= set(found.places)
    assert len(found.everything) == len(found.places) == len(found.selected) + len(found.witnesses)
    assert list(found.places) == sorted(found.places)
    assert 0.5 < found.examined_share <= 1.0
    portrait = portrait_template(recording, real_pack())
    assert portrait is not None
    assert min(float(portrait @ sample.template.vector) for sample in found.selected) > 0.95


@pytest.mark.slow
def test_one_person_and_two_persons_are_distinguished() -> None:
    recordings = [_recording("astronaut"), _recording("red-shirt")]
    console = Console(quiet=True)
    scans = identify_all(recordings, real_pack(), console)
    genuine = judge_genuine(scans, real_pack().match_calibration)
    spliced = judge_spliced(recordings, real_pack(), console, each=1, seed=1)
    assert len(genuine) == 2
    assert len(spliced) == 6
    least = min(judged.scores.groups for judged in genuine)
    assert all(judged.scores.groups < least for judged in spliced if judged.other_selected)
    one, two = constancy_tables(genuine, spliced, real_pack().match_calibration)
    assert one.row_count == 4
    assert two.row_count == 8
    # Neither person turns the head far.
    assert list(two.columns[1].cells) == ["1"] * 6 + ["0", "6"]
    joined = join_selected(scans, real_pack().match_calibration, others=4)
    assert joined.shape == (2,)
    assert joined.max() < least
    assert list(joined_table(scans, real_pack().match_calibration).columns[1].cells) == ["2"] * 4 + ["8"]


@pytest.mark.slow
def test_the_bound_on_a_rate_is_clopper_and_pearsons() -> None:
    assert upper_bound(0, 100) == pytest.approx(1 - 0.05 ** (1 / 100))
    assert upper_bound(5, 100) == pytest.approx(0.1023, abs=1e-3)
    assert upper_bound(3, 3) == 1.0
    assert upper_bound(0, 0) == 1.0


# Scans of two persons: the person in each frame.

_COUNT, _RATE = 40, 10.0
_FACE: Points = np.array([[40, 40], [60, 40], [50, 52], [43, 62], [57, 62]], np.float32)


def _scan(
    brightness: int, *, count: int = _COUNT, size: tuple[int, int] = (100, 100)
) -> tuple[SentFrame, ...]:
    picture = np.full((*size, 3), brightness, np.uint8)
    jpeg = bytes(cv2.imencode(".jpg", picture)[1])
    return tuple(SentFrame(index / _RATE, jpeg) for index in range(count))


def _brightness(frame: SentFrame) -> float:
    return float(frame.pixels().mean())


@pytest.mark.parametrize(
    ("change", "place", "expected"),
    [
        (Change.LAST_HALF, 0.3, range(20, 40)),
        (Change.LAST_SECOND, 0.3, range(30, 40)),
        (Change.HALF_A_SECOND, 0.0, range(5)),
        (Change.HALF_A_SECOND, 1.0, range(35, 40)),
        (Change.A_SECOND, 0.5, range(15, 25)),
        (Change.FLICKER, 0.0, range(0, 40, 3)),
        (Change.FLICKER, 0.99, range(2, 40, 3)),
        (Change.MORPH, 0.5, range(15, 40)),
    ],
)
def test_the_place_of_the_other_person_is_recorded(change: Change, place: float, expected: range) -> None:
    ours, theirs = _scan(40), _scan(200)
    spliced = splice(ours, theirs, change=change, place=place, points=lambda _: _FACE)
    assert spliced.of_other == frozenset(expected)
    assert [frame.time for frame in spliced.frames] == [frame.time for frame in ours]
    for index, frame in enumerate(spliced.frames):
        if index not in expected:
            assert frame is ours[index]
        elif change is not Change.MORPH:
            assert _brightness(frame) == pytest.approx(200, abs=2)


def _pointing(frames: dict[int, float]) -> FindPoints:
    """Find a face whose nose lies aside in some frames, by the brightness of the frame."""

    def found(frame: SentFrame) -> Points:
        aside = np.zeros_like(_FACE)
        aside[2, 0] = frames.get(round(_brightness(frame)), 0.0)
        return _FACE + aside

    return found


def test_the_other_person_begins_at_the_most_turned_frame_and_turns_to_the_same_side() -> None:
    def scan(levels: range) -> tuple[SentFrame, ...]:
        return tuple(
            SentFrame(nth / _RATE, bytes(cv2.imencode(".png", np.full((100, 100, 3), level, np.uint8))[1]))
            for nth, level in enumerate(levels)
        )

    ours, theirs = scan(range(40, 80)), scan(range(140, 180))
    points = _pointing({56: 8.0, 60: 4.0, 165: 6.0})
    assert most_turned(ours, points)[0] == 16
    assert most_turned(theirs, points)[0] == 25
    spliced = splice(ours, theirs, change=Change.IN_A_TURN, place=0.0, points=points)
    assert spliced.of_other == frozenset(range(16, 40))
    assert _brightness(spliced.frames[16]) == pytest.approx(165, abs=2)
    assert _brightness(spliced.frames[20]) == pytest.approx(169, abs=2)


def test_the_other_face_lies_where_the_first_one_is() -> None:
    ours = _scan(40)
    picture = np.full((200, 300, 3), 90, np.uint8)
    there: Points = _FACE * 2 + np.array([100, 20], np.float32)
    for x, y in there:
        cv2.circle(picture, (round(float(x)), round(float(y))), 4, (255, 255, 255), -1)
    theirs = tuple(SentFrame(0.1 * at, bytes(cv2.imencode(".jpg", picture)[1])) for at in range(_COUNT))
    ours_ids = {id(frame) for frame in ours}
    spliced = splice(
        ours,
        theirs,
        change=Change.LAST_HALF,
        place=0.0,
        points=lambda frame: _FACE if id(frame) in ours_ids else there,
    )
    shown = spliced.frames[-1].pixels()
    assert shown.shape == (100, 100, 3)
    for x, y in _FACE.astype(int):
        assert shown[y, x].mean() > 200
    assert shown[10, 10].mean() == pytest.approx(90, abs=3)
