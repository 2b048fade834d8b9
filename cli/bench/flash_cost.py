"""The suite of the flash: its CPU time for a frame and for the judgement, against the pack's detector."""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from attempt import (
    ChallengeFrame,
    FlashRun,
    Frame,
    FrameAnalyst,
    FrameDecoder,
    FrameLimits,
    FramePicture,
    Reveal,
)
from cli.bench.material import frame_pictures
from cli.bench.setting import Bench
from cli.bench.tinted_frames import tinted
from cli.errors import ScanNotMeasured
from evaluation.bench import Measurement
from liveness import GuidanceCode
from liveness.dynamic import DynamicPolicy, load_flash_model
from liveness.dynamic.challenge import ColourStep, ScriptSettings
from liveness.dynamic.judge import judge_flash
from matcher import SCAN_SUBJECT
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import Pack, default_models_dir, load_pack

__all__ = ["FlashCost", "flash_measurements", "measure_flash", "run_flash"]

_MS: Final = 1000.0
_LOAD: Final = "the flash alone"
_SERVER_CLOCK: Final = 1000.0
_QUALITY: Final = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashCost:
    """The cost of one flash, in CPU seconds of its thread.

    Attributes:
        frames: Number of frames, at least 1.
        detections: Cost of one detection, the mean over the frames.
        pictures: Cost of decoding one frame in colour, which a detection needs.
        each: Cost of the flash's work on one frame: its light, the reading of the steps, the next action.
        decoding: The part of ``each`` for decoding the frame's light, beyond decoding it to follow the face.
        judging: Cost of the judgement at the end.
    """

    frames: int
    detections: float
    pictures: float
    each: float
    decoding: float
    judging: float

    @property
    def of_a_detection(self) -> float:
        """Cost of the flash on a frame, with decoding, over that of a detection on decoded pixels."""
        return self.each / self.detections

    @property
    def of_a_detection_with_decoding(self) -> float:
        """The same over the cost of a detection with its decoding."""
        return self.each / (self.detections + self.pictures)

    @property
    def of_a_detection_once_decoded(self) -> float:
        """Cost of the flash on a decoded frame, over that of a detection."""
        return (self.each - self.decoding) / self.detections


async def measure_flash(bench: Bench) -> tuple[Measurement, ...]:
    """Measures the flash on the bench's scan, tinted, without server and network.

    Raises:
        ScanNotMeasured: The scan was too short for the flash.
    """
    bench.say(f"{bench.pack}: the flash alone")
    pack = await asyncio.to_thread(
        load_pack, bench.pack, models_dir=default_models_dir(os.environ, Path.home())
    )
    frames = await asyncio.to_thread(frame_pictures, bench.material.frames)
    costs = []
    for number in range(bench.effort.runs + 1):
        cost = await asyncio.to_thread(
            run_flash, pack, frames, frames_per_second=bench.material.frames_per_second
        )
        if number:
            costs.append(cost)
    return flash_measurements(bench.pack, costs)


def flash_measurements(pack: str, costs: Sequence[FlashCost]) -> tuple[Measurement, ...]:
    """Returns the measurements of the flashes.

    Args:
        pack: Name of the pack.
        costs: The cost of each run, at least one.

    Raises:
        NothingMeasured: There are no runs.
    """

    def figure(name: str, unit: str, meaning: str, values: list[float]) -> Measurement:
        return Measurement(pack=pack, name=name, load=_LOAD, unit=unit, meaning=meaning, values=tuple(values))

    return (
        figure(
            "flash CPU a frame / one detection",
            "",
            "CPU time that the flash adds to a frame (decoding it for its light, measuring the light, "
            "reading the steps, deciding the next action), divided by that of the pack's detector on the "
            "same frames.",
            [cost.of_a_detection for cost in costs],
        ),
        figure(
            "flash CPU a frame / one detection, both with decoding",
            "",
            "The same, divided by the detector's CPU time and that of decoding a frame for it.",
            [cost.of_a_detection_with_decoding for cost in costs],
        ),
        figure(
            "flash CPU a frame once decoded / one detection",
            "",
            "Both for decoded frames.",
            [cost.of_a_detection_once_decoded for cost in costs],
        ),
        figure(
            "flash CPU a frame",
            "ms",
            "The flash's CPU time for a frame, with decoding, in milliseconds.",
            [_MS * cost.each for cost in costs],
        ),
        figure(
            "judging a flash",
            "ms",
            "CPU time of the judgement on the whole flash, once a scan and after its last frame.",
            [_MS * cost.judging for cost in costs],
        ),
    )


