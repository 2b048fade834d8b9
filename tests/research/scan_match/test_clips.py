"""Clips as portraits and scans."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from research.scan_match.clips import ClipError, read_recordings


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
