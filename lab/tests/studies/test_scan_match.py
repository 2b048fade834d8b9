"""The study of scans compared with photos."""

import functools
from pathlib import Path

import cv2
import numpy as np
import pytest

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
    fused_template,
    portrait_template,
    scan_curve,
)
from lab.tests.studies.parts import SHORT_CLIPS, small_assets, some_photos
from matcher.similarity import fmr_bound
from tests.packs import real_pack
from vision.face import Embedding
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


# From frames to templates with a real pack.


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
def test_the_portrait_and_the_scans_of_a_clip_show_one_person() -> None:
    recording = _recording("astronaut")
    portrait = portrait_template(recording, real_pack())
    assert portrait is not None
    assert float(portrait @ fused_template(recording.scans[0], real_pack())) > 0.95
