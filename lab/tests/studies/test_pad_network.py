"""The training of a PAD network of our own."""

import csv
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import correlate

from lab.packs.facegate_pad import TIGHT_SIDE, WIDE_SIDE
from lab.studies.pad_network import held_out, stages
from lab.studies.pad_network.__main__ import main
from lab.studies.pad_network.export import State, fit_calibration, student_to_onnx
from lab.studies.pad_network.held_out import held_out_names
from lab.studies.pad_network.material import (
    HELD_OUT,
    LARGEST_SOURCE,
    UNUSED,
    Region,
    divide,
    load_regions,
    pad_pictures,
    persons,
    portrait_pictures,
    read_plan,
    save_regions,
)
from lab.studies.pad_network.pool import RIM, load_shard, make_shard, save_shard
from lab.studies.pad_network.recapture import as_print, as_screen
from lab.studies.pad_network.stages import Workplace
from lab.studies.pad_network.teachers import FEATURES, load_teachers
from lab.tests.studies.parts import part_of, small_assets, some_photos
from vision.face import BgrImage, Box
from vision.onnx_sessions import RuntimeOptions, create_session

# Simulated regions and weights for these tests, without images of persons.

BOX = Box(40, 30, 120, 130)


def noise_image(seed: int = 0, *, height: int = 160, width: int = 150) -> BgrImage:
    """Smooth noise with tones and edges, and without a face."""
    coarse = np.random.default_rng(seed).integers(0, 256, size=(8, 8, 3)).astype(np.uint8)
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    return np.ascontiguousarray(coarse[rows][:, columns])


def unit(*values: float) -> NDArray[np.float32]:
    """A template that starts with ``values``, of length 1."""
    vector = np.zeros(128, dtype=np.float32)
    vector[: len(values)] = values
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def region(
    name: str,
    *,
    source: str = LARGEST_SOURCE,
    session: str = "numbers",
    species: str = "live",
    template: NDArray[np.float32] | None = None,
    seed: int = 0,
) -> Region:
    return Region(
        source=source,
        session=session,
        is_live=species in {"live", "portrait"},
        species=species,
        name=name,
        image=noise_image(seed),
        boxes=(BOX,),
        template=np.zeros(128, dtype=np.float32) if template is None else template,
    )


def student_state() -> dict[str, NDArray[np.float32]]:
    """Weights of the network's shapes, drawn, so that exporting needs no PyTorch."""
    random = np.random.default_rng(0)
    state: dict[str, NDArray[np.float32]] = {}

    def convolution(name: str, inward: int, outward: int) -> None:
        spread = (2 / (9 * inward)) ** 0.5
        state[f"{name}.0.weight"] = random.normal(0, spread, (outward, inward, 3, 3)).astype(np.float32)
        for part, low, high in (("weight", 0.8, 1.2), ("bias", -0.1, 0.1), ("running_mean", -0.1, 0.1)):
            state[f"{name}.1.{part}"] = random.uniform(low, high, outward).astype(np.float32)
        state[f"{name}.1.running_var"] = random.uniform(0.5, 1.5, outward).astype(np.float32)

    for trunk, channels in (("tight", (4, 6, 8)), ("wide", (4, 6))):
        convolution(f"{trunk}.stem", 3, channels[0])
        for stage, (inward, outward) in enumerate(itertools.pairwise(channels)):
            convolution(f"{trunk}.stages.{stage}.halve", inward, outward)
            convolution(f"{trunk}.stages.{stage}.first", outward, outward)
            convolution(f"{trunk}.stages.{stage}.second", outward, outward)
    for name, inward, outward in (("join", 28, 5), ("last", 5, 1)):
        state[f"{name}.weight"] = random.normal(0, 0.4, (outward, inward)).astype(np.float32)
        state[f"{name}.bias"] = random.normal(0, 0.1, outward).astype(np.float32)
    return state


# The calibration of logits on the scores of the cross-validation.


def test_calibration_finds_the_scale_that_was_lost() -> None:
    random = np.random.default_rng(5)
    truth = random.normal(0, 2, size=4000)
    is_live = random.random(4000) < 1 / (1 + np.exp(-truth))
    weights = np.where(is_live, is_live.mean(), 1 - is_live.mean())
    found = fit_calibration(4 * truth - 1, is_live, weights)
    assert found.scale == pytest.approx(0.25, rel=0.1)
    assert found.shift == pytest.approx(0.25, abs=0.12)


# ``prepare``; ``validate`` and ``train`` need PyTorch, which tests do not install.


def _pictures(folder: Path) -> list[str]:
    """Two live images and two attacks of the source with the most, and two images of another one."""
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["usable"] == "1"]
    large = [row for row in rows if "Silent-Face" in row["source_repo"]]
    others = [row for row in rows if row["source_repo"].startswith("Krzysiek354/")]
    parts = ([row for row in large if (row["label"] == "live") is live][:2] for live in (True, False))
    return [row["file"] for part in (*parts, others[:2]) for row in part]


@pytest.mark.timeout(1200)
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


# The exported graph computes the network of the weights.

CPU = RuntimeOptions(providers="cpu")


def _halved(value: NDArray[np.float64], state: State, name: str, *, stride: int) -> NDArray[np.float64]:
    """Convolution and batch normalisation, straight from their definitions; shape (channels, h, w)."""
    padded = np.pad(value, ((0, 0), (1, 1), (1, 1)))
    weights = state[f"{name}.0.weight"].astype(np.float64)
    made = np.array([correlate(padded, kernel, mode="valid")[0] for kernel in weights])[:, ::stride, ::stride]
    mean, variance = state[f"{name}.1.running_mean"], state[f"{name}.1.running_var"]
    scaled = (made - mean[:, None, None]) / np.sqrt(variance + 1e-5)[:, None, None]
    return np.asarray(
        scaled * state[f"{name}.1.weight"][:, None, None] + state[f"{name}.1.bias"][:, None, None]
    )


