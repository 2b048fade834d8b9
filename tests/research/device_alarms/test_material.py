from pathlib import Path

import pytest

from research.device_alarms.errors import MaterialError
from research.device_alarms.material import live_scans, pictures
from tests.research.device_alarms.clips import made_clip, made_scan


def test_clips_are_cut_into_scans_of_four_seconds(tmp_path: Path) -> None:
    folder = tmp_path / "data/video/live"
    folder.mkdir(parents=True)
    made_clip(folder / "one.avi", 100)
    scans = live_scans(tmp_path)
    assert [len(scan.jpegs) for scan in scans] == [60, 40]
    assert scans[0].times_us[1] == round(1e6 / 15)
    assert {scan.source for scan in scans} == {"one"}
    assert scans[0].pixels()[0].shape == (96, 128, 3)


def test_pictures_are_taken_as_they_are_stored(tmp_path: Path) -> None:
    folder = tmp_path / "data/pad/live"
    folder.mkdir(parents=True)
    (folder / "one.jpg").write_bytes(made_scan(1).jpegs[0])
    (picture,) = pictures(tmp_path)
    assert picture.jpegs == made_scan(1).jpegs


def test_material_that_is_not_there_is_reported(tmp_path: Path) -> None:
    for read in (live_scans, pictures):
        with pytest.raises(MaterialError):
            read(tmp_path)
    folder = tmp_path / "data/video/live"
    folder.mkdir(parents=True)
    (folder / "broken.mp4").write_bytes(b"no clip")
    with pytest.raises(MaterialError, match=r"broken\.mp4"):
        live_scans(tmp_path)
