"""A server's CPU time against that of a naive pipeline, on a simulated scan and on real clips.

The naive pipeline runs every model of a pack on every frame, with plain means for a verdict: same pack, same
frames, one thread. It does less than a server (no transcript, no motion, no evidence), so the comparison does
not favour the server.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from facegate.v1 import result_pb2

from cli.chosen import models_folder
from cli.errors import CommandError
from facegate_client import ClientError, Orchestrator, open_channel, ticket_of
from lab.bench.devices import DeviceJob, make_scans
from lab.bench.phone import FRAME_QUALITY, PORTRAIT_QUALITY, RecordedScan, decoded
from lab.bench.scans import Bench
from lab.evaluation import CaseKind, ClipCase, clip_cases, enlarged, portrait_frames, scan_frames
from lab.evaluation.bench import Measurement
from matcher import cosine_similarity, fmr_bound
from vision.face import Embedding
from vision.image import encode_jpeg
from vision.packs import Pack, load_pack

_ASSETS: Final = "FACEGATE_TEST_ASSETS"
_MS: Final = 1000.0
_WAIT_SECONDS: Final = 10.0
_MAX_FMR: Final = 1e-2
"""The value that the policy ``evaluation`` demands of a match."""
_REAL_LINE: Final = 0.5
_FEWEST_FACES: Final = 3
_PORTRAIT_EYE_DISTANCE: Final = 95.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NaiveVerdict:
    """The naive pipeline's verdict on a scan.

    Attributes:
        success: Whether it is the same person and, if the pack has a PAD network, real.
        seconds: CPU seconds of its thread.
    """

    success: bool
    frames: int
    seconds: float

    @property
    def seconds_a_frame(self) -> float:
        """CPU seconds of a frame."""
        return self.seconds / self.frames


class NaivePipeline:
    """Judges one scan. Create one for each scan. Not thread-safe."""

    def __init__(self, pack: Pack, *, portrait: bytes) -> None:
        """Take the models and make the template of the portrait, a JPEG; its cost is not counted."""
        self._pack = pack
        self._portrait: Embedding | None = None
        image = decoded(portrait)
        for face in pack.detector.detect(image)[:1]:
            self._portrait = pack.embedder.embed(image, face)
        self._cosines: list[float] = []
        self._real: list[float] = []
        self._frames = 0
        self._seconds = 0.0

    def run(self, jpeg: bytes) -> None:
        """Run every model on a frame."""
        began = time.thread_time()
        image = decoded(jpeg)
        for face in self._pack.detector.detect(image)[:1]:
            template = self._pack.embedder.embed(image, face)
            if self._portrait is not None:
                self._cosines.append(cosine_similarity(self._portrait, template))
            self._real += [network.real_probability(image, face) for network in self._pack.pad_networks]
        self._frames += 1
        self._seconds += time.thread_time() - began

    def verdict(self) -> NaiveVerdict:
        """Return the verdict on the frames so far."""
        cosine = float(np.mean(self._cosines)) if len(self._cosines) >= _FEWEST_FACES else None
        real = float(np.mean(self._real)) if self._real else None
        same = cosine is not None and (
            fmr_bound(cosine, calibration=self._pack.match_calibration) <= _MAX_FMR
        )
        return NaiveVerdict(
            success=same and (real is None or real >= _REAL_LINE),
            frames=self._frames,
            seconds=self._seconds,
        )


def real_scans(videos: Path, folder: Path, *, pack: Pack, most: int) -> Iterator[RecordedScan]:
    """Yield clips of the development data, live and attack, with a portrait from their beginning."""
    cases = [case for case in clip_cases(videos) if case.kind is not CaseKind.IMPOSTOR_CLIP]
    count = min(most, len(cases))
    for number in range(count):
        case = cases[number * len(cases) // count]
        portrait = _portrait(case, pack)
        frames = folder / str(number)
        frames.mkdir()
        times = []
        for index, (image, captured) in enumerate(scan_frames(case.scan)):
            (frames / f"{index:05d}.jpg").write_bytes(encode_jpeg(image, quality=FRAME_QUALITY))
            times.append(captured)
        if portrait is None or len(times) < 2:
            continue
        yield RecordedScan(
            name=case.scan.name,
            portrait=portrait,
            frames=frames,
            frames_per_second=1 / median(after - before for before, after in pairwise(times)),
            genuine=case.kind is CaseKind.GENUINE_CLIP,
        )


def _portrait(case: ClipCase, pack: Pack) -> bytes | None:
    for image in portrait_frames(case.portrait):
        faces = pack.detector.detect(image)
        if faces:
            factor = _PORTRAIT_EYE_DISTANCE / faces[0].eye_distance
            return encode_jpeg(image if factor <= 1 else enlarged(image, factor), quality=PORTRAIT_QUALITY)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One scan, by the server and by the naive pipeline.

    Attributes:
        offered: Frames that the device could have sent in the scan's time.
        server_seconds: CPU seconds of the server's process from the stream's start to its result.
        express_seconds: CPU seconds of the server's worker pool, which decodes, measures and judges. It
            excludes transport, event loop and storage, as the naive pipeline does.
        success: Whether the check ended with SUCCESS.
        naive: Verdict and cost of the naive pipeline. It cannot request fewer frames, and processes all that
            the device could have sent in the scan's time.
    """

    genuine: bool
    load: str
    frames: int
    offered: int
    server_seconds: float
    express_seconds: float
    success: bool
    naive: NaiveVerdict


