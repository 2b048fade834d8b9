"""``facegate models bench``."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import BenchImpossible
from cli.models import bench
from cli.models.bench import measure_models
from cli.models.command import app
from simulator.errors import PhotoNotFound
from tests.evaluation.bench.packs import burning_pack
from vision.errors import ModelFailed
from vision.face import BgrImage, DetectedFace
from vision.packs import Pack

runner = CliRunner()


def pack() -> Pack:
    """Models that use 4 ms and 8 ms, without the network that always raises."""
    return replace(burning_pack(), pad_networks=())


def test_every_model_is_timed_in_every_run() -> None:
    said: list[str] = []
    detector, landmarker, embedder = measure_models(pack(), spec="burning", runs=3, say=said.append)
    assert [one.name for one in (detector, landmarker, embedder)] == ["detector", "landmarker", "embedder"]
    assert {len(one.values) for one in (detector, landmarker, embedder)} == {3}
    assert detector.least >= 4.0
    assert embedder.least >= 8.0
    assert landmarker.median < detector.least
    assert said[-1] == "run 3 of 3"


class Blind:
    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return ()


class Broken:
    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        raise ModelFailed("out of memory")


@pytest.mark.parametrize(("detector", "why"), [(Blind(), "finds no face"), (Broken(), "out of memory")])
def test_unusable_models_are_reported(detector: Blind | Broken, why: str) -> None:
    with pytest.raises(BenchImpossible, match=why):
        measure_models(replace(pack(), detector=detector), spec="x", runs=1)


def test_a_missing_photo_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> BgrImage:
        raise PhotoNotFound(f"no package carries {name}")

    monkeypatch.setattr(bench, "builtin_image", missing)
    with pytest.raises(BenchImpossible, match="no package carries red-shirt"):
        measure_models(pack(), spec="x", runs=1)


def test_a_missing_pack_is_reported(tmp_path: Path) -> None:
    result = runner.invoke(app, ["bench", "--pack", "open", "--models-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "facegate models pull open" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_the_embedded_pack() -> None:
    result = runner.invoke(app, ["bench", "--runs", "2", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["command"] == "facegate models bench --pack embedded --runs 2"
    figures = {one["name"]: one for one in document["measurements"]}
    assert set(figures) == {"detector", "landmarker", "embedder", "pad:facegate_pad_v1"}
    assert all(0 < one["min"] <= one["median"] <= one["max"] for one in figures.values())
    result = runner.invoke(app, ["bench", "--runs", "1"], env={"COLUMNS": "100"})
    assert "ms on one core" in result.stdout
    assert "Again: facegate models bench --pack embedded --runs 1" in result.stdout