def _expected(state: State, crops: dict[str, NDArray[np.float32]]) -> float:
    pooled = []
    for trunk, count in (("tight", 2), ("wide", 1)):
        value = (crops[trunk][0].astype(np.float64) - 127.5) / 127.5
        value = np.maximum(_halved(value, state, f"{trunk}.stem", stride=2), 0)
        for stage in range(count):
            part = f"{trunk}.stages.{stage}"
            value = np.maximum(_halved(value, state, f"{part}.halve", stride=2), 0)
            inner = np.maximum(_halved(value, state, f"{part}.first", stride=1), 0)
            value = np.maximum(value + _halved(inner, state, f"{part}.second", stride=1), 0)
        pooled += [value.mean(axis=(1, 2)), value.max(axis=(1, 2))]
    hidden = np.maximum(state["join.weight"] @ np.concatenate(pooled) + state["join.bias"], 0)
    return float((state["last.weight"] @ hidden + state["last.bias"])[0])


def test_the_graph_computes_the_same_as_the_layers() -> None:
    state = student_state()
    random = np.random.default_rng(3)
    crops = {
        "tight": random.uniform(0, 255, (1, 3, 112, 112)).astype(np.float32),
        "wide": random.uniform(0, 255, (1, 3, 80, 80)).astype(np.float32),
    }
    plain = create_session(student_to_onnx(state), CPU).run(None, crops)[0]
    assert plain.shape == (1, 1)
    # Numbers are stored as float16.
    assert plain[0, 0] == pytest.approx(_expected(state, crops), rel=2e-2, abs=2e-2)
    calibrated = create_session(student_to_onnx(state, scale=0.5, shift=1.25), CPU).run(None, crops)[0]
    assert calibrated[0, 0] == pytest.approx(0.5 * plain[0, 0] + 1.25, rel=1e-2, abs=1e-2)


def held_out_region(name: str, *, is_live: bool) -> Region:
    nothing = np.zeros((4, 4, 3), np.uint8)
    return Region("a", "s", is_live, "" if is_live else "print", name, nothing, (), np.zeros(3, np.float32))


def test_held_out_files_have_the_names_of_the_manifest() -> None:
    place = Workplace(
        folder=Path("work"),
        regions=[
            held_out_region("1.jpg", is_live=True),
            held_out_region("2.jpg", is_live=True),
            held_out_region("3.jpg", is_live=False),
        ],
        fold=np.array([HELD_OUT, 0, HELD_OUT]),
        person=np.array([0, 1, 2]),
    )
    assert held_out_names(place) == ("live/1.jpg", "spoof/3.jpg")


# Manifests to images, images to regions, regions to samples and back from files.

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


def test_the_packaged_plan_names_every_source_once() -> None:
    plan = read_plan()
    named = [*plan.held_out_sources, *(source for fold in plan.folds for source in fold)]
    assert len(named) == len(set(named)) == 11


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


# Simulated recaptures and cameras: same shapes, always another image, repeatable.


@pytest.mark.parametrize("attack", [as_print, as_screen])
def test_a_recapture_changes_the_picture_and_can_be_repeated(attack: Callable[..., BgrImage]) -> None:
    image = noise_image()
    for seed in range(12):
        made = attack(image, BOX, random=np.random.default_rng(seed))
        assert (made.shape, made.dtype) == (image.shape, image.dtype)
        assert np.abs(made.astype(int) - image).mean() > 2
        np.testing.assert_array_equal(made, attack(image, BOX, random=np.random.default_rng(seed)))


# No person and no session on both sides.

PLAN = """
held_out_sources = ["a/held"]
held_out_sessions = ["time 7"]
held_out_one_in = 1000000007
few_pictures = 6
folds = [["b/small"], ["c/small"]]
"""


def test_pictures_of_one_face_are_one_person() -> None:
    who = persons(
        [
            region("1", template=unit(1, 0.1)),
            region("2", template=unit(1, 0.2)),
            region("3", template=unit(0, 0, 1)),
            region("4"),
            region("5"),
        ]
    )
    assert who[0] == who[1]
    assert len(set(who.tolist())) == 4


def test_held_out_persons_train_nowhere() -> None:
    regions = [
        region("1", session="time 7", template=unit(1)),
        region("2", session="time 8", template=unit(1, 0.1)),
        region("3", source="b/small", template=unit(0, 1)),
        region("4", source="a/held", template=unit(0, 0, 1)),
        region("5", source="c/small", template=unit(0, 0, 1, 0.1)),
        region("6", source="d/faces", species="portrait", template=unit(0, 0, 0, 1)),
        region("7", source="d/faces", species="portrait", template=unit(1, 0.05)),
    ]
    fold = divide(regions, persons(regions), read_plan(PLAN))
    assert fold.tolist() == [HELD_OUT, UNUSED, 0, HELD_OUT, UNUSED, 2, UNUSED]


def test_persons_of_the_large_source_stay_together_and_fill_the_folds() -> None:
    directions = [unit(*np.eye(12)[who]) for who in range(12)]
    regions = [
        region(f"{who}-{shot}", template=template)
        for who, template in enumerate(directions)
        for shot in range(3)
    ]
    fold = divide(regions, persons(regions), read_plan(PLAN)).reshape(12, 3)
    assert (fold == fold[:, :1]).all()
    assert np.bincount(fold[:, 0]).tolist() == [6, 6]
