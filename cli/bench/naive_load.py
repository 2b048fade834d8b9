"""The suite of the naive pipeline: a server's CPU time against that of every model on every frame."""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from facegate.v1 import result_pb2

from cli.bench.jobs import DeviceJob
from cli.bench.naive_pipeline import NaivePipeline, NaiveVerdict
from cli.bench.naive_scans import RecordedScan, real_scans, simulated_scan
from cli.bench.receipt import FrameReceipt
from cli.bench.setting import Bench
from cli.errors import ScanNotMeasured
from evaluation.bench import Measurement
from facegate_client import ClientError, Orchestrator, open_channel, ticket_of
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, default_models_dir, load_pack

__all__ = ["Comparison", "measure_naive", "naive_measurements"]

_ASSETS: Final = "FACEGATE_TEST_ASSETS"
_MS: Final = 1000.0
_WAIT_SECONDS: Final = 10.0
_TUNED: Final = "same models"
_PUBLISHED: Final = "models as published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One scan, by the server and by the naive pipeline.

    Attributes:
        scan: Name of the scan.
        genuine: See ``RecordedScan``.
        load: The load under which it is reported.
        frames: Frames that the server received.
        offered: Frames that the device could have sent in the scan's time.
        server_seconds: CPU seconds of the server's process from the stream's start to its result.
        express_seconds: CPU seconds of the server's worker pool, which decodes, measures and judges. It
            excludes transport, event loop and storage, as the naive pipeline does.
        model_seconds: CPU seconds of the server's models in this time.
        receipt_seconds: CPU seconds to receive and decode as many frames, and nothing else.
        success: Whether the check ended with SUCCESS.
        naive: Verdict and cost of the naive pipeline, by its models. It cannot request fewer frames, and
            processes all that the device could have sent in the scan's time.
    """

    scan: str
    genuine: bool
    load: str
    frames: int
    offered: int
    server_seconds: float
    express_seconds: float
    model_seconds: float
    receipt_seconds: float
    success: bool
    naive: Mapping[str, NaiveVerdict]


async def measure_naive(bench: Bench) -> tuple[Measurement, ...]:
    """Measures the simulated scan, and real clips if the test data exist, in both ways.

    Both receive the frames at the camera's pace, one scan at a time.

    Raises:
        ScanNotMeasured: A check could not be made.
        DeviceProcessFailed: The devices cannot be used.
    """
    models = await asyncio.to_thread(_models, bench.pack)
    compared = []
    bench.say(f"{bench.pack}: the naive pipeline, warming up")
    scan = simulated_scan(bench.material)
    await _compare(bench, scan, models, load="1 scan")
    for number in range(1, bench.effort.runs + 1):
        bench.say(f"{bench.pack}: the naive pipeline, run {number} of {bench.effort.runs}")
        compared.append(await _compare(bench, scan, models, load="1 scan"))
    assets = os.environ.get(_ASSETS)
    videos = None if not assets else Path(assets) / "data" / "video"
    if videos is not None and videos.is_dir():
        with tempfile.TemporaryDirectory(prefix="facegate-bench-clips-") as folder:
            for clip in real_scans(videos, Path(folder), pack=models[_TUNED], most=bench.effort.clips):
                bench.say(f"{bench.pack}: the naive pipeline on {clip.name}")
                compared.append(await _compare(bench, clip, {_TUNED: models[_TUNED]}, load="real clips"))
    return naive_measurements(bench.pack, compared)


def naive_measurements(pack: str, compared: Sequence[Comparison]) -> tuple[Measurement, ...]:
    """Returns the measurements of the comparisons, by load.

    Args:
        pack: Name of the pack.
        compared: The comparisons; those of one load have the same variants of the naive pipeline.
    """
    measurements: list[Measurement] = []
    for load in dict.fromkeys(comparison.load for comparison in compared):
        of_load = [comparison for comparison in compared if comparison.load == load]
        for variant in of_load[0].naive:
            measurements += _of_variant(pack, load, variant, of_load)
        measurements += _of_server(pack, load, of_load)
    return tuple(measurements)


def _of_server(pack: str, load: str, compared: Sequence[Comparison]) -> tuple[Measurement, ...]:
    return (
        Measurement(
            pack=pack,
            name="receipt and decoding / model CPU",
            load=load,
            unit="",
            meaning="CPU time of parsing each frame's message, verifying its MAC and decoding its luma, "
            "divided by the CPU time of the models that ran. Server CPU over model CPU exceeds 1 by at least "
            "this ratio, before transport, storage and every use of frames.",
            values=tuple(each.receipt_seconds / each.model_seconds for each in compared),
        ),
        Measurement(
            pack=pack,
            name="server CPU / model CPU",
            load=load,
            unit="",
            meaning="CPU time of the server's process for a whole scan, divided by the CPU time of the "
            "pack's models in it.",
            values=tuple(each.server_seconds / each.model_seconds for each in compared),
        ),
        Measurement(
            pack=pack,
            name="server CPU a scan",
            load=load,
            unit="s",
            meaning="CPU time of the server's process from the start of a scan's stream to its result.",
            values=tuple(each.server_seconds for each in compared),
        ),
        Measurement(
            pack=pack,
            name="frames received",
            load=load,
            unit="%",
            meaning="Frames that the server received, of those that the device could have sent in the "
            "scan's time.",
            values=tuple(100.0 * each.frames / each.offered for each in compared),
        ),
        Measurement(
            pack=pack,
            name="server's verdict right",
            load=load,
            unit="%",
            meaning="100 if the check accepts a living person or rejects an attack, else 0.",
            values=tuple(100.0 * (each.success == each.genuine) for each in compared),
        ),
    )


def _of_variant(
    pack: str, load: str, variant: str, compared: Sequence[Comparison]
) -> tuple[Measurement, ...]:
    def figure(name: str, unit: str, meaning: str, values: list[float]) -> Measurement:
        return Measurement(pack=pack, name=name, load=load, unit=unit, meaning=meaning, values=tuple(values))

    return (
        figure(
            f"server CPU / naive CPU ({variant})",
            "",
            "CPU time of the server's process for a whole scan, divided by the CPU time of decoding and "
            "of the detector, the embedder and every PAD network on each frame that the device could have "
            "sent in the scan's time. The server requests fewer frames, which the naive pipeline cannot.",
            [each.server_seconds / each.naive[variant].seconds for each in compared],
        ),
        figure(
            f"server CPU / naive CPU, of a received frame ({variant})",
            "",
            "The same, with both CPU times divided by the frames that were processed.",
            [(each.server_seconds / each.frames) / each.naive[variant].seconds_a_frame for each in compared],
        ),
        figure(
            f"Express CPU / naive CPU ({variant})",
            "",
            "CPU time that the server computes for a whole scan (decoding, models, cues, tracking, judging: "
            "its worker pool), divided by the same naive CPU time. Both exclude transport, event loop and "
            "storage.",
            [each.express_seconds / each.naive[variant].seconds for each in compared],
        ),
        figure(
            f"naive CPU a frame ({variant})",
            "ms",
            "CPU time of the naive pipeline divided by the frames.",
            [_MS * each.naive[variant].seconds_a_frame for each in compared],
        ),
        figure(
            f"verdict as the naive one's ({variant})",
            "%",
            "100 if check and naive pipeline both accept or both reject, else 0; other figures state which "
            "of them is right.",
            [100.0 * (each.success == each.naive[variant].success) for each in compared],
        ),
        figure(
            f"naive verdict right ({variant})",
            "%",
            "100 if the naive pipeline accepts a living person or rejects an attack, else 0.",
            [100.0 * (each.naive[variant].success == each.genuine) for each in compared],
        ),
    )


def _models(spec: str) -> dict[str, Pack]:
    folder = default_models_dir(os.environ, Path.home())
    tuned = load_pack(spec, models_dir=folder)
    if not any(file.name.endswith(".onnx") for file in tuned.files):
        return {_TUNED: tuned}
    plain = RuntimeOptions(rewrite_graphs=False)
    return {_TUNED: tuned, _PUBLISHED: load_pack(spec, models_dir=folder, runtime=plain)}


async def _compare(bench: Bench, scan: RecordedScan, models: Mapping[str, Pack], *, load: str) -> Comparison:
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
            bench.clock.read_and_reset()
            began, computed = time.process_time(), bench.server.cpu_seconds
            (times,) = await bench.devices.scan(job)
            spent, computed = time.process_time() - began, bench.server.cpu_seconds - computed
            used = bench.clock.read_and_reset()
            finished = await orchestrator.finish_check(check.check_id, wait_s=_WAIT_SECONDS)
    except ClientError as error:
        raise ScanNotMeasured(f"the scan {scan.name} got no verdict: {error}") from error
    offered = scan.as_sent(max(times.frames, scan.offered(times.capture_seconds)))
    frames = [file.read_bytes() for file in offered]
    if not times.frames:
        raise ScanNotMeasured(f"no frame of the scan {scan.name} was sent: {times.error}")
    receipt = FrameReceipt()
    naive = {
        variant: await _run_naive(NaivePipeline(pack, portrait=scan.portrait), frames, scan)
        for variant, pack in models.items()
    }
    await _paced(receipt.take, frames[: times.frames], scan)
    return Comparison(
        scan=scan.name,
        genuine=scan.genuine,
        load=load,
        frames=times.frames,
        offered=len(frames),
        server_seconds=spent,
        express_seconds=computed,
        model_seconds=used.total_seconds,
        receipt_seconds=receipt.seconds,
        success=finished.result.status == result_pb2.CHECK_STATUS_SUCCESS,
        naive=naive,
    )


async def _run_naive(naive: NaivePipeline, frames: Sequence[bytes], scan: RecordedScan) -> NaiveVerdict:
    await _paced(naive.run, frames, scan)
    return naive.verdict()


async def _paced(work: Callable[[bytes], None], frames: Sequence[bytes], scan: RecordedScan) -> None:
    """Works at the camera's pace. Without pauses, caches would stay warm, unlike in a server."""
    apart = 1 / scan.sent_per_second
    loop = asyncio.get_running_loop()
    due = loop.time()
    for frame in frames:
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += apart
        await asyncio.to_thread(work, frame)
