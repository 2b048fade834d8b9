from pathlib import Path

import cv2
import numpy as np
import pytest

from research.frame_cues import frames_of_clip, main


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
