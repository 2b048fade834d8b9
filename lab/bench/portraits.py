"""The cost of a portrait: a trusted image of 2 MB, compared with its decoding and its models alone."""

import asyncio
import time
from typing import Final

import cv2
import numpy as np

from cli.chosen import models_folder
from cli.errors import CommandError
from lab.bench.phone import PERSON
from lab.bench.scans import Bench
from lab.evaluation.bench import Measurement, ModelClock, timed_pack
from lab.simulator import SimulatorError, builtin_photos
from matcher import PortraitPolicy, TrustedImageRefused, accept_portrait
from vision.errors import VisionError
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import load_pack

_SIDE: Final = 2400
_LIMIT: Final = 2_000_000
_GRAIN: Final = 6.0


async def measure_portraits(bench: Bench) -> tuple[Measurement, ...]:
    """Measure the intake of a portrait."""
    bench.say(f"{bench.pack}: portraits")
    try:
        return (await asyncio.to_thread(_measure, bench.pack, bench.runs),)
    except (SimulatorError, TrustedImageRefused, VisionError) as error:
        raise CommandError(f"portraits cannot be measured: {error}") from error


def two_megabytes(photo: BgrImage) -> bytes:
    """Return a JPEG just below 2 MB: the enlarged photo with camera grain, in the best quality that fits."""
    large = cv2.resize(photo, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(1).normal(0.0, _GRAIN, large.shape)
    pixels = np.clip(large + grain, 0, 255).astype(np.uint8)
    low, high = 1, 100
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(encode_jpeg(pixels, middle)) <= _LIMIT else (low, middle - 1)
    return encode_jpeg(pixels, low)


def _measure(spec: str, runs: int) -> Measurement:
    clock = ModelClock(clock=time.process_time)
    pack, policy = timed_pack(load_pack(spec, models_dir=models_folder()), clock), PortraitPolicy()
    data = two_megabytes(builtin_photos(names=(PERSON,))[PERSON].pixels)
    accept_portrait(data, pack=pack, policy=policy)
    clock.read_and_reset()
    values = []
    for _ in range(runs):
        began = time.process_time()
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        decoded = time.process_time()
        accept_portrait(data, pack=pack, policy=policy)
        whole, models = time.process_time() - decoded, clock.read_and_reset().total_seconds
        values.append(whole / (decoded - began + models))
    return Measurement(
        pack=spec,
        name="full intake / (cv2.imdecode + models)",
        load=f"a portrait of {len(data) / 1e6:.2f} MB",
        unit="",
        meaning=(
            "CPU time of decoding, detection, landmarks, the whole conformance report and the template, "
            "divided by that of the decoder and of the models alone in the same run; the target "
            "is at most 1.5."
        ),
        values=tuple(values),
    )
