"""``prepare``; ``validate`` and ``train`` need PyTorch, which tests do not install."""

import csv
from pathlib import Path

import numpy as np
import pytest

from research.pad_network import held_out, stages
from research.pad_network.__main__ import main
from research.pad_network.material import load_regions
from tests.research.parts import part_of, small_assets, some_photos


def _pictures(folder: Path) -> list[str]:
    """Two live images and two attacks of the source with the most, and two images of another one."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["usable"] == "1"]
    large = [row for row in rows if "Silent-Face" in row["source_repo"]]
    others = [row for row in rows if row["source_repo"].startswith("Krzysiek354/")]
    parts = ([row for row in large if (row["label"] == "live") is live][:2] for live in (True, False))
    return [row["file"] for part in (*parts, others[:2]) for row in part]


@pytest.mark.timeout(300)
def test_preparation_writes_regions_a_shard_and_the_held_out_list(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stages, "_SHARD", 8)
    photos = some_photos(assets / "data/faces", people=1, each=1)
    made = small_assets(assets, tmp_path / "assets", photos=photos)
    part_of(assets / "data/pad", made / "data/pad", _pictures(assets / "data/pad"))
    work = tmp_path / "work"
    assert main(["prepare", "--assets", str(made), "--work", str(work), "--shards", "1"]) == 0
    regions = load_regions(work / "regions.npz")
    assert {region.is_live for region in regions} == {True, False}
    with np.load(work / "shard_000.npz") as shard:
        assert all(len(values) == 8 for values in shard.values())
    listed = tmp_path / "held_out.txt"
    assert held_out.main(["--work", str(work), "--out", str(listed)]) == 0
    assert "Left out" in listed.read_text("utf-8")
