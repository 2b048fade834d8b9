"""Decides in which frames the eyes are measured, and reuses earlier measurements if they look the same.

Landmarks cost more than everything else that a followed frame needs. Between two measurements eyes mostly
look the same, and then the earlier measurement is reused: patches around both eyes, cut upright and at a
fixed size, are compared with those of the last measured frames. If neither eye matches, something changed (a
blink, a glance, a turn), and the eyes are measured as far as a budget allows. The comparison sometimes
confuses shut eyes with open ones, so the eyes of every frame are measured if a person was asked to blink.

The noise of landmarks amounts to half a blink for narrow eyes in the dark. Patches do not have this noise:
eyes that measure as shut but look like earlier open eyes count as open. Patches are cut at the face's points,
which jump at a detection. Therefore eyes that measured as shut are also compared with the next open ones, and
corrected if they look the same. If the head turns, both ratios and patches change without a blink, so only
eyes whose ratios fall far count as shut.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.motion import count_blinks
from liveness.express.settings import ExpressSettings
from liveness.observation import GreyView
from vision.face import DetectedFace, Points

# Compares the appearance of the eyes with earlier eyes whose aspect ratios were measured.
#
# Patches around both eyes, cut upright and at a fixed size, are compared with those of the last measured
# frames. Landmarks are noisy, and patches are not. Eyes that measure as shut but look like earlier or later
# open eyes are therefore open.

EyeRatios = tuple[float, float]
"""The eye aspect ratios (left, right in the image)."""

Eyes = tuple[GreyView, GreyView]
"""The patches of the left and the right eye."""

_PATCH_WIDTH, _PATCH_HEIGHT = 28, 18
_PLAY = 4
"""The margin of a patch, pixels: eyes may move on the face, and the face may be followed inexactly."""

_EYE_SHARE = 0.75
"""The width of a patch over the distance between the eyes."""

_ALIKE = 0.9
"""The correlation from which an eye looks the same. On 51 scans of 24 clips, the median is 0.93 to 0.99 while
eyes stay open (0.82 if faces grimace), and mostly 0.4 to 0.85 while they are shut."""

_LOOKS_OPEN = 0.97
"""The correlation, of the eye that changed less, from which eyes are not shut whatever they measure. In 37
simulated scans with blinks, in the dark and indoors, the frame of a blink that differs most from open eyes is
at 0.21 to 0.96. In one case landmarks measured the open eyes of a rigid mask as shut, at 0.98. In another
they did so at 0.93, because the face had just been detected again, but at 1.00 of the next open eyes. With
these, both eyes must agree: while real lids opened, one of them was at 0.98."""

_PLAIN = 2.0
"""The standard deviation, grey levels, below which a patch is too plain to compare."""

_MOST_LATEST = 3
"""The number of measured eyes that are kept, the latest."""


@dataclass(frozen=True, slots=True, eq=False)
class _KnownEye:
    patches: Eyes
    eyes: EyeRatios
    opened: bool


class KnownEyes:
    """Patches and aspect ratios of the eyes in the last measured frames, and of the latest open eyes."""

    def __init__(self) -> None:
        self._latest: deque[_KnownEye] = deque(maxlen=_MOST_LATEST)
        self._open: _KnownEye | None = None

    @property
    def open(self) -> EyeRatios | None:
        """The ratios of the latest open eyes; ``None`` if there were none."""
        return None if self._open is None else self._open.eyes

    def remember_eyes(self, patches: Eyes, eyes: EyeRatios, *, opened: bool) -> None:
        """Add measured eyes.

        Args:
            opened: Whether they are open.
        """
        known = _KnownEye(patches, eyes, opened)
        self._latest.append(known)
        if opened:
            self._open = known

    def discard(self, patches: Eyes) -> None:
        """Remove measured eyes whose ratios turned out to be wrong."""
        kept = [one for one in self._latest if one.patches is not patches]
        self._latest = deque(kept, maxlen=_MOST_LATEST)

    def find_alike(self, patches: Eyes) -> tuple[EyeRatios | None, float]:
        """Find earlier eyes that look the same as ``patches``.

        Returns:
            The eye ratios that were measured then, and the correlation of the two images; ``None`` and 0 if
            no earlier eyes look the same.
        """
        for one in self._all():
            # If one eye is as open as before, there is no blink. Eyes are shut only if both are.
            alike = (_best_correlation if one.opened else _worst_correlation)(one.patches, patches)
            if alike >= _ALIKE:
                return one.eyes, alike
        return None, 0.0

    def nearly_identical_open(self, patches: Eyes) -> EyeRatios | None:
        """Return the ratios of earlier open eyes that look nearly identical; ``None`` if there are none."""
        for one in self._all():
            if one.opened and _best_correlation(one.patches, patches) >= _LOOKS_OPEN:
                return one.eyes
        return None

    def _all(self) -> list[_KnownEye]:
        """Return the known eyes, the latest first. They include open eyes if there were any."""
        known = list(reversed(self._latest))
        if self._open is not None and self._open not in known:
            known.append(self._open)
        return known


def cut_eyes(grey: GreyView, points: Points) -> Eyes:
    """Return the patches of both eyes of a frame.

    Args:
        grey: The whole upright frame.
        points: The five points of the face, frame pixels.
    """
    return _patch(grey, points, 0), _patch(grey, points, 1)


def look_identical(seen: Eyes, now: Eyes) -> bool:
    """Return whether both eyes look nearly identical in two frames, so that the lids did not move."""
    return _worst_correlation(seen, now) >= _LOOKS_OPEN


def show_nothing(patches: Eyes) -> bool:
    """Return whether the patch of at least one eye has too little contrast to compare."""
    return min(float(_inner(patch).std()) for patch in patches) < _PLAIN


def _patch(grey: GreyView, points: Points, eye: int) -> GreyView:
    """Return the patch of one eye, upright and at a fixed size, with a margin."""
    across = (points[1] - points[0]).astype(np.float64)
    scale = _EYE_SHARE / _PATCH_WIDTH
    width, height = _PATCH_WIDTH + 2 * _PLAY, _PATCH_HEIGHT + 2 * _PLAY
    turn = scale * np.array([[across[0], -across[1]], [across[1], across[0]]])
    corner = points[eye] - turn @ ((width - 1) / 2, (height - 1) / 2)
    cut: NDArray[np.uint8] = np.asarray(
        cv2.warpAffine(
            grey,
            np.column_stack([turn, corner]),
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )
    return cut


def _inner(patch: GreyView) -> GreyView:
    """Return a patch without its margin, as the template to match."""
    return patch[_PLAY:-_PLAY, _PLAY:-_PLAY]


def _best_correlation(seen: Eyes, now: Eyes) -> float:
    """Return the correlation of the eye that changed less."""
    return max(_correlation(before, after) for before, after in zip(seen, now, strict=True))


def _worst_correlation(seen: Eyes, now: Eyes) -> float:
    """Return the correlation of the eye that changed more."""
    return min(_correlation(before, after) for before, after in zip(seen, now, strict=True))


def _correlation(seen: GreyView, now: GreyView) -> float:
    """Return the correlation of an eye with its earlier patch, at the best position in the later one."""
    return float(cv2.matchTemplate(now, _inner(seen), cv2.TM_CCOEFF_NORMED).max())


_TURNED = 0.11
"""The distance of the nose from its median position, along the line of the eyes and in eye distances, from
which on the head is turned (about 8 degrees). :data:`_TURNED_DEPTH` is the share of the open level below
which the eyes of a turned head are shut. Of 113 blinks in simulated scans, in the dark and indoors, four were
of a turned head; they fell to 0.09 to 0.44. Landmarks measured 0.68 to 0.79 for the open eyes of masks that
turned."""
_TURNED_DEPTH = 0.5
"""See ``_TURNED``."""

_NO_EYE = 1e-6
"""The least open level, an eye aspect ratio, so that no share is divided by 0."""

_MEASURE_SECONDS = 1.2
"""The time between regular measurements, seconds, even if the eyes look the same, because they may drift."""
_SAME = 0.98
_SAME_SECONDS = 2.0
"""The correlation from which on nothing has drifted yet, and the time between measurements then, seconds. Of
the 43 blinks that two packs measure in 50 pieces of live clips, this loses none. From 0.97 on it would lose
3, and measuring every 1.5 seconds regardless of the correlation would lose 6."""

_SPARE = 4.0
_SPARE_A_SECOND = 1.5
"""The number of measurements beside the regular ones: at first, and for each second that passed. On the 51
scans of ``_ALIKE``, 26 had a blink if every frame of 8 a second was measured, and 23 with a quarter
of the measurements. More spare ones found no more blinks."""
_OPEN_PERCENT = 75
"""The percentile of an eye's aspect ratios that is its open level, as in ``express.motion``."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeSight:
    """The eyes of one frame before they are measured.

    Attributes:
        time: The capture time of the frame, seconds.
        patches: The grey patches of the left and the right eye.
        turned: Whether the head is turned away from its median pose.
        eyes: The ratios of earlier eyes that look the same; ``None`` if none do.
        worth_measuring: Whether it is worth measuring the eyes now.
    """

    time: float
    patches: Eyes
    turned: bool
    eyes: EyeRatios | None
    worth_measuring: bool


