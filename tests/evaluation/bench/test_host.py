from pathlib import Path

import pytest

from evaluation.bench import HostTime

_LINE = "cpu  100 0 50 800 10 0 5 35 0 0\ncpu0 50 0 25 400 5 0 2 17 0 0\n"


def _times(folder: Path, text: str) -> HostTime | None:
    stat = folder / "stat"
    stat.write_text(text, encoding="ascii")
    return HostTime.now(stat)


def test_first_line_is_of_all_cores(tmp_path: Path) -> None:
    assert _times(tmp_path, _LINE) == HostTime(ticks=1000, stolen=35)


def test_time_of_guests_counts_once(tmp_path: Path) -> None:
    times = _times(tmp_path, "cpu  100 0 50 800 10 0 5 35 70 7\n")
    assert times is not None
    assert times.ticks == 1000


@pytest.mark.parametrize("text", ["", "intr 1 2 3 4 5 6 7 8\n", "cpu  1 2 3\n", "cpu  a b c d e f g h\n"])
def test_a_host_without_the_counter_has_no_stolen_time(tmp_path: Path, text: str) -> None:
    assert _times(tmp_path, text) is None


def test_a_missing_file_gives_no_stolen_time(tmp_path: Path) -> None:
    assert HostTime.now(tmp_path / "none") is None


def test_share_between_two_readings() -> None:
    before = HostTime(ticks=1000, stolen=35)
    assert HostTime(ticks=1200, stolen=85).stolen_since(before) == pytest.approx(0.25)
    assert before.stolen_since(before) == 0.0
