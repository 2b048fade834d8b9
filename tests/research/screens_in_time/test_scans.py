from dataclasses import replace
from pathlib import Path

import pytest

from research.screens_in_time.scans import Scan, ScansUnusable, of_clips, read_scans, write_scans


def _scan(clip: str, number: int, cues: dict[str, float]) -> Scan:
    return Scan(clip, number, "source", True, "", 0.0, False, cues)


def test_written_scans_are_read(tmp_path: Path) -> None:
    scans = [_scan("a", 0, {"common steps": 1.5}), _scan("a", 1, {})]
    write_scans(tmp_path / "scans", scans)
    assert read_scans(tmp_path / "scans") == scans


def test_another_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "scans").write_text('{"clip": "a"}\n', encoding="utf-8")
    with pytest.raises(ScansUnusable, match="line 1"):
        read_scans(tmp_path / "scans")


def test_a_clip_has_the_median_of_the_scans_in_which_a_cue_was_measured() -> None:
    scans = [_scan("a", number, {"common steps": value}) for number, value in enumerate((1.0, 2.0, 9.0))]
    clips = list(of_clips([*scans, _scan("a", 3, {}), _scan("b", 0, {"fixed layer": 4.0})]))
    assert [(clip.clip, clip.cues) for clip in clips] == [
        ("a", {"common steps": 2.0}),
        ("b", {"fixed layer": 4.0}),
    ]


def test_a_clip_with_a_drawn_trace_is_one_of_its_own() -> None:
    plain = _scan("a", 0, {"common steps": 1.0})
    drawn = replace(plain, live=False, trace="one step", cues={"common steps": 3.0})
    assert list(of_clips([plain, drawn])) == [plain, drawn]
