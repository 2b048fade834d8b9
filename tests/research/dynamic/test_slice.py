"""A few scans through the command, to test the direction of its results."""

from pathlib import Path

import pytest

from research.dynamic.__main__ import main
from research.dynamic.rows import Row, read_rows

_CORRECTIONS = Path(__file__).parents[3] / "evaluation" / "label_corrections.toml"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    path = tmp_path_factory.mktemp("dynamic") / "rows.jsonl"
    _scan(assets, path)
    return path, read_rows(path)


def _options(assets: Path, path: Path) -> list[str]:
    return ["scan", "--assets", str(assets), "--rows", str(path), "--corrections", str(_CORRECTIONS)]


def _scan(assets: Path, path: Path) -> None:
    assert main([*_options(assets, path), "--slice", "small"]) == 0


def test_genuine_people_indoors_pass_in_time(rows: tuple[Path, list[Row]]) -> None:
    indoor = [row for row in rows[1] if row.kind == "genuine" and row.ambient == "indoor"]
    assert len(indoor) == 2
    # In such small frames one person in five is asked to try again, because the shape is not certain.
    assert "SUCCESS" in [row.flash for row in indoor]
    for row in indoor:
        assert row.finding in {"RIGHT", "NOT_MEASURABLE"}
        assert row.bits >= 12
        assert row.seconds is not None
        assert row.seconds < 12


def test_the_sun_causes_no_spoof(rows: tuple[Path, list[Row]]) -> None:
    sun = [row for row in rows[1] if row.ambient == "sun"]
    assert len(sun) == 2
    for row in sun:
        assert row.flash == row.combined == "INCONCLUSIVE"
        assert "TOO_BRIGHT" in row.hints


def test_a_clean_injected_video_never_passes(rows: tuple[Path, list[Row]]) -> None:
    (clean,) = (row for row in rows[1] if row.kind == "injected-video")
    assert clean.flash != "SUCCESS"
    assert clean.combined != "SUCCESS"
    assert clean.bits < 10


def test_a_second_run_adds_nothing(rows: tuple[Path, list[Row]], assets: Path) -> None:
    path, before = rows
    _scan(assets, path)
    assert read_rows(path) == before


def test_a_plan_without_scans_is_refused(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    assert main([*_options(assets, path), "--turns", "1", "--first-turn", "1", "--people", "1"]) == 2
    assert "--first-turn" in capsys.readouterr().err
    assert not path.exists()
