"""Frames of clips as further material: what each network may be trained on, and hard examples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from research.pad_network import wider, wider_run
from research.pad_network.pool import drawn_by_loss, load_shard
from research.pad_network.regions import Region, save_regions
from research.pad_network.split import read_plan
from research.pad_network.wider import PARTS, left_out_of
from tests.research.pad_network.builders import region, unit
from tests.research.parts import SHORT_CLIPS, small_assets, some_photos

_SCREENS = ("a/screens", "b/screens", "c/screens", "d/screens")


def _frame(source: str, *, species: str = "live", person: int) -> Region:
    made = region(f"{source}.mp4#0", source=source, species=species, template=unit(*[0.0] * person, 1.0))
    return replace(made, session=f"clip {source}.mp4")


def _material() -> list[Region]:
    held_out = min(read_plan().held_out_sources)
    return [
        *(_frame(source, species="screen", person=number) for number, source in enumerate(_SCREENS)),
        _frame(held_out, person=10),
        region("held.jpg", source=held_out, template=unit(*[0.0] * 10, 1.0)),
        region("selfie.jpg", template=unit(*[0.0] * 20, 1.0)),
        region("author.jpg", source="x/photos", species="portrait", template=unit(1.0)),
    ]


def test_no_network_is_trained_on_a_source_or_a_person_that_judges_it() -> None:
    regions = _material()
    judged_frames = []
    for part in range(PARTS):
        allowed, judged = left_out_of(regions, part)
        assert not (allowed & judged).any()
        trained = {each.source for each, used in zip(regions, allowed, strict=True) if used}
        assert not trained & {each.source for each, used in zip(regions, judged, strict=True) if used}
        judged_frames.append(judged[:5])
        # The photo shows the person in the first screen.
        assert allowed[-1] == (not judged[0])
        assert judged[5]
        assert allowed[6]
    # Every clip is judged once.
    np.testing.assert_array_equal(np.sum(judged_frames, axis=0), np.ones(5))


def test_hard_examples_are_drawn_more_often_but_do_not_fill_a_round() -> None:
    rows = np.arange(1000)
    losses = np.where(rows < 10, 100.0, 0.1).astype(np.float32)
    drawn = drawn_by_loss(rows, losses, 0.5, np.random.default_rng(0))
    assert drawn.shape == rows.shape
    hard = float((drawn < 10).mean())
    assert 0.015 < hard < 0.1
    alike = drawn_by_loss(rows, losses, 0.0, np.random.default_rng(0))
    assert float((alike < 10).mean()) < 0.02


def test_a_sample_is_repeatable_and_keeps_the_face() -> None:
    for seed in range(12):
        image, box = wider_run.stronger(region("one.jpg"), seed % 2 == 0, np.random.default_rng(seed))
        again, _ = wider_run.stronger(region("one.jpg"), seed % 2 == 0, np.random.default_rng(seed))
        np.testing.assert_array_equal(image, again)
        assert box.inside_fraction(image.shape[1], image.shape[0]) > 0.5


@pytest.mark.timeout(300)
def test_frames_and_photos_become_samples(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wider_run, "_SHARD", 6)
    monkeypatch.setattr(wider, "_FRAMES", 2)
    monkeypatch.setattr(wider, "_FOLDERS", ("video",))
    monkeypatch.setattr(wider, "_COLLECTIONS", ("faces",))
    made = small_assets(
        assets,
        tmp_path / "assets",
        photos=some_photos(assets / "data/faces", people=1, each=1),
        clips=[SHORT_CLIPS[0], "spoof/Apfol__videos__fake2.webm"],
    )
    save_regions(tmp_path / "regions.npz", [region("selfie.jpg")])
    common = ["--assets", str(made), "--work", str(tmp_path)]
    assert wider_run.main(["cut", *common]) == 0
    assert wider_run.main(["draw", *common, "--of", "frames", "--shards", "1"]) == 0
    shard = load_shard(tmp_path / "wider_000_frames.npz")
    # The picture and the photo come first, so the frames of the two clips have the numbers 2 to 5.
    assert set(shard.region.tolist()) <= {2, 3, 4, 5}
    assert shard.probabilities.min() < shard.probabilities.max()
    assert shard.tight.std() > 10


def test_the_command_says_which_stage_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("regions.npz", "clips.npz", "photos.npz"):
        save_regions(tmp_path / name, _material()[:5])
    status = wider_run.main(["compare", "--work", str(tmp_path), "--part", "0"])
    assert status == 2
    assert "wider_part_0.onnx" in capsys.readouterr().err
