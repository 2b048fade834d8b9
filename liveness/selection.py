"""Which frames are worth the expensive models."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from liveness.errors import ObservationError
from liveness.extent import face_extent
from liveness.observation import FrameObservation

DEFAULT_COUNT = 8
"""Frames in a full scan's selection."""

CUE_FRAMES = 3
"""Of them, those on which single-frame cues are measured: a medium shows in all of them or in none."""

_SHARP = 60.0
_LARGEST_TURN = 30.0
_OPEN_EYES = 0.25
_CLOSED_EYES = 0.12
_DARK, _BRIGHT = 60.0, 210.0
_SPREAD_SHARE = 0.6
"""How much spread in time weighs against quality, which is 0..1."""
_LEAST_FRONTAL, _LEAST_EYES, _LEAST_LIGHT = 0.1, 0.2, 0.1
"""What a turned head, shut eyes and bad light leave of a frame's quality; set by hand."""
_LEAST = 1e-6
"""Quality of a frame with one face that nothing else speaks for: better than none."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The answer to an offered frame.

    Attributes:
        keep: Whether the frame's pixels are worth keeping for now.
        replaced: Index of the frame whose pixels can be dropped instead; ``None`` where none can.
    """

    keep: bool
    replaced: int | None


@dataclass(frozen=True, slots=True)
class _Kept:
    index: int
    time: float
    quality: float


class FrameSelector:
    """Picks frames as they arrive: well placed, sharp, eyes open, spread in time.

    Holds at most ``count`` frames whatever the scan's length, so that a server keeps that many decoded
    frames and no more. When one too many is held, the one goes that is worth least: of low quality, or
    close in time to its neighbours. The best frame so far never goes.
    """

    def __init__(self, *, count: int = DEFAULT_COUNT) -> None:
        """Start empty.

        Args:
            count: Frames to hold, 1 or more.

        Raises:
            ObservationError: ``count`` is below 1.
        """
        if count < 1:
            raise ObservationError(f"a selection of {count} frames is asked for; at least 1 is needed")
        self._count = count
        self._kept: list[_Kept] = []

    def offer(self, observation: FrameObservation) -> Offer:
        """Offer the next frame; frames come in order. One without exactly one face is never kept.

        Raises:
            ObservationError: The frame is not later than the last one kept.
        """
        quality = frame_quality(observation)
        if quality <= 0:
            return Offer(keep=False, replaced=None)
        if self._kept and observation.capture_time <= self._kept[-1].time:
            raise ObservationError(f"frame {observation.index} is not later than the frame before it")
        self._kept.append(_Kept(observation.index, observation.capture_time, quality))
        if len(self._kept) <= self._count:
            return Offer(keep=True, replaced=None)
        dropped = self._kept.pop(self._least_worth())
        if dropped.index == observation.index:
            return Offer(keep=False, replaced=None)
        return Offer(keep=True, replaced=dropped.index)

    @property
    def selected(self) -> tuple[int, ...]:
        """Indices of the kept frames, in order."""
        return tuple(kept.index for kept in self._kept)

    @property
    def likeliest_to_stay(self) -> tuple[int, ...]:
        """Indices of the kept frames, in the reverse of the order in which they would be dropped."""
        worths = self._worths()
        order = sorted(range(len(worths)), key=worths.__getitem__, reverse=True)
        return tuple(self._kept[at].index for at in order)

    @property
    def best(self) -> int | None:
        """Index of the frame that can stand as evidence; ``None`` before any usable frame."""
        return max(self._kept, key=lambda kept: kept.quality).index if self._kept else None

    def _least_worth(self) -> int:
        worths = self._worths()
        return worths.index(min(worths))

    def _worths(self) -> list[float]:
        """What each kept frame is worth; the best has no price."""
        times = [kept.time for kept in self._kept]
        worths = [kept.quality for kept in self._kept]
        if len(times) > 1:
            even_gap = (times[-1] - times[0]) / (len(times) - 1)
            for at in range(len(times)):
                before = times[at] - times[at - 1] if at > 0 else times[1] - times[0]
                after = times[at + 1] - times[at] if at + 1 < len(times) else times[-1] - times[-2]
                # The gap that dropping it would leave, 1 where frames are spread evenly.
                worths[at] += _SPREAD_SHARE * min(2.0, (before + after) / (2 * even_gap))
            worths[max(range(len(times)), key=lambda at: self._kept[at].quality)] = math.inf
        return worths


def select_frames(observations: Iterable[FrameObservation], *, count: int = DEFAULT_COUNT) -> tuple[int, ...]:
    """Indices of the frames worth the expensive models, in order; see ``FrameSelector``.

    Raises:
        ObservationError: ``count`` is below 1, or the frames are out of order.
    """
    selector = FrameSelector(count=count)
    for observation in observations:
        selector.offer(observation)
    return selector.selected


def spread_of(indices: Sequence[int], count: int) -> tuple[int, ...]:
    """At most ``count`` of ``indices``, evenly spread from the first to the last, in order."""
    if len(indices) <= count:
        return tuple(indices)
    gap = (len(indices) - 1) / max(1, count - 1)
    return tuple(indices[round(at * gap)] for at in range(count))


def frame_quality(observation: FrameObservation) -> float:
    """How well a frame shows its face, 0..1; 0 without exactly one face that a detector found.

    The product of what each can spoil by itself: reach beyond the frame, blur, turn, closed eyes, light.
    """
    face = observation.face
    if (
        face is None
        or observation.followed
        or observation.faces != 1
        or observation.sharpness is None
        or observation.luminance is None
    ):
        return 0.0
    extent = face_extent(face)
    across = min(extent.right, observation.width) - max(extent.left, 0.0)
    down = min(extent.bottom, observation.height) - max(extent.top, 0.0)
    inside = max(0.0, across) * max(0.0, down) / (extent.width * extent.height)
    sharp = observation.sharpness / (observation.sharpness + _SHARP)
    turn = 0.0 if observation.pose is None else max(abs(observation.pose.yaw), abs(observation.pose.pitch))
    frontal = max(_LEAST_FRONTAL, 1 - turn / (2 * _LARGEST_TURN))
    opened = observation.eyes_open
    eyes = 1.0 if opened is None else _ramp(opened, _CLOSED_EYES, _OPEN_EYES)
    light = min(
        _ramp(observation.luminance, 0.0, _DARK), _ramp(255 - observation.luminance, 0.0, 255 - _BRIGHT)
    )
    return max(_LEAST, inside**2 * sharp * frontal * max(_LEAST_EYES, eyes) * max(_LEAST_LIGHT, light))


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))
