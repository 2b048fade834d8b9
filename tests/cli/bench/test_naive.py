from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from cli.bench.naive import (
    Comparison,
    NaivePipeline,
    NaiveVerdict,
    naive_measurements,
    real_scans,
)
from cli.bench.phone import RecordedScan
from tests.liveness.builders import face_at
from tests.packs import real_pack
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.image import encode_jpeg
from vision.packs import Pack
from vision.packs.interfaces import PadNetwork

PERSON, OTHER, EMPTY = (np.full((64, 48, 3), level, np.uint8) for level in (200, 120, 10))


class Models:
    """Distinguishes persons by the brightness of the frame; a dark frame shows no person."""

    dimensions = 2
    name = "pad"

    def __init__(self, real: float) -> None:
        self.real = real
        self.calls: list[str] = []

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        self.calls.append("detect")
        return (face_at(),) if image.mean() > 50 else ()

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        self.calls.append("embed")
        return np.array([1, 0] if image.mean() > 160 else [0, 1], np.float32)

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        self.calls.append("pad")
        return self.real


def pack(models: Models, *, networks: bool = True) -> Pack:
    return replace(
        real_pack(),
        detector=models,
        embedder=models,
        pad_networks=(cast("PadNetwork", models),) if networks else (),
    )


def look(naive: NaivePipeline, images: Sequence[BgrImage]) -> NaivePipeline:
    for image in images:
        naive.run(encode_jpeg(image))
    return naive


@pytest.mark.slow
def test_every_model_sees_every_frame() -> None:
    models = Models(real=0.9)
    naive = NaivePipeline(pack(models), portrait=encode_jpeg(PERSON))
    models.calls.clear()
    verdict = look(naive, [PERSON] * 4).verdict()
    assert models.calls == ["detect", "embed", "pad"] * 4
    assert verdict.success
    assert verdict.frames == 4
    assert verdict.seconds > 0


@pytest.mark.parametrize(
    ("shown", "real", "networks", "success"),
    [
        ([PERSON] * 4, 0.4, True, False),
        ([PERSON] * 4, 0.4, False, True),
        ([OTHER] * 4, 0.9, True, False),
        ([EMPTY] * 4, 0.9, True, False),
        ([PERSON] * 2, 0.9, True, False),
    ],
    ids=["a spoof", "no network", "another person", "nobody", "too short"],
)
def test_verdicts(shown: Sequence[BgrImage], real: float, networks: bool, success: bool) -> None:
    naive = NaivePipeline(pack(Models(real), networks=networks), portrait=encode_jpeg(PERSON))
    assert look(naive, shown).verdict().success is success


def test_a_portrait_without_a_face_matches_no_one() -> None:
    naive = NaivePipeline(pack(Models(0.9)), portrait=encode_jpeg(EMPTY))
    assert not look(naive, [PERSON] * 4).verdict().success


def compared(
    *,
    load: str = "1 scan",
    server: float = 0.5,
    success: bool = True,
    naive: tuple[bool, float] = (True, 2.0),
) -> Comparison:
    verdict, seconds = naive
    return Comparison(
        genuine=load == "1 scan",
        load=load,
        frames=40,
        offered=50,
        server_seconds=server,
        express_seconds=0.8 * server,
        success=success,
        naive=NaiveVerdict(success=verdict, frames=50, seconds=seconds),
    )


def test_figures_of_two_loads() -> None:
    runs = [
        compared(),
        compared(server=1.0, naive=(False, 2.0)),
        compared(load="clips", success=False, naive=(True, 1.0)),
    ]
    figures = {(m.load, m.name): m.values for m in naive_measurements("p", runs)}
    assert figures["1 scan", "server CPU / naive CPU"] == pytest.approx((0.25, 0.5))
    assert figures["1 scan", "Express CPU / naive CPU"] == pytest.approx((0.2, 0.4))
    # 0.5 s for 40 frames received, and 2.0 s for the 50 that the device could have sent.
    received = figures["1 scan", "server CPU / naive CPU, of a received frame"]
    assert received == pytest.approx((0.3125, 0.625))
    assert figures["1 scan", "frames received"] == pytest.approx((80.0, 80.0))
    assert figures["1 scan", "server CPU a scan"] == (0.5, 1.0)
    assert figures["1 scan", "naive CPU a frame"] == pytest.approx((40.0, 40.0))
    assert figures["clips", "server CPU / naive CPU"] == pytest.approx((0.5,))
    assert figures["1 scan", "naive verdict right"] == (100.0, 0.0)
    assert figures["1 scan", "server's verdict right"] == (100.0, 100.0)
    assert figures["clips", "naive verdict right"] == (0.0,)
    assert figures["clips", "server's verdict right"] == (100.0,)


def test_nothing_compared_is_no_figure() -> None:
    assert naive_measurements("p", []) == ()


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(15.0, [0, 1, 2, 3, 4, 5]), (30.0, [0, 1, 2, 3, 5, 6]), (48.0, [0, 2, 4, 6, 8, 10])],
)
def test_a_fast_camera_is_thinned_out_as_a_device_does(
    tmp_path: Path, rate: float, expected: list[int]
) -> None:
    for number in range(12):
        (tmp_path / f"{number:05d}.jpg").touch()
    scan = RecordedScan(name="s", portrait=b"", frames=tmp_path, frames_per_second=rate, genuine=True)
    assert [int(file.stem) for file in scan.as_sent(6)] == expected
    assert len(scan.as_sent(99)) <= 12


@pytest.mark.parametrize(("rate", "frames"), [(15.0, 31), (30.0, 49)])
def test_a_device_could_have_sent_the_frames_of_the_whole_time(
    tmp_path: Path, rate: float, frames: int
) -> None:
    scan = RecordedScan(name="s", portrait=b"", frames=tmp_path, frames_per_second=rate, genuine=True)
    assert scan.offered(2.0) == frames
    assert scan.offered(0.0) == 1


@pytest.mark.slow
def test_a_clip_becomes_a_scan(assets: Path, tmp_path: Path) -> None:
    scan = next(real_scans(assets / "data" / "video", tmp_path, pack=real_pack(), most=1))
    assert 5 <= scan.frames_per_second <= 60
    assert len(scan.as_sent(40)) == 40
    assert scan.portrait.startswith(b"\xff\xd8")
    assert scan.genuine
