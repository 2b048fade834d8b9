"""The suite of facial records: reading one, with its image's header, compared with hashing its bytes."""

import asyncio
import hashlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
from PIL import Image

from cli.bench.portrait_cost import two_megabytes
from cli.bench.setting import Bench
from cli.errors import BenchFailed
from evaluation.bench import Measurement, seconds_per_call
from matcher import MatcherError
from matcher.records import (
    EyeCentres,
    QualityBlock,
    RecordMetadata,
    RecordVersion,
    build_record,
    open_trusted_image,
    serialise,
)
from simulator import SimulatorError, builtin_photos
from vision.errors import VisionError
from vision.packs.pulling import size_text

__all__ = ["measure_records", "record_measurements", "record_times"]

_EVERY_PACK: Final = "every pack"
_ASSETS: Final = "FACEGATE_TEST_ASSETS"
_REAL: Final = "data/iso/mosip__test__BiometricInfo__Face__info_face_auth.iso"
_PERSON: Final = "astronaut"
_SMALL: Final = (240, 320)
_SMALL_RATE: Final = 12.5
"""Compression at which an image of 240 x 320 pixels has about 18 kB."""
_AS_LONG_AS: Final = 40_000_000
"""Bytes that are hashed and read in one run, enough to make the clock's resolution irrelevant."""
_US: Final = 1e6


async def measure_records(bench: Bench) -> tuple[Measurement, ...]:
    """Measures a record of 18 kB and one of 2 MB, and the image of the first in a 39794-5 record.

    The small one is the real record of the test assets if they are set, else one of the same shape.

    Raises:
        BenchFailed: There is no image, or a record is refused.
    """
    bench.say("facial records")
    try:
        records = await asyncio.to_thread(_records)
        times = {
            name: await asyncio.to_thread(record_times, data, runs=bench.effort.runs)
            for name, data in records.items()
        }
    except (MatcherError, SimulatorError, VisionError, OSError) as error:
        raise BenchFailed(f"facial records cannot be measured: {error}") from error
    return record_measurements(times)


def record_times(data: bytes, *, runs: int, total: int = _AS_LONG_AS) -> tuple[tuple[float, float], ...]:
    """Returns the CPU seconds of hashing a record and of opening it, a pair for each run after a warm-up.

    Args:
        data: The record.
        runs: Number of pairs.
        total: Bytes to process in a run; each time is the mean of the repetitions that this takes.

    Raises:
        TrustedImageRefused: The record cannot be read.
    """
    repeats = max(1, total // len(data))
    pairs = [
        (
            seconds_per_call(lambda: hashlib.sha256(data).digest(), repeats),
            seconds_per_call(lambda: open_trusted_image(data, max_bytes=len(data)), repeats),
        )
        for _ in range(runs + 1)
    ]
    return tuple(pairs[1:])


def record_measurements(times: Mapping[str, Sequence[tuple[float, float]]]) -> tuple[Measurement, ...]:
    """Returns two measurements of each record: its reading over its hashing, and its reading in microseconds.

    Args:
        times: The pairs of ``record_times``, by the record's description.

    Raises:
        NothingMeasured: There are no times.
    """
    measurements: list[Measurement] = []
    for name, pairs in times.items():
        measurements += [
            Measurement(
                pack=_EVERY_PACK,
                name="record read / SHA-256 of it",
                load=name,
                unit="",
                meaning="CPU time of reading all fields and the image's header, divided by that of hashing "
                "the same bytes in the same run; the target is at most 10, for 39794-5 at most 25.",
                values=tuple(read / hashed for hashed, read in pairs),
            ),
            Measurement(
                pack=_EVERY_PACK,
                name="record read",
                load=name,
                unit="us",
                meaning="CPU time of reading the record once.",
                values=tuple(_US * read for _, read in pairs),
            ),
        ]
    return tuple(measurements)


def _records() -> Mapping[str, bytes]:
    photo = builtin_photos(names=(_PERSON,))[_PERSON].pixels
    assets = os.environ.get(_ASSETS)
    real = None if not assets else Path(assets) / _REAL
    if real is not None and real.is_file():
        small = real.read_bytes()
    else:
        file = io.BytesIO()
        picture = Image.fromarray(cv2.resize(photo, _SMALL, interpolation=cv2.INTER_AREA)[..., ::-1])
        picture.save(file, format="JPEG2000", quality_mode="rates", quality_layers=[_SMALL_RATE])
        small = _record(file.getvalue())
    large = _record(two_megabytes(photo))
    newer = _record(open_trusted_image(small).image, RecordVersion.ISO_39794_5)
    return {f"a record of {size_text(len(data))}": data for data in (small, large)} | {
        f"a 39794-5 record of {size_text(len(newer))}": newer
    }


def _record(image: bytes, version: RecordVersion = RecordVersion.ISO_19794_5_2011) -> bytes:
    known = RecordMetadata(eyes=EyeCentres((150, 130), (90, 130)), quality=(QualityBlock(40, 1, 1),))
    return serialise(build_record(image, version=version, metadata=known))
