"""Selects the frames that are examined."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from liveness.errors import ObservationError
from liveness.extent import face_extent
from liveness.observation import FrameObservation

Item = TypeVar("Item")

DEFAULT_COUNT = 8
"""The number of frames that are selected in a full scan."""

CUE_FRAMES = 3
"""The number of them on which single-frame cues are measured. A medium shows in all frames or in none."""

_SHARP = 60.0
_LARGEST_TURN = 30.0
_OPEN_EYES = 0.25
_CLOSED_EYES = 0.12
_DARK, _BRIGHT = 60.0, 210.0
_SPREAD_SHARE = 0.6
"""The weight of spread in time relative to quality, which is 0..1."""
_LEAST_FRONTAL, _LEAST_EYES, _LEAST_LIGHT = 0.1, 0.2, 0.1
"""The least factors of a frame's quality for a turned head, shut eyes and bad light; set by hand."""
_LEAST = 1e-6
"""The least quality of a frame with one face, which is above that of a frame without a face."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The result of offering a frame.

    Attributes:
        keep: Whether to keep the frame's pixels for now.
        replaced: The index of the frame whose pixels can be dropped instead; ``None`` if there is none.
    """

    keep: bool
    replaced: int | None


@dataclass(frozen=True, slots=True)
class _Kept:
    index: int
    time: float
    quality: float


class FrameSelector:
    """Selects frames as they arrive: well placed, sharp, with open eyes, and spread in time.

    It keeps at most ``count`` frames regardless of the scan's length, which limits the decoded frames that a
    server keeps. If there is one too many, the least valuable one is dropped: a frame of low quality, or
    close in time to its neighbours. The best frame so far is never dropped.
    """

    def __init__(self, *, count: int = DEFAULT_COUNT) -> None:
        """Start empty.

        Args:
            count: The number of frames to keep, 1 or more.

        Raises:
            ObservationError: ``count`` is below 1.
        """
        if count < 1:
            raise ObservationError(f"the count of frames to select is {count}; it must be at least 1")
        self._count = count
        self._kept: list[_Kept] = []

    def select_frame(self, observation: FrameObservation) -> Offer:
        """Offer the next frame, in order. A frame without exactly one detected face is never kept.

        Raises:
            ObservationError: The frame is not later than the last kept one.
        """
        quality = frame_quality(observation)
        if quality <= 0:
            return Offer(keep=False, replaced=None)
        if self._kept and observation.capture_time <= self._kept[-1].time:
            raise ObservationError(
                f"frame {observation.index} is not later than frame {self._kept[-1].index}; "
                "capture times must increase"
            )
        self._kept.append(_Kept(observation.index, observation.capture_time, quality))
        if len(self._kept) <= self._count:
            return Offer(keep=True, replaced=None)
        dropped = self._kept.pop(self._least_worth())
        if dropped.index == observation.index:
            return Offer(keep=False, replaced=None)
        return Offer(keep=True, replaced=dropped.index)

    @property
    def selected(self) -> tuple[int, ...]:
        """The indices of the kept frames, in order."""
        return tuple(kept.index for kept in self._kept)

    @property
    def likeliest_to_stay(self) -> tuple[int, ...]:
        """The indices of the kept frames, first the one that would be dropped last."""
        worths = self._worths()
        order = sorted(range(len(worths)), key=worths.__getitem__, reverse=True)
        return tuple(self._kept[at].index for at in order)

    @property
    def best(self) -> int | None:
        """The index of the best frame, for the evidence; ``None`` before the first usable frame."""
        return max(self._kept, key=lambda kept: kept.quality).index if self._kept else None

    def _least_worth(self) -> int:
        worths = self._worths()
        return worths.index(min(worths))

    def _worths(self) -> list[float]:
        """Return how valuable each kept frame is; infinity for the best."""
        times = [kept.time for kept in self._kept]
        worths = [kept.quality for kept in self._kept]
        if len(times) > 1:
            even_gap = (times[-1] - times[0]) / (len(times) - 1)
            for at in range(len(times)):
                before = times[at] - times[at - 1] if at > 0 else times[1] - times[0]
                after = times[at + 1] - times[at] if at + 1 < len(times) else times[-1] - times[-2]
                # The gap that dropping the frame would leave, 1 if frames are spread evenly.
                worths[at] += _SPREAD_SHARE * min(2.0, (before + after) / (2 * even_gap))
            worths[max(range(len(times)), key=lambda at: self._kept[at].quality)] = math.inf
        return worths


def best_frame(frames: Iterable[FrameObservation]) -> FrameObservation | None:
    """Return the best of all frames, which is ``FrameSelector.best``; ``None`` without a usable frame."""
    best = max(frames, key=frame_quality, default=None)
    return best if best is not None and frame_quality(best) > 0 else None


def spread_of(items: Sequence[Item], count: int) -> tuple[Item, ...]:
    """Return at most ``count`` of ``items``, evenly spread from the first to the last, in order."""
    if len(items) <= count:
        return tuple(items)
    gap = (len(items) - 1) / max(1, count - 1)
    return tuple(items[round(at * gap)] for at in range(count))


def frame_quality(observation: FrameObservation) -> float:
    """Return how well a frame shows its face, 0..1; 0 without exactly one detected face.

    The quality is a product, because each factor can make a frame useless: position in the frame, sharpness,
    pose, eyes, light.
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
    inside = extent.share_inside(observation.width, observation.height)
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
