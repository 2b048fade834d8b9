"""The suite of isolation: a decode in a worker process, compared with the same decode in this process."""

import asyncio
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
from PIL import Image

from cli.bench.setting import Bench
from cli.errors import BenchFailed
from evaluation.bench import Measurement
from formats.image_format import ImageFormat, ImageHeader
from formats.image_header import parse_header
from simulator import SimulatorError, builtin_photos
from vision.errors import VisionError
from vision.isolation.pool import DecoderPool
from vision.isolation.still_decoders import decode_still
from vision.isolation.still_job import still_job

__all__ = ["DecodeTimes", "isolation_measurements", "measure_isolation"]

_EVERY_PACK: Final = "every pack"
_PERSON: Final = "astronaut"
_SIDES: Final[Mapping[str, tuple[int, int]]] = {
    "0.3 Mpx": (640, 480),
    "2 Mpx": (1600, 1250),
    "12 Mpx": (4000, 3000),
}
_FORMATS: Final[Mapping[ImageFormat, Callable[[Image.Image, io.BytesIO], None]]] = {
    ImageFormat.JP2: lambda picture, file: picture.save(
        file, format="JPEG2000", quality_mode="rates", quality_layers=[20]
    ),
    ImageFormat.WEBP: lambda picture, file: picture.save(file, format="WEBP", quality=80),
}
_STARTS: Final = 3
_MS: Final = 1000.0


@dataclass(frozen=True, slots=True)
class DecodeTimes:
    """Times of alternating decodes of one image, wall seconds.

    Attributes:
        isolated: Times in a worker, from bytes to an array in this process.
        in_process: Times of the same code in this process.
    """

    isolated: tuple[float, ...]
    in_process: tuple[float, ...]


async def measure_isolation(bench: Bench) -> tuple[Measurement, ...]:
    """Measures JPEG 2000 and WebP at three sizes, and the start of a worker.

    Raises:
        BenchFailed: There is no image, or no worker.
    """
    try:
        photo = builtin_photos(names=(_PERSON,))[_PERSON].pixels[..., ::-1]
        starts = []
        for number in range(1, _STARTS + 1):
            bench.say(f"decoders: starting a worker, {number} of {_STARTS}")
            starts.append(await asyncio.to_thread(_start_seconds))
        times = {}
        with DecoderPool() as pool:
            for format_, save in _FORMATS.items():
                for name, size in _SIDES.items():
                    bench.say(f"decoders: {format_.name}, {name}")
                    file = io.BytesIO()
                    save(Image.fromarray(cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC)), file)
                    times[f"{format_.name}, {name}"] = await asyncio.to_thread(
                        _times, pool, file.getvalue(), bench.effort.runs
                    )
    except (SimulatorError, VisionError) as error:
        raise BenchFailed(f"isolation cannot be measured: {error}") from error
    return isolation_measurements(starts=starts, times=times)


def isolation_measurements(
    *, starts: Sequence[float], times: Mapping[str, DecodeTimes]
) -> tuple[Measurement, ...]:
    """Returns the measurements of the times.

    Args:
        starts: Seconds until a worker was ready.
        times: Times by image.

    Raises:
        NothingMeasured: There are no times.
    """
    measurements = [
        Measurement(
            pack=_EVERY_PACK,
            name="a worker's start",
            load="isolated decoders",
            unit="ms",
            meaning="Wall time until a new worker has loaded its decoders and dropped its privileges.",
            values=tuple(_MS * start for start in starts),
        )
    ]
    for picture, taken in times.items():
        pairs = tuple(zip(taken.isolated, taken.in_process, strict=True))
        measurements += [
            Measurement(
                pack=_EVERY_PACK,
                name=f"{picture}: isolated / in process",
                load="isolated decoders",
                unit="",
                meaning="Wall time of a decode in a worker, divided by that of the same code in process.",
                values=tuple(isolated / in_process for isolated, in_process in pairs),
            ),
            Measurement(
                pack=_EVERY_PACK,
                name=f"{picture}: isolation adds",
                load="isolated decoders",
                unit="ms",
                meaning="The difference of the two: the transfer of the file and of the pixels.",
                values=tuple(_MS * (isolated - in_process) for isolated, in_process in pairs),
            ),
        ]
    return tuple(measurements)


def _start_seconds() -> float:
    pool = DecoderPool()
    began = time.perf_counter()
    pool.start()
    taken = time.perf_counter() - began
    pool.close()
    return taken


def _times(pool: DecoderPool, data: bytes, runs: int) -> DecodeTimes:
    header = parse_header(data)
    isolated, in_process = [], []
    for number in range(runs + 1):
        one = _seconds(lambda: pool.decode_still(data, header=header))
        other = _seconds(lambda: _decode_here(data, header))
        if number:
            # The first of each warms up.
            isolated.append(one)
            in_process.append(other)
    return DecodeTimes(isolated=tuple(isolated), in_process=tuple(in_process))


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _decode_here(data: bytes, header: ImageHeader) -> None:
    job = still_job(data, header)
    for _ in decode_still(job.numbers, job.payload):
        pass
