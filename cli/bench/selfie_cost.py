"""The suite of selfies: the cost of ``AnalyzeImage``, compared with decoding the same 12 megapixels."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from cli.bench.setting import Bench
from cli.errors import BenchFailed
from evaluation.bench import Measurement
from formats.picture_metadata import read_exif_tags
from liveness import LivenessPolicy, load_fusion_model
from liveness.selfie import SelfieSettings, judge_selfie, load_selfie_model
from matcher import PHOTO_SUBJECT
from server.analysis.image import ImageAnalyst
from server.analysis.results import AnalysisMode
from server.base.errors import ServerError
from simulator import SimulatorError, builtin_photos
from vision.errors import VisionError
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import load_pack

__all__ = ["measure_selfies", "phone_selfie", "selfie_measurements"]

_PERSON: Final = "astronaut"
_WIDTH, _HEIGHT = 3000, 4000
_QUALITY: Final = 90
_GRAIN: Final = 6.0
_TILE: Final = 1000
_MS: Final = 1000.0
_BARE: Final = "cv2.imdecode"
_WHOLE: Final = "AnalyzeImage, eight signals"
_WALL: Final = "AnalyzeImage, eight signals, on the clock"
_SIGNALS: Final = "the eight signals alone"
_TURNED: Final = 6
_ORIENTATION, _MAKE, _MODEL = 0x0112, 0x010F, 0x0110
_EXIF_IFD, _F_NUMBER, _ISO = 0x8769, 0x829D, 0x8827


async def measure_selfies(bench: Bench) -> tuple[Measurement, ...]:
    """Measures the analysis of a selfie.

    Raises:
        BenchFailed: There is no image, or it cannot be analysed.
    """
    bench.say(f"{bench.pack}: selfies")
    try:
        return await asyncio.to_thread(_measure, bench.pack, bench.effort.runs)
    except (SimulatorError, ServerError, VisionError) as error:
        raise BenchFailed(f"selfies cannot be measured: {error}") from error


def phone_selfie(photo: BgrImage) -> bytes:
    """Returns a JPEG of 12 megapixels as phones write them: rotated, with grain and with EXIF data.

    Args:
        photo: A photo of one person; its middle, three quarters as wide as high, is enlarged.
    """
    height, width = photo.shape[:2]
    columns = min(width, height * _WIDTH // _HEIGHT)
    left = (width - columns) // 2
    upright = cv2.resize(photo[:, left : left + columns], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    tile = np.random.default_rng(1).normal(0.0, _GRAIN, (_TILE, _TILE, 3)).astype(np.float32)
    grain = np.tile(tile, (_HEIGHT // _TILE, _WIDTH // _TILE, 1))
    pixels = np.clip(upright + grain, 0, 255).astype(np.uint8)
    stored = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE).astype(np.uint8, copy=False)
    tags = Image.Exif()
    tags[_ORIENTATION], tags[_MAKE], tags[_MODEL] = _TURNED, "Facegate", "Bench"
    tags.get_ifd(_EXIF_IFD).update({_F_NUMBER: IFDRational(18, 10), _ISO: 100})
    content = tags.tobytes()
    segment = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    encoded = encode_jpeg(stored, _QUALITY)
    return encoded[:2] + segment + encoded[2:]


def selfie_measurements(
    pack: str, *, times: Mapping[str, Sequence[float]], size: int
) -> tuple[Measurement, ...]:
    """Returns the measurements of the times.

    Args:
        pack: Name of the pack.
        times: Seconds of each run: CPU time of the decoder alone, of the whole and of the signals alone,
            and wall time of the whole, by the names of this module's figures.
        size: Bytes of the selfie.

    Raises:
        NothingMeasured: There are no times.
    """
    load = f"a selfie of {_WIDTH * _HEIGHT / 1e6:.0f} megapixels, {size / 1e6:.1f} MB"

    def figure(name: str, unit: str, meaning: str, values: Sequence[float]) -> Measurement:
        return Measurement(pack=pack, name=name, load=load, unit=unit, meaning=meaning, values=tuple(values))

    ratios = [whole / bare for whole, bare in zip(times[_WHOLE], times[_BARE], strict=True)]
    return (
        figure(
            _BARE,
            "ms",
            "CPU time of OpenCV's decoder alone, full size, not turned: the unit of the ratio.",
            [_MS * seconds for seconds in times[_BARE]],
        ),
        figure(
            f"{_WHOLE} / {_BARE}",
            "",
            "CPU time of decoding, turning upright, EXIF, detection, landmarks and the eight signals, "
            "divided by that of the decoder alone in the same run; the target is at most 3.",
            ratios,
        ),
        figure(
            _WALL,
            "ms",
            "Wall time of the same; the target of the specification is 200 ms on two cores.",
            [_MS * seconds for seconds in times[_WALL]],
        ),
        figure(
            _SIGNALS,
            "ms",
            "CPU time of the eight signals, with known face and landmarks.",
            [_MS * seconds for seconds in times[_SIGNALS]],
        ),
    )


def _measure(spec: str, runs: int) -> tuple[Measurement, ...]:
    pack = load_pack(spec)
    content = phone_selfie(builtin_photos(names=(_PERSON,))[_PERSON].pixels)
    settings, model = SelfieSettings(), load_selfie_model()
    analyst = ImageAnalyst(
        pack=pack,
        selfie_settings=settings,
        selfie_model=model,
        fusion=load_fusion_model(),
        policy=LivenessPolicy(),
        subject=PHOTO_SUBJECT,
    )
    study = analyst.analyse(content, mode=AnalysisMode.BASIC).study
    if study is None or not study.faces:
        raise BenchFailed(f"{spec} finds no face in the selfie")
    tags = read_exif_tags(content)
    times: dict[str, list[float]] = {name: [] for name in (_BARE, _WHOLE, _WALL, _SIGNALS)}
    # The first run is a warm-up.
    for run in range(runs + 1):
        began = time.process_time()
        _bare(content)
        decoded, clock = time.process_time(), time.perf_counter()
        analyst.analyse(content, mode=AnalysisMode.BASIC)
        whole, ended = time.process_time(), time.perf_counter()
        judge_selfie(
            image=study.pixels,
            face=study.faces[0],
            landmarks=study.landmarks,
            exif=tags,
            settings=settings,
            model=model,
        )
        signals = time.process_time()
        if run:
            times[_BARE].append(decoded - began)
            times[_WHOLE].append(whole - decoded)
            times[_WALL].append(ended - clock)
            times[_SIGNALS].append(signals - whole)
    return selfie_measurements(spec, times=times, size=len(content))


def _bare(content: bytes) -> None:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    cv2.imdecode(np.frombuffer(content, np.uint8), flags)
