"""The packaged network: the file, its size, its speed, and real images."""

import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision.conftest import read_photo
from vision.errors import PackFileAltered, PackNotFound
from vision.face import BgrImage, Box, DetectedFace
from vision.onnx_sessions import RuntimeOptions
from vision.packs import facegate_pad
from vision.packs.catalogue import load_catalogue
from vision.packs.facegate_pad import KIND, TwoCropPadNetwork, load_facegate_pad, read_facegate_pad
from vision.packs.pack import Pack

CPU = RuntimeOptions(providers="cpu")
MOST_BYTES = 2_000_000
HELD_OUT = ("Krzysiek354", "lestari15", "tranvanluyt2203")
"""Publishers of images outside the network's training; see research/pad_network/split.toml."""


@pytest.fixture(scope="module")
def network() -> TwoCropPadNetwork:
    return load_facegate_pad(read_facegate_pad(), CPU)


def test_the_file_is_the_catalogued_one_and_small() -> None:
    file = read_facegate_pad()
    assert file.entry is load_catalogue().only(KIND)
    assert file.entry.size == len(file.content) <= MOST_BYTES
    assert file.entry.evaluation_only
    assert "evaluation only" in file.entry.terms.weights


def test_an_altered_or_missing_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(facegate_pad, "files", lambda _: tmp_path)
    with pytest.raises(PackNotFound, match="install it again"):
        read_facegate_pad()
    entry = load_catalogue().only(KIND)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / entry.file_name).write_bytes(b"altered")
    with pytest.raises(PackFileAltered) as caught:
        read_facegate_pad()
    assert caught.value.expected == entry.sha256


def test_the_answer_does_not_change_between_calls(network: TwoCropPadNetwork, astronaut: BgrImage) -> None:
    face = DetectedFace(Box(170, 60, 280, 190), 0.9, np.zeros((5, 2), np.float32))
    first = network.real_probability(astronaut, face)
    assert 0 < first < 1
    assert network.real_probability(astronaut, face) == first
    moved = replace(face, box=Box(174, 64, 284, 194))
    assert network.real_probability(astronaut, moved) == pytest.approx(first, abs=0.35)


def test_the_network_is_no_slower_than_the_public_one(
    network: TwoCropPadNetwork, insightface_pack: Pack, astronaut: BgrImage
) -> None:
    public = insightface_pack.pad_networks[0]
    face = DetectedFace(Box(170, 60, 280, 190), 0.9, np.zeros((5, 2), np.float32))
    spent = {}
    for one in (network, public):
        one.real_probability(astronaut, face)
        started = time.process_time()
        for _ in range(15):
            one.real_probability(astronaut, face)
        spent[one.name] = time.process_time() - started
    assert spent["facegate_pad_v1"] <= spent["minifas_v2se"]


def test_sources_it_never_saw(network: TwoCropPadNetwork, insightface_pack: Pack, assets: Path) -> None:
    scores = {label: _scores(network, insightface_pack, assets, label) for label in ("live", "spoof")}
    assert min(len(values) for values in scores.values()) >= 12
    above = (scores["live"][:, None] > scores["spoof"][None, :]).mean()
    assert above > 0.6


def _scores(network: TwoCropPadNetwork, pack: Pack, assets: Path, label: str) -> NDArray[np.float64]:
    folder = assets / "data" / "pad"
    with (folder / "manifest.csv").open(newline="") as manifest:
        rows = [
            row
            for row in csv.DictReader(manifest)
            if row["usable"] == "1" and row["label"] == label and row["source_repo"].startswith(HELD_OUT)
        ]
    scores = []
    for row in rows[::2]:
        image = read_photo(folder / row["file"])
        faces = pack.detector.detect(image)
        if faces:
            scores.append(network.real_probability(image, faces[0]))
    return np.array(scores)
