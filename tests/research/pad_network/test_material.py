"""Manifests to images, images to regions, regions to samples and back from files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from research.pad_network.material import (
    LARGEST_SOURCE,
    MaterialError,
    load_regions,
    pad_pictures,
    portrait_pictures,
    read_plan,
    save_regions,
)
from research.pad_network.pool import RIM, load_shard, make_shard, save_shard
from research.pad_network.teachers import FEATURES, load_teachers
from tests.research.pad_network.builders import region
from vision.packs.facegate_pad import TIGHT_SIDE, WIDE_SIDE

HEADER = "file,source_repo,path,label,identity,attack_type,usable\n"


def _manifest(folder: Path, *lines: str) -> Path:
    (folder / "manifest.csv").write_text(HEADER + "\n".join(lines) + "\n")
    return folder


def test_names_contain_sessions_and_species(tmp_path: Path) -> None:
    rows = [
        ("a.jpg", LARGEST_SOURCE, "data/All_Real_aspect_resized/1600515590.jpg", "live", ""),
        ("b.jpg", LARGEST_SOURCE, "data/All_Real_aspect_resized/img_1600515999 2.jpg", "live", ""),
        ("c.jpg", LARGEST_SOURCE, "data/Real_aspect_resized/20240119_194241.jpg", "live", ""),
        ("d.jpg", LARGEST_SOURCE, "data/All_Paper_aspect_resized/A4 BW_img_25.jpg", "spoof", "print:A4"),
        ("e.jpg", "a/b", "dataset/fake/7.png", "spoof", "screen (an author)"),
        ("f.jpg", "a/b", "dataset/fake/8.png", "spoof", "screen?"),
    ]
    lines = [f"{file},{source},{path},{label},,{attack},1" for file, source, path, label, attack in rows]
    pictures = pad_pictures(_manifest(tmp_path, *lines, "g.jpg,a/b,x/9.png,live,,,0"))
    assert [picture.path.name for picture in pictures] == [row[0] for row in rows]
    assert [picture.species for picture in pictures] == ["live"] * 3 + ["print", "screen", "screen"]
    assert [picture.session for picture in pictures[:4]] == [
        "time 1600515",
        "time 1600515",
        "Real 20240119",
        "All_Paper A BW_img",
    ]


def test_a_missing_manifest_is_reported(tmp_path: Path) -> None:
    for read in (pad_pictures, portrait_pictures):
        with pytest.raises(MaterialError, match=r"manifest\.csv"):
            read(tmp_path)


def test_every_real_source_is_in_the_plan(assets: Path) -> None:
    plan = read_plan()
    planned = plan.held_out_sources.union(*plan.folds, {LARGEST_SOURCE})
    pictures = pad_pictures(assets / "data" / "pad")
    assert {picture.source for picture in pictures} == planned
    assert plan.held_out_sessions <= {picture.session for picture in pictures}
    assert not {p.source for p in portrait_pictures(assets / "data" / "faces")} & planned


def test_regions_survive_a_file(tmp_path: Path) -> None:
    kept = [region("1"), region("2", species="print", seed=4)]
    save_regions(tmp_path / "regions.npz", kept)
    read = load_regions(tmp_path / "regions.npz")
    for one, other in zip(kept, read, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.template, other.template)
        assert (one.name, one.is_live, one.species, one.boxes) == (
            other.name,
            other.is_live,
            other.species,
            other.boxes,
        )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text"])
def test_other_files_hold_no_regions_or_shards(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.npz"
    path.write_bytes(content)
    for load in (load_regions, load_shard):
        with pytest.raises(MaterialError, match=r"file\.npz"):
            load(path)


def test_a_shard_is_decided_by_its_seed(assets: Path, tmp_path: Path) -> None:
    teachers = load_teachers(assets / "models")
    regions = [region("1"), region("2", species="print", seed=1), replace(region("3"), name="left out")]
    first, again, other = (
        make_shard(regions, [0, 1], teachers=teachers, count=6, seed=seed) for seed in (1, 1, 2)
    )
    assert first.tight.shape == (6, TIGHT_SIDE + 2 * RIM, TIGHT_SIDE + 2 * RIM, 3)
    assert first.wide.shape == (6, WIDE_SIDE, WIDE_SIDE, 3)
    assert first.features.shape == (6, len(teachers), FEATURES)
    assert ((first.probabilities >= 0) & (first.probabilities <= 1)).all()
    assert set(first.region.tolist()) <= {0, 1}
    np.testing.assert_array_equal(first.tight, again.tight)
    assert not np.array_equal(first.tight, other.tight)
    # Only a bona fide image becomes a simulated attack, and every attack is labelled as one.
    assert not first.is_live[first.is_simulated].any()
    assert (first.is_live[(first.region == 1)] == 0).all()
    save_shard(tmp_path / "shard.npz", first)
    np.testing.assert_array_equal(load_shard(tmp_path / "shard.npz").features, first.features)
