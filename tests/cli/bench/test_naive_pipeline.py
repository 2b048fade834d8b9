from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from cli.bench.naive_pipeline import NaivePipeline
from tests.liveness.builders import face_at
from tests.packs import real_pack
from vision.face import BgrImage, DetectedFace, Embedding
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

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
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
    assert verdict.cosine == pytest.approx(1.0)
    assert verdict.real_probability == pytest.approx(0.9)
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
    verdict = look(naive, [PERSON] * 4).verdict()
    assert (verdict.success, verdict.cosine) == (False, None)
