"""Measuring a few real images and one clip."""

import csv
from pathlib import Path

import pytest

from research.liveness_fusion.measure import main
from research.liveness_fusion.parts import OWN, PUBLIC
from research.liveness_fusion.rows import RowKind, read_rows
from tests.packs import shared_pack
from tests.research.parts import part_of

_CLIP = "live/quentin-csg__videos__real.mp4"


def _pictures(assets: Path) -> tuple[str, str]:
    """An image of a source on which Facegate's network was trained, and one of another source."""
    with (assets / "data/pad/manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["usable"] == "1"]
    trained = next(row["file"] for row in rows if row["source_repo"].startswith("neonipun/"))
    unseen = next(row["file"] for row in rows if row["source_repo"].startswith("Krzysiek354/"))
    return trained, unseen


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_our_network_scores_only_rows_outside_its_training_data(assets: Path, tmp_path: Path) -> None:
    trained, unseen = _pictures(assets)
    part_of(assets / "data/pad", tmp_path / "data/pad", [trained, unseen])
    part_of(assets / "data/video", tmp_path / "data/video", [_CLIP])
    spec = f"open:{assets / 'models'}"
    packs = ["--pack", spec, "--pack", "embedded"]
    chosen = ["--only", "clips", "--only", "pictures"]
    out = tmp_path / "rows"
    assert main(["--assets", str(tmp_path), *packs, *chosen, "--out", str(out)]) == 0
    rows = read_rows(out)
    by_name = {row.name: row for row in rows if row.kind is RowKind.PICTURE}
    public = {network.name for network in shared_pack(spec).pad_networks}
    assert "minifas_v2se" in public <= set(PUBLIC)
    assert set(by_name[trained].networks) == public
    assert set(by_name[unseen].networks) == {*public, OWN}
    clips = [row for row in rows if row.kind is RowKind.CLIP]
    frames = [row for row in rows if row.kind is RowKind.FRAME]
    assert len(clips) == len(frames) >= 2
    assert all("planar_motion" in row.scores and "blur_depth" in row.scores for row in clips)
    assert all("planar_motion" not in row.scores and "blur_depth" in row.scores for row in frames)
    assert all(row.live and not row.species for row in clips)
    assert {row.source for row in clips} == {"quentin-csg/B3-projet-final"}


def test_a_folder_without_data_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rows"
    assert main(["--assets", str(tmp_path), "--pack", "no-such-pack", "--out", str(out)]) == 2
    assert "could not measure" in capsys.readouterr().err
    assert not out.exists()
