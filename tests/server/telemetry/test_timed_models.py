"""Models report their times, and answer as before."""

from dataclasses import replace

import numpy as np
from prometheus_client import CollectorRegistry

from server.telemetry.metrics import Metrics, staged_embedder, timed_pack
from simulator.photo import builtin_image
from tests.packs import real_pack
from vision.face import BgrImage, DetectedFace


class _Network:
    name = "constant"

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        return 0.25


def test_each_role_is_timed_and_answers_are_the_same() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    pack = replace(real_pack(), pad_networks=(_Network(),))
    timed = staged_embedder(timed_pack(pack, metrics.work), metrics.stages)
    image = builtin_image("astronaut")
    (face, *_) = timed.detector.detect(image)
    assert timed.landmarker is not None
    assert pack.landmarker is not None
    landmarks = timed.landmarker.locate(image, face)
    assert landmarks is not None
    assert timed.landmarker.scheme == pack.landmarker.scheme
    assert timed.embedder.dimensions == pack.embedder.dimensions
    assert np.array_equal(timed.embedder.embed(image, face), pack.embedder.embed(image, face))
    assert [network.name for network in timed.pad_networks] == ["constant"]
    assert timed.pad_networks[0].real_probability(image, face) == 0.25
    for role in ("detector", "landmarks", "embedder", "pad"):
        assert registry.get_sample_value("facegate_model_seconds_count", {"role": role}) == 1, role
    assert registry.get_sample_value("facegate_stage_seconds_count", {"stage": "embedding"}) == 1


def test_a_pack_without_landmarks_stays_one() -> None:
    metrics = Metrics(CollectorRegistry())
    assert timed_pack(replace(real_pack(), landmarker=None), metrics.work).landmarker is None