class _Blinks:
    """The blinks of the frames so far, from the known eye aspect ratios."""

    def __init__(self, settings: ExpressSettings) -> None:
        self._settings = settings
        self._times: list[float] = []
        self._eyes: list[EyeRatios] = []
        self._shut_seen = False
        self.found = False
        """Whether the last count found a blink."""
        self._counted = 0

    @property
    def stands(self) -> bool:
        """Whether the frames so far, taken together, show a blink.

        What looks like a blink after a few frames may turn out to be noise of the landmarks after many.
        """
        if self.found and self._counted < len(self._eyes):
            self._count()
        return self.found

    def note(self, time: float, eyes: EyeRatios) -> None:
        """Add the next frame's eyes."""
        self._times.append(time)
        self._eyes.append(eyes)
        # Only measured eyes can be shut, and in most scans none were.
        if not self.found and self._shut_seen:
            self._count()

    def correct(self, time: float, eyes: EyeRatios) -> None:
        """Replace the eyes of an earlier frame."""
        if time in self._times:
            self._eyes[self._times.index(time)] = eyes

    def saw_shut(self) -> None:
        """Record that shut eyes were measured, so that there may be a blink from the next frame on."""
        self._shut_seen = True

    def _count(self) -> None:
        self._counted = len(self._eyes)
        self.found = count_blinks(self._times, self._eyes, self._settings) > 0


