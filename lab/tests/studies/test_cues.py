"""The studies of single cues: of frames, features of portraits, covered faces, and shown pictures."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from lab.evaluation.pad.dataset import PadLabel, PadSample
from lab.studies import frame_cues, movement, occlusion, selfie_weights
from lab.studies.feature_measures import __main__ as feature_measures
from lab.studies.frame_cues import Presentation, frames_of_clip, live_levels, suggested_line
from lab.studies.liveness_fusion import measure as liveness_fusion
from lab.studies.occlusion import Painted
from lab.studies.portrait_measures import __main__ as portrait_measures
from lab.studies.scan_match import __main__ as scan_match
from lab.studies.shown_picture import WARPS, FramedPhoto, set_lines
from lab.tests.studies.parts import SHORT_CLIPS, part_of, small_assets, some_photos
from liveness import face_extent
from liveness.express.settings import CueLine
from liveness.shown_picture import PictureChange
from tests.liveness.builders import FACE, HEIGHT, WIDTH, face_at
from vision.face import BgrImage, Landmarks

# What is not there is reported in one line, by every study.


@pytest.mark.parametrize(
    ("main", "options"),
    [
        (frame_cues.main, ["{}"]),
        (feature_measures.main, ["--assets", "{}"]),
        (occlusion.main, ["--assets", "{}"]),
        (movement.main, ["--assets", "{}", "--rows", "{}/rows"]),
        (portrait_measures.main, ["--assets", "{}", "--part", "mouth"]),
        (scan_match.main, ["constancy", "--pack", "embedded", "--clips", "{}"]),
        (selfie_weights.main, ["--assets", "{}", "--pack", "no-such-pack"]),
        (liveness_fusion.main, ["--assets", "{}", "--pack", "no-such-pack", "--out", "{}/rows"]),
    ],
)
def test_missing_assets_are_reported_in_one_line(
    main: Callable[[list[str]], int], options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    assert main([option.format(tmp_path) for option in options]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")
    assert not (tmp_path / "rows").exists()


# Cues of single frames.


def _of_one_source(folder: Path, *, live: int, attacks: int) -> list[str]:
    """As many live images as set a line, and attacks of the source with the most."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["usable"] == "1"]
    ((source, _),) = Counter(row["source_repo"] for row in rows).most_common(1)
    ours = [row for row in rows if row["source_repo"] == source]
    return [
        row["file"]
        for is_live, count in ((True, live), (False, attacks))
        for row in [row for row in ours if (row["label"] == "live") is is_live][:count]
    ]


