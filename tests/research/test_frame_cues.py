"""The study of the cues of single frames."""

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from evaluation.pad.dataset import PadLabel, PadSample
from liveness.express.settings import CueLine
from research.frame_cues import Presentation, frames_of_clip, live_levels, main, suggested_line
from tests.research.parts import SHORT_CLIPS, part_of, small_assets, some_photos


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
    assert main([str(made), "--pack", f"open:{made / 'models'}"]) == 0
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


def test_assets_that_are_not_there_are_reported_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.startswith("could not measure: ")
