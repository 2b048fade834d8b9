"""Runs an attempt in virtual time: arriving frames, the actions of the attempt, and their receivers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from attempt import Action, AttemptCapture, Feedback, Frame
from formats.exposure import ExposureClaim
from lab.simulator import SimulatedFrame
from vision.image import encode_jpeg

COUNTED_FRAMES: Final = 8
"""Number of frames before which a server shows no colour and no oval."""
_QUALITY: Final = 88
"""Quality of the JPEGs that are sent."""
_FIRST_US: Final = 1_000_000
"""The device's clock at a scan's time 0, microseconds; 0 would mean unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One frame and its effect.

    Attributes:
        frame: The frame; ``None`` if none arrived.
        arrival: Time of arrival, seconds of the server's clock.
        feedback: Feedback to the person, if it is new.
        actions: Actions of the attempt until the next frame, each with its time.
    """

    frame: Frame | None
    arrival: float
    feedback: Feedback | None
    actions: tuple[tuple[float, Action], ...]


def turns(
    capture: AttemptCapture,
    arriving: Iterable[tuple[Frame | None, float]],
    *,
    processing: float,
    hear: Callable[[Action, float], None],
    examine: bool = True,
) -> Iterator[Turn]:
    """Process frames as a server does until the attempt is complete, or no more frames arrive.

    Args:
        arriving: Frames with their times of arrival, or times without a frame; each is requested after the
            actions on the one before were heard.
        processing: Time that the server needs for a frame before it answers, seconds.
        hear: Called with each action of the attempt, at its time.
        examine: Whether the expensive models examine selected frames meanwhile.
    """
    free, before, taken, latest = 0.0, None, 0, 0
    for frame, arrival in arriving:
        feedback = None
        if frame is not None:
            if examine and (examination := capture.next_examination()) is not None:
                capture.examiner.keep_examined([examination()])
            if capture.settled:
                capture.skip_frame(frame, arrival=arrival)
            else:
                feedback = capture.capture_frame(frame, arrival=arrival)
            taken, latest = taken + 1, frame.index
        free = max(free, arrival) + processing
        until = free + (0.0 if before is None else arrival - before)
        wanted: list[tuple[float, Action]] = []
        if taken >= COUNTED_FRAMES:
            for now, action in _wanted(capture, free, until=until, frame_index=latest):
                wanted.append((now, action))
                hear(action, now)
        before = arrival
        yield Turn(frame, arrival, feedback, tuple(wanted))
        if capture.complete:
            return


def _wanted(
    capture: AttemptCapture, now: float, *, until: float, frame_index: int
) -> Iterator[tuple[float, Action]]:
    """Yield the actions of the attempt at ``now``, and at each time that it requests before ``until``."""
    challenge = capture.challenge
    due: float | None = now
    while challenge is not None and due is not None and due < until and not capture.complete:
        for action in capture.act(due, frame_index=frame_index):
            capture.note_sent(action, at=due)
            yield due, action
        due = challenge.due(due)


def frame_of(
    simulated: SimulatedFrame, index: int, *, step: int = 0, step_since: float | None = None
) -> Frame:
    """Return a simulated frame as a device sends it.

    Args:
        step: The step that the device claims to be on display; 0 for none.
        step_since: Since when it claims that, seconds of the scan's clock.
    """
    height, width = simulated.pixels.shape[:2]
    return sent_frame(
        encode_jpeg(simulated.pixels, quality=_QUALITY),
        index,
        time=simulated.capture_time,
        width=width,
        height=height,
        exposure=simulated.exposure,
        step=step,
        step_since=step_since,
    )


def sent_frame(
    jpeg: bytes,
    index: int,
    *,
    time: float,
    width: int,
    height: int,
    rotation_degrees: int = 0,
    exposure: ExposureClaim | None = None,
    step: int = 0,
    step_since: float | None = None,
) -> Frame:
    """Return a coded frame as a device sends it.

    Args:
        time: Capture time, seconds of the scan's clock.
        width: Width of the image, pixels.
        height: Height of the image, pixels.
        rotation_degrees: Rotation that makes it upright, by its header.
        exposure: The camera's report on the exposure.
        step: The step that the device claims to be on display; 0 for none.
        step_since: Since when it claims that, seconds of the scan's clock.
    """
    return Frame(
        image=jpeg,
        index=index,
        capture_time_us=_FIRST_US + round(1e6 * time),
        rotation_degrees=rotation_degrees,
        mirrored=False,
        width=width,
        height=height,
        flash_step=step,
        flash_step_since_us=0 if step_since is None else _FIRST_US + round(1e6 * step_since),
        exposure=exposure,
    )