def test_every_cue_is_reported_by_source(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = some_photos(assets / "data/faces", people=1, each=1)
    made = small_assets(assets, tmp_path / "assets", photos=photos, clips=list(SHORT_CLIPS[:1]))
    part_of(assets / "data/pad", made / "data/pad", _of_one_source(assets / "data/pad", live=24, attacks=4))
    assert frame_cues.main([str(made), "--pack", f"open:{made / 'models'}"]) == 0
    printed = capsys.readouterr().out
    assert "moire: line" in printed
    assert "colour_gamut: line" in printed


_LINES = CueLine(line=2.0, live=1.0)


def _presentation(source: str, person: str, value: float | None) -> Presentation:
    sample = PadSample(
        path=Path("x"),
        label=PadLabel.LIVE,
        species="",
        source=source,
        identity=person,
        session=person,
        usable=True,
    )
    return Presentation(sample=sample, values={} if value is None else {"moire": value})


def _measured() -> list[Presentation]:
    values = np.random.default_rng(0).uniform(0.5, 1.5, 30)
    live = [_presentation("a", f"p{at}", float(value)) for at, value in enumerate(values)]
    return [*live, _presentation("b", "q", 3.0), _presentation("a", "p0", None)]


def test_live_levels_show_the_false_alarms_of_a_line() -> None:
    largest, smallest = live_levels(_measured(), "moire", _LINES)
    assert (largest.source, largest.live) == ("a", 30)
    assert largest.wronged is not None
    assert largest.wronged.hits == 0
    assert smallest.wronged is not None
    assert (smallest.wronged.hits, smallest.wronged.trials) == (1, 1)


@pytest.mark.parametrize("higher", [True, False])
def test_a_line_wrongs_one_in_twenty_of_the_worst_group(*, higher: bool) -> None:
    sign = 1 if higher else -1
    calm, restless = sign * np.linspace(0, 1, 101), sign * np.linspace(0, 3, 101)
    small = [sign * np.full(5, 0.5) for _ in range(4)]
    lines = suggested_line([calm, restless, *small], higher_is_attack=higher)
    assert lines.line == pytest.approx(sign * 2.85)
    assert lines.live == pytest.approx(sign * 0.5)
    with pytest.raises(ValueError, match="large enough"):
        suggested_line(small[:1], higher_is_attack=higher)


def _clip(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (64, 48))
    for at in range(frames):
        writer.write(np.full((48, 64, 3), 4 * at, np.uint8))
    writer.release()
    return path


def test_frames_lie_at_even_distances_within_a_clip(tmp_path: Path) -> None:
    shades = [float(frame.mean()) / 4 for frame in frames_of_clip(_clip(tmp_path / "clip.avi", 51), count=4)]
    assert shades == pytest.approx([10, 20, 30, 40], abs=1)


def test_a_short_clip_gives_its_frames_and_a_missing_one_none(tmp_path: Path) -> None:
    assert 1 <= len(list(frames_of_clip(_clip(tmp_path / "clip.avi", 2), count=4))) <= 2
    assert not list(frames_of_clip(tmp_path / "none.avi", count=4))


# Features of portraits; the figures are in docs/trusted_images.md.


@pytest.mark.parametrize(
    ("found", "of", "words"),
    [
        # Clopper-Pearson bounds from tables of the binomial distribution.
        (0, 10, "0 of 10 (0.0%; 0.0% to 30.8%)"),
        (10, 10, "10 of 10 (100.0%; 69.2% to 100.0%)"),
        (2, 20, "2 of 20 (10.0%; 1.2% to 31.7%)"),
        (0, 0, "none"),
    ],
)
def test_a_share_has_its_bounds(found: int, of: int, words: str) -> None:
    assert feature_measures.share(found, of) == words


@pytest.mark.parametrize("what", ["lens", "hair"])
def test_an_eye_is_hidden_and_the_rest_is_not(what: str) -> None:
    image = np.full((616, 616, 3), 180, dtype=np.uint8)
    feature_measures.painted(image, (300, 270), what)
    assert image[255:285, 280:320].max() < 110
    assert (image[400:] == 180).all()
    assert (image[:, :200] == 180).all()


@pytest.mark.timeout(1200)
def test_photos_and_a_clip_are_judged(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = some_photos(assets / "data/faces", people=2, each=1)
    made = small_assets(assets, tmp_path / "assets", photos=photos, clips=list(SHORT_CLIPS[:1]))
    assert feature_measures.main(["--assets", str(made)]) == 0
    printed = capsys.readouterr().out
    assert "Expression neutrality" in printed
    assert "Eyes visible" in printed
    assert "The average eye of 2 persons" in printed
    assert "Eyes open, 1 clips" in printed


# Painted covers; the figures are in docs/liveness.md.

_EYES = np.array([[[37.0, 46.0], [63.0, 46.0]], [[94.0, 46.0], [120.0, 46.0]]])


def _part() -> BgrImage:
    return np.full((160, 158, 3), (110, 140, 190), np.uint8)


@pytest.mark.parametrize(
    ("what", "covered", "bare"),
    [
        (Painted.MASK, (120, 79), (46, 50)),
        (Painted.OBJECT, (110, 79), (110, 38)),
        (Painted.LENSES, (46, 50), (120, 79)),
    ],
)
def test_a_cover_is_where_it_belongs(what: Painted, covered: tuple[int, int], bare: tuple[int, int]) -> None:
    part = _part()
    made = occlusion.painted(part, _EYES, what, np.random.default_rng(4))
    assert made.shape == part.shape
    assert (made[bare] == part[bare]).all()
    assert np.abs(made[covered].astype(int) - part[covered]).max() > 20
    assert (part == _part()).all()


def test_one_seed_paints_the_same_cover() -> None:
    one, other = (occlusion.painted(_part(), _EYES, Painted.MASK, np.random.default_rng(9)) for _ in range(2))
    assert (one == other).all()


# The positive controls of shown pictures: each warp bends the face as far as it says.

_STRENGTH = 0.03


def _photo() -> FramedPhoto:
    rng = np.random.default_rng(1)
    face = face_at()
    x, y, width = FACE
    angles, reach = rng.uniform(0, 2 * np.pi, 120), np.sqrt(rng.uniform(0, 1, 120)) * width / 2
    points = np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)]).astype(np.float32)
    depth = np.sqrt(np.maximum(0, (width / 2) ** 2 - reach**2)).astype(np.float32)
    extent = face_extent(face)
    return FramedPhoto(
        picture=rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8),
        face=(extent.x, extent.y, extent.width),
        found=face,
        marks=Landmarks(points=points, scheme="test", depth=-depth),
    )


@pytest.mark.parametrize("name", WARPS)
def test_a_warp_moves_the_face_by_about_its_strength_and_never_tears_away(name: str) -> None:
    photo = _photo()
    warp = WARPS[name](photo, _STRENGTH, 1)
    x, y, width = photo.face
    rows = slice(round(y - width / 2), round(y + width / 2))
    columns = slice(round(x - width / 2), round(x + width / 2))
    moved = np.array([np.hypot(*warp(time))[rows, columns] for time in np.arange(0, 6, 0.25)]) / width
    assert 0.1 * _STRENGTH < float(np.sqrt(np.square(moved).mean())) < 3 * _STRENGTH
    # It moves over time, and not only once.
    assert float(np.ptp(moved, axis=0).max()) > 0.3 * _STRENGTH
    assert float(moved.max()) < 10 * _STRENGTH


def test_the_lines_are_set_by_people_alone() -> None:
    changes = [PictureChange(new=float(value), bend=0.02) for value in range(10, 41)]
    still = [PictureChange(new=1.0, bend=0.001)]
    lines = set_lines([*changes, *still])
    # Far below the least change of a face that bends; the still one is a doubt and never certain.
    assert lines.certain == pytest.approx(10 / 2.4)
    assert 10 < lines.possible < 13
    assert lines.doubts(still[0])
    assert not lines.convicts(still[0])
    assert lines.convicts(PictureChange(new=4.1, bend=0.02))