def run_flash(pack: Pack, frames: Sequence[BgrImage], *, frames_per_second: float) -> FlashCost:
    """Runs one flash in the calling thread, as a server does, without server and network.

    Args:
        pack: Detects the faces.
        frames: A scan in white light; each frame is tinted in the current colour of the flash.
        frames_per_second: Their rate.

    Raises:
        ScanNotMeasured: The frames end before the flash does.
    """
    analyst, model = FrameAnalyst(pack=pack, limits=FrameLimits()), load_flash_model()
    decoder = FrameDecoder(FrameLimits())
    watcher = analyst.new_watch(subject=SCAN_SUBJECT).watcher
    run = FlashRun.drawn(
        secrets.token_bytes,
        model=model,
        # The depth of the head is not part of the flash, and the simulated person does not turn it.
        limits=DynamicPolicy(depth_patience_seconds=0.0),
        script=ScriptSettings(scroll_one_in=None),
    )
    detections = pictures = each = decoding = 0.0
    step: ColourStep | None = None
    since = 0.0
    count = 0
    for index, pixels in enumerate(frames):
        at = index / frames_per_second
        frame = _frame(index, at, pixels, step, since)
        seen = analyst.measure_frame(frame, at, watcher=watcher, with_light=True)
        began = time.thread_time()
        pack.detector.detect(pixels)
        detected = time.thread_time()
        run.take(
            ChallengeFrame(
                seen=seen,
                capture_time=at,
                origin_us=0,
                arrival=_SERVER_CLOCK + at,
                guidance=GuidanceCode.OK,
                blinked=False,
                captured=True,
                round_trip=0.0,
            )
        )
        wanted = run.act(_SERVER_CLOCK + at, frame_index=index)
        each += time.thread_time() - detected
        detections += detected - began
        pictures += _cpu_seconds(partial(decoder.colour, frame))
        decoding += _light_seconds(decoder, frame, followed=seen.observation.followed)
        count += 1
        if run.settled:
            break
        for action in wanted:
            if isinstance(action, Reveal):
                # The camera captures it in the next frame.
                step, since = action.step, at
    if not run.settled:
        raise ScanNotMeasured("the scan is too short for a flash: increase --seconds")
    began = time.thread_time()
    judge_flash(samples=run.evidence.samples, revealed=run.evidence.steps, model=model)
    judging = time.thread_time() - began
    return FlashCost(
        frames=count,
        detections=detections / count,
        pictures=pictures / count,
        each=(each + decoding) / count,
        decoding=decoding / count,
        judging=judging,
    )


def _light_seconds(decoder: FrameDecoder, frame: Frame, *, followed: bool) -> float:
    """Returns the additional CPU seconds for a frame's light. To follow a face, luma alone suffices."""

    def watch_and_light() -> None:
        picture = FramePicture(decoder, frame, in_colour=True)
        picture.grey()
        picture.light()

    if followed:
        alone = _cpu_seconds(lambda: FramePicture(decoder, frame).grey())
        return _cpu_seconds(watch_and_light) - alone
    picture = FramePicture(decoder, frame, in_colour=True)
    picture.colour()
    return _cpu_seconds(picture.light)


def _cpu_seconds(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def _frame(index: int, at: float, pixels: BgrImage, step: ColourStep | None, since: float) -> Frame:
    """Returns a frame of a scan in the colour that is shown since ``since``, or in white light."""
    height, width = pixels.shape[:2]
    colour = None if step is None else (step.colour.red, step.colour.green, step.colour.blue)
    return Frame(
        image=encode_jpeg(tinted(pixels, colour), quality=_QUALITY),
        index=index,
        capture_time_us=round(at * 1e6),
        rotation_degrees=0,
        mirrored=False,
        width=width,
        height=height,
        flash_step=0 if step is None else step.number,
        flash_step_since_us=0 if step is None else round(since * 1e6),
    )
