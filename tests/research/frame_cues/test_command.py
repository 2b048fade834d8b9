import csv
from collections import Counter
from pathlib import Path

import pytest

from research.frame_cues import main
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
