"""The suite of portraits: the cost of a trusted image of 2 MB, compared with decoding the same bytes."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from cli.bench.setting import Bench
from cli.errors import BenchFailed
from evaluation.bench import Measurement, ModelClock, timed_pack
from formats.image_format import ImageFormat
from matcher import PortraitPolicy, TrustedImageRefused, accept_portrait
from simulator import SimulatorError, builtin_photos
from vision.errors import VisionError
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.image import DecodeLimits, decode_image, encode_jpeg
from vision.packs import Landmarker, Pack, load_pack

__all__ = ["Intake", "intake_measurement", "measure_portraits", "portrait_measurements", "two_megabytes"]

_PERSON: Final = "astronaut"
_SIDE: Final = 2400
_LIMIT: Final = 2_000_000
_MS: Final = 1000.0
_GRAIN: Final = 6.0
_BARE: Final = "cv2.imdecode"
_DECODED: Final = "decoded within limits"
_CHECKED: Final = "decoded and checked, without models"
_WHOLE: Final = "decoded and checked, with models"
_INTAKE: Final = "full intake / (cv2.imdecode + models)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The cost of one intake, CPU seconds.

    Attributes:
        whole: Cost from the bytes to report and template.
        models: The part of the pack's models.
        decoding: Cost of OpenCV's decoder alone, on the same bytes, in the same run.
    """

    whole: float
    models: float
    decoding: float


class _KnownFace:
    """Returns precomputed answers of a pack's detector and embedder for one image."""

    def __init__(self, pack: Pack, image: BgrImage) -> None:
        self._faces = pack.detector.detect(image)
        self._embedding = pack.embedder.embed(image, self._faces[0])
        self.dimensions = pack.embedder.dimensions

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        return self._faces

    def embed(self, image: BgrImage, face: DetectedFace) -> Embedding:
        return self._embedding


class _KnownLandmarks:
    """Returns the precomputed answer of a landmarker for one face."""

    def __init__(self, landmarker: Landmarker, image: BgrImage, face: DetectedFace) -> None:
        self._points = landmarker.locate(image, face)
        self.scheme = landmarker.scheme

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        return self._points


def _answered(pack: Pack, image: BgrImage) -> Pack:
    """Returns the pack with precomputed answers for one image in place of its models."""
    known, landmarker = _KnownFace(pack, image), pack.landmarker
    if landmarker is None:
        return replace(pack, detector=known, embedder=known)
    points = _KnownLandmarks(landmarker, image, known.detect(image)[0])
    return replace(pack, detector=known, embedder=known, landmarker=points)


async def measure_portraits(bench: Bench) -> tuple[Measurement, ...]:
    """Measures the intake of a portrait.

    Raises:
        BenchFailed: There is no image, or it is refused.
    """
    bench.say(f"{bench.pack}: portraits")
    try:
        return await asyncio.to_thread(_measure, bench.pack, bench.effort.runs)
    except (SimulatorError, TrustedImageRefused, VisionError) as error:
        raise BenchFailed(f"portraits cannot be measured: {error}") from error


def two_megabytes(photo: BgrImage) -> bytes:
    """Returns a JPEG just below 2 MB: the enlarged photo with camera grain, in the best quality that fits."""
    large = cv2.resize(photo, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(1).normal(0.0, _GRAIN, large.shape)
    pixels = np.clip(large + grain, 0, 255).astype(np.uint8)
    low, high = 1, 100
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(encode_jpeg(pixels, middle)) <= _LIMIT else (low, middle - 1)
    return encode_jpeg(pixels, low)


def portrait_measurements(
    pack: str, *, times: Mapping[str, Sequence[float]], size: int
) -> tuple[Measurement, ...]:
    """Returns the measurements of the times.

    Args:
        pack: Name of the pack.
        times: Seconds of each method, one per run; the first is the decoder alone.
        size: Bytes of the portrait.

    Raises:
        NothingMeasured: There are no times.
    """
    load = f"a portrait of {size / 1e6:.2f} MB"
    bare, *ways = times
    measurements = [
        Measurement(
            pack=pack,
            name=bare,
            load=load,
            unit="ms",
            meaning="Wall time of OpenCV's decoder alone, on the same bytes: the unit of the other figures.",
            values=tuple(_MS * seconds for seconds in times[bare]),
        )
    ]
    measurements += [
        Measurement(
            pack=pack,
            name=f"{way} / {bare}",
            load=load,
            unit="",
            meaning="Wall time divided by that of the decoder alone in the same run.",
            values=tuple(one / other for one, other in zip(times[way], times[bare], strict=True)),
        )
        for way in ways
    ]
    return tuple(measurements)


def intake_measurement(pack: str, *, intakes: Sequence[Intake], size: int) -> Measurement:
    """Returns the whole intake as a multiple of its unavoidable parts: decoding and models.

    Args:
        pack: Name of the pack.
        intakes: The intake of each run.
        size: Bytes of the portrait.

    Raises:
        NothingMeasured: There are no intakes.
    """
    return Measurement(
        pack=pack,
        name=_INTAKE,
        load=f"a portrait of {size / 1e6:.2f} MB",
        unit="",
        meaning=(
            "CPU time of decoding, detection, landmarks, the whole conformance report and the template, "
            "divided by that of the decoder and of the models alone in the same run; the target "
            "is at most 1.5."
        ),
        values=tuple(each.whole / (each.decoding + each.models) for each in intakes),
    )


def _measure(spec: str, runs: int) -> tuple[Measurement, ...]:
    pack = load_pack(spec)
    data = two_megabytes(builtin_photos(names=(_PERSON,))[_PERSON].pixels)
    policy = PortraitPolicy()
    limits = DecodeLimits(
        max_bytes=policy.max_bytes,
        max_pixels=policy.max_pixels,
        max_side=policy.max_side,
        min_side=policy.min_side,
    )

    def decode() -> BgrImage:
        return decode_image(
            data, limits=limits, formats=frozenset({ImageFormat.JPEG}), honour_exif_orientation=True
        ).pixels

    accept_portrait(data, pack=pack, policy=policy)
    quick = _answered(pack, decode())

    def bare() -> object:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    ways: Mapping[str, Callable[[], object]] = {
        _BARE: bare,
        _DECODED: decode,
        _CHECKED: lambda: accept_portrait(data, pack=quick, policy=policy),
        _WHOLE: lambda: accept_portrait(data, pack=pack, policy=policy),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(runs):
        for way, call in ways.items():
            began = time.perf_counter()
            call()
            times[way].append(time.perf_counter() - began)
    clock = ModelClock(clock=time.process_time)
    timed = timed_pack(pack, clock)
    intakes = []
    for _ in range(runs):
        began = time.process_time()
        bare()
        decoded = time.process_time()
        accept_portrait(data, pack=timed, policy=policy)
        intakes.append(
            Intake(
                whole=time.process_time() - decoded,
                models=clock.read_and_reset().total_seconds,
                decoding=decoded - began,
            )
        )
    return (
        *portrait_measurements(spec, times=times, size=len(data)),
        intake_measurement(spec, intakes=intakes, size=len(data)),
    )