class _Budget:
    """Decides when eyes are measured: regularly, and sometimes in between."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._due = -np.inf
        self._spent = 0

    def begin(self, time: float) -> None:
        """Start to count the spare measurements at the first frame."""
        if self._began is None:
            self._began = time

    def due(self, time: float, *, alike: float) -> bool:
        """Return whether a regular measurement is due.

        Args:
            alike: The correlation of the eyes with earlier ones, 0 to 1.
        """
        return time >= self._due + (_SAME_SECONDS - _MEASURE_SECONDS if alike >= _SAME else 0.0)

    def has_spare(self, time: float) -> bool:
        """Return whether a spare measurement is left."""
        began = time if self._began is None else self._began
        return self._spent < _SPARE + _SPARE_A_SECOND * (time - began)

    def measured(self, time: float) -> None:
        """Record that a frame was measured."""
        if time >= self._due:
            self._due = time + _MEASURE_SECONDS
        else:
            self._spent += 1


class _Fall:
    """The frames whose eyes count as shut, since the last open ones."""

    def __init__(self, longest: float) -> None:
        """Start empty.

        Args:
            longest: The longest blink, seconds.
        """
        self._longest = longest
        self._shut: list[tuple[EyeSight, EyeRatios]] = []

    def add(self, sight: EyeSight, eyes: EyeRatios) -> None:
        """Add the eyes of a frame if they were measured, as shut, or reuse the ratios of such a frame."""
        self._drop_before(sight.time)
        if sight.worth_measuring or any(eyes == known for _, known in self._shut):
            self._shut.append((sight, eyes))

    def end(self, opened: EyeSight) -> list[EyeSight]:
        """End the fall at open eyes; return the frames whose eyes look the same, and so were not shut."""
        self._drop_before(opened.time)
        shut, self._shut = self._shut, []
        return [sight for sight, _ in shut if look_identical(sight.patches, opened.patches)]

    def _drop_before(self, time: float) -> None:
        """Drop the frames that are too early for a blink, and those that reuse their ratios."""
        held = {
            eyes for sight, eyes in self._shut if sight.worth_measuring and time - sight.time <= self._longest
        }
        self._shut = [one for one in self._shut if one[1] in held and time - one[0].time <= self._longest]


class EyeWatch:
    """Measures the eyes of one attempt. Takes the frames in order."""

    def __init__(self) -> None:
        """Start with nothing measured. After the first blink, only the regular measurements continue."""
        self._settings = ExpressSettings()
        self._known = KnownEyes()
        self._blinks = _Blinks(self._settings)
        self._budget = _Budget()
        self._measured: list[EyeRatios] = []
        self._noses: list[float] = []
        self._fall = _Fall(self._settings.longest_blink)
        self._corrections: dict[float, EyeRatios] = {}

    @property
    def blinked(self) -> bool:
        """Whether the frames so far show a blink, counted as in ``liveness.express.motion``."""
        return self._blinks.stands

    def compare(
        self,
        grey: GreyView,
        face: DetectedFace,
        time: float,
        *,
        detected: bool,
        expected: bool = False,
    ) -> EyeSight:
        """Compare the eyes of a frame with those that were measured.

        Args:
            grey: The whole upright frame, grey.
            face: The face, frame pixels.
            time: The capture time of the frame, seconds.
            detected: Whether the face was detected in this frame; regular measurements wait for a detection.
            expected: Whether the landmarks of every frame are wanted, such as after a request to blink.
        """
        self._budget.begin(time)
        patches = cut_eyes(grey, face.five_points)
        turned = self._turns(face.five_points)
        eyes, alike = self._known.find_alike(patches)
        if expected or (detected and self._budget.due(time, alike=alike)):
            return EyeSight(time, patches, turned, eyes, worth_measuring=True)
        unlike = eyes is None and not self._blinks.found
        return EyeSight(time, patches, turned, eyes, worth_measuring=unlike and self._budget.has_spare(time))

    def add_measured(self, sight: EyeSight, eyes: EyeRatios | None) -> EyeRatios | None:
        """Add a frame whose eyes were measured.

        Args:
            sight: The eyes before the measurement.
            eyes: The ratios by the landmarks; ``None`` if they locate no face.

        Returns:
            ``eyes``; the ratios of earlier open eyes instead if ``eyes`` measure as shut only by noise.
        """
        self._budget.measured(sight.time)
        if eyes is None:
            return None
        self._measured.append(eyes)
        if show_nothing(sight.patches):
            self._blinks.note(sight.time, eyes)
            return eyes
        level = np.percentile(np.array(self._measured), _OPEN_PERCENT, axis=0)
        share = float((np.array(eyes) / np.maximum(level, _NO_EYE)).max())
        opened = share >= self._settings.blink_recovery
        if not opened and (seen := self._no_more_than_noise(sight, share)) is not None:
            self._blinks.note(sight.time, seen)
            return seen
        if opened:
            self._correct(sight, eyes)
        else:
            self._fall.add(sight, eyes)
        self._blinks.note(sight.time, eyes)
        self._known.remember_eyes(sight.patches, eyes, opened=opened)
        if not opened:
            self._blinks.saw_shut()
        return eyes

    def add_unmeasured(self, sight: EyeSight) -> EyeRatios | None:
        """Add a frame whose eyes were not measured.

        Returns:
            The ratios that were measured in an earlier frame whose eyes look the same; ``None`` if no eyes
            so far do.
        """
        if sight.eyes is not None:
            self._fall.add(sight, sight.eyes)
            self._blinks.note(sight.time, sight.eyes)
        return sight.eyes

    def corrections(self) -> Mapping[float, EyeRatios]:
        """Return the eyes of earlier frames, by time, that were corrected since the last call."""
        found, self._corrections = self._corrections, {}
        return found

    def _correct(self, sight: EyeSight, eyes: EyeRatios) -> None:
        """Correct the shut eyes of earlier frames that look the same as these open ones."""
        for mistaken in self._fall.end(sight):
            self._corrections[mistaken.time] = eyes
            self._blinks.correct(mistaken.time, eyes)
            self._known.discard(mistaken.patches)

    def _turns(self, points: Points) -> bool:
        """Return whether the five points show the head turned away from its median pose."""
        across = points[1] - points[0]
        nose = float((points[2] - points[0]) @ across) / max(float(across @ across), 1.0)
        self._noses.append(nose)
        return abs(nose - float(np.median(self._noses))) > _TURNED

    def _no_more_than_noise(self, sight: EyeSight, share: float) -> EyeRatios | None:
        """Return the ratios of open eyes if these measure as shut only by noise; ``None`` otherwise.

        Args:
            share: The ratio of the eye that is more open, as a share of its open level.
        """
        if sight.turned and share >= _TURNED_DEPTH and self._known.open is not None:
            return self._known.open
        return self._known.nearly_identical_open(sight.patches)