async def measure_naive(bench: Bench) -> tuple[Measurement, ...]:
    """Measure the simulated scan, and real clips if the test data exist, in both ways.

    Both receive the frames at the camera's pace, one scan at a time.
    """
    pack = await asyncio.to_thread(load_pack, bench.pack, models_dir=models_folder())
    compared = []
    bench.say(f"{bench.pack}: the naive pipeline, warming up")
    await _compare(bench, bench.material, pack, load="1 scan")
    for number in range(1, bench.runs + 1):
        bench.say(f"{bench.pack}: the naive pipeline, run {number} of {bench.runs}")
        compared.append(await _compare(bench, bench.material, pack, load="1 scan"))
    assets = os.environ.get(_ASSETS)
    videos = None if not assets else Path(assets) / "data" / "video"
    if videos is not None and videos.is_dir():
        with tempfile.TemporaryDirectory(prefix="facegate-bench-clips-") as folder:
            for clip in real_scans(videos, Path(folder), pack=pack, most=bench.clips):
                bench.say(f"{bench.pack}: the naive pipeline on {clip.name}")
                compared.append(await _compare(bench, clip, pack, load="real clips"))
    return naive_measurements(bench.pack, compared)


async def _compare(bench: Bench, scan: RecordedScan, pack: Pack, *, load: str) -> Comparison:
    try:
        async with open_channel(bench.server.service_target) as channel:
            orchestrator = Orchestrator(channel=channel, accept_sandbox=True)
            check = await orchestrator.upload_trusted_image(scan.portrait)
            ticket = ticket_of(check)
            job = DeviceJob(
                target=bench.server.device_target,
                frames=str(scan.frames),
                frames_per_second=scan.frames_per_second,
                tickets=((ticket.token, ticket.challenge_key_sha256.hex()),),
            )
            began, computed = time.process_time(), bench.server.cpu_seconds
            (times,) = await make_scans(bench.devices, job)
            spent, computed = time.process_time() - began, bench.server.cpu_seconds - computed
            finished = await orchestrator.finish_check(check.check_id, wait_s=_WAIT_SECONDS)
    except ClientError as error:
        raise CommandError(f"the scan {scan.name} got no verdict: {error}") from error
    if not times.frames:
        raise CommandError(f"no frame of the scan {scan.name} was sent: {times.error}")
    offered = scan.as_sent(max(times.frames, scan.offered(times.capture_seconds)))
    naive = NaivePipeline(pack, portrait=scan.portrait)
    # At the camera's pace: without pauses, caches would stay warm, unlike in a server.
    loop = asyncio.get_running_loop()
    due = loop.time()
    for file in offered:
        frame = file.read_bytes()
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += 1 / scan.sent_per_second
        await asyncio.to_thread(naive.run, frame)
    return Comparison(
        genuine=scan.genuine,
        load=load,
        frames=times.frames,
        offered=len(offered),
        server_seconds=spent,
        express_seconds=computed,
        success=finished.result.status == result_pb2.CHECK_STATUS_SUCCESS,
        naive=naive.verdict(),
    )


def naive_measurements(pack: str, compared: Sequence[Comparison]) -> tuple[Measurement, ...]:
    """Return the measurements of the comparisons, by load."""
    measurements: list[Measurement] = []
    for load in dict.fromkeys(comparison.load for comparison in compared):
        measurements += _of_load(pack, load, [one for one in compared if one.load == load])
    return tuple(measurements)


def _of_load(pack: str, load: str, compared: Sequence[Comparison]) -> tuple[Measurement, ...]:
    def figure(name: str, unit: str, meaning: str, values: list[float]) -> Measurement:
        return Measurement(pack=pack, name=name, load=load, unit=unit, meaning=meaning, values=tuple(values))

    return (
        figure(
            "server CPU / naive CPU",
            "",
            "CPU time of the server's process for a whole scan, divided by the CPU time of decoding and "
            "of the detector, the embedder and every PAD network on each frame that the device could have "
            "sent in the scan's time. The server requests fewer frames, which the naive pipeline cannot.",
            [each.server_seconds / each.naive.seconds for each in compared],
        ),
        figure(
            "server CPU / naive CPU, of a received frame",
            "",
            "The same, with both CPU times divided by the frames that were processed.",
            [(each.server_seconds / each.frames) / each.naive.seconds_a_frame for each in compared],
        ),
        figure(
            "Express CPU / naive CPU",
            "",
            "CPU time that the server computes for a whole scan (decoding, models, cues, tracking, judging: "
            "its worker pool), divided by the same naive CPU time. Both exclude transport, event loop and "
            "storage.",
            [each.express_seconds / each.naive.seconds for each in compared],
        ),
        figure(
            "naive CPU a frame",
            "ms",
            "CPU time of the naive pipeline divided by the frames.",
            [_MS * each.naive.seconds_a_frame for each in compared],
        ),
        figure(
            "server CPU a scan",
            "s",
            "CPU time of the server's process from the start of a scan's stream to its result.",
            [each.server_seconds for each in compared],
        ),
        figure(
            "frames received",
            "%",
            "Frames that the server received, of those that the device could have sent in the scan's time.",
            [100.0 * each.frames / each.offered for each in compared],
        ),
        figure(
            "server's verdict right",
            "%",
            "100 if the check accepts a living person or rejects an attack, else 0.",
            [100.0 * (each.success == each.genuine) for each in compared],
        ),
        figure(
            "naive verdict right",
            "%",
            "100 if the naive pipeline accepts a living person or rejects an attack, else 0.",
            [100.0 * (each.naive.success == each.genuine) for each in compared],
        ),
    )
