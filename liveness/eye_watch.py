"""When the eyes must be measured, and what they measured last where they still look the same.

Landmarks cost more than everything else that a followed frame needs. Between two measurements eyes mostly
look as they did, and then they measure what they measured: patches around both eyes, cut out upright and at
a fixed size, are compared with those of the last measured frames. Where neither eye matches, something
happened (a blink, a glance, a turn), and the eyes are measured, as far as a budget allows. Now and then shut
eyes look like open ones to it, so where a person was asked to blink the eyes of every frame are measured.

Landmarks have noise, of narrow eyes in the dark as much as half a blink. A picture does not change by it:
what measures as shut, and looks just as the open eyes did, is taken for these. Where the head is turned both
change, without any blink: there only eyes that fall far are taken for shut.
"""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.express.blink import count_blinks
from liveness.express.settings import ExpressSettings
from liveness.observation import GreyView
from vision.face import DetectedFace, Points

EyeRatios = tuple[float, float]
"""Eye aspect ratios (left, right) of the image."""

_Eyes = tuple[GreyView, GreyView]
"""Patches of the left and the right eye."""

_PATCH_WIDTH, _PATCH_HEIGHT = 28, 18
_PLAY = 4
"""Pixels of a patch by which eyes may have moved on the face, or the face been followed wrongly."""

_EYE_SHARE = 0.75
"""Width of a patch over the distance between the eyes."""

_ALIKE = 0.9
"""Correlation from which an eye looks as it did. On 51 scans of 24 clips: where eyes stay open it is 0.93
to 0.99 in the median (0.82 where faces grimace), where they are shut mostly 0.4 to 0.85."""

_LOOKS_OPEN = 0.97
"""Correlation of the eye that looks more as it did from which eyes are not shut, whatever they measure. In
37 simulated scans, in the dark and indoors, in which people blinked, the frame of a blink that looks least
like open eyes is at 0.21 to 0.96; what landmarks once made of a rigid mask's open eyes was at 0.98."""

_TURNED = 0.11
"""How far the nose is, in distances between the eyes and along their line, from where it mostly was, from
which on the head is turned (some 8 degrees); and :data:`_TURNED_DEPTH`, the share of the open level below
which eyes are shut there. Of 113 blinks in simulated scans, in the dark and indoors, four were of a turned
head, and these fell to 0.09 to 0.44; landmarks made 0.68 to 0.79 of the open eyes of masks that turned."""
_TURNED_DEPTH = 0.5

_NO_EYE = 1e-6
"""Eye aspect ratio; less is none, whatever the landmarks say."""

_PLAIN = 2.0
"""Standard deviation, grey levels, of a patch that shows nothing; everything would look like it."""

_REMEMBERED = 3
_MEASURE_SECONDS = 1.2
"""Eyes that look the same all the time are measured this often: looks may drift."""
_SAME = 0.98
_SAME_SECONDS = 2.0
"""From this correlation on nothing has drifted yet, and eyes are measured this often. Of the blinks that two
packs see in 50 pieces of live clips, 43 in all, that costs none; from 0.97 on it would cost 3, and measuring
every 1.5 seconds however alike 6."""

_SPARE = 4.0
_SPARE_A_SECOND = 1.5
"""Measurements beside the regular ones: at first, and for each second that passed. On the 51 scans above
26 blinked when every frame of 8 a second was measured, and 23 with a quarter of the measurements; more
spare ones found no more of them."""
_OPEN_PERCENT = 75
"""Percentile of an eye's aspect ratios that is its open level, as ``express.blink`` has it."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeSight:
    """The eyes of one frame before they are measured.

    Attributes:
        time: When the frame was captured, seconds.
        patches: The left and the right eye, grey.
        turned: Whether the head is turned away from how it mostly was.
        eyes: What they measured when they looked the same; ``None`` where they look unlike that.
        worth: Whether they should be measured now.
    """

    time: float
    patches: _Eyes
    turned: bool
    eyes: EyeRatios | None
    worth: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Remembered:
    patches: _Eyes
    eyes: EyeRatios
    opened: bool


class EyeWatch:
    """Watches the eyes of one attempt. Takes frames in order; belongs to one attempt."""

    def __init__(self, settings: ExpressSettings | None = None) -> None:
        """Starts with nothing measured.

        Args:
            settings: What counts as a blink; after the first one, only the regular measurements go on, as
                one is all that the scan is asked for.
        """
        self._settings = ExpressSettings() if settings is None else settings
        self._remembered: deque[_Remembered] = deque(maxlen=_REMEMBERED)
        self._open: _Remembered | None = None
        self._measured: list[EyeRatios] = []
        self._times: list[float] = []
        self._eyes: list[EyeRatios] = []
        self._noses: list[float] = []
        self._began: float | None = None
        self._due = -np.inf
        self._spent = 0
        self._shut_seen = False
        self._blinked = False
        self._counted = 0

    @property
    def blinked(self) -> bool:
        """Whether a blink was seen, by all frames so far, as ``liveness.express.blink`` will count it.

        What looked like one after a few frames may be no more than the landmarks' noise after many.
        """
        if self._blinked and self._counted < len(self._eyes):
            self._counted = len(self._eyes)
            self._blinked = count_blinks(self._times, self._eyes, self._settings) > 0
        return self._blinked

    def see(
        self,
        grey: GreyView,
        face: DetectedFace,
        time: float,
        *,
        looked: bool,
        expected: bool = False,
    ) -> EyeSight:
        """Compares the eyes of a frame with those that were measured.

        Args:
            grey: The whole upright frame, grey.
            face: Where the face is, frame pixels.
            time: When the frame was captured, seconds.
            looked: Whether a detector found the face here, which regular measurements wait for.
            expected: Whether a blink was asked for: then none may be missed, and every frame is worth it.
        """
        self._began = time if self._began is None else self._began
        patches = _patch(grey, face.five_points, 0), _patch(grey, face.five_points, 1)
        turned = self._turns(face.five_points)
        eyes, alike = self._looked_so_before(patches)
        due = self._due + (_SAME_SECONDS - _MEASURE_SECONDS if alike >= _SAME else 0.0)
        if expected or (looked and time >= due):
            return EyeSight(time, patches, turned, eyes, worth=True)
        unlike = eyes is None and not self._blinked
        allowed = self._spent < _SPARE + _SPARE_A_SECOND * (time - self._began)
        return EyeSight(time, patches, turned, eyes, worth=unlike and allowed)

    def measured(self, sight: EyeSight, eyes: EyeRatios | None) -> EyeRatios | None:
        """Takes what the landmarks say of a frame; ``None`` where they see no face.

        Returns:
            ``eyes``; those of an open look where these are no more than noise.
        """
        if sight.time >= self._due:
            self._due = sight.time + _MEASURE_SECONDS
        else:
            self._spent += 1
        if eyes is None:
            return None
        self._measured.append(eyes)
        if min(float(_inner(patch).std()) for patch in sight.patches) < _PLAIN:
            self._note(sight.time, eyes)
            return eyes
        level = np.percentile(np.array(self._measured), _OPEN_PERCENT, axis=0)
        share = float((np.array(eyes) / np.maximum(level, _NO_EYE)).max())
        opened = share >= self._settings.blink_recovery
        if not opened and (seen := self._no_more_than_noise(sight, share)) is not None:
            self._note(sight.time, seen)
            return seen
        self._note(sight.time, eyes)
        remembered = _Remembered(sight.patches, eyes, opened)
        self._remembered.append(remembered)
        if opened:
            self._open = remembered
        else:
            self._shut_seen = True
        return eyes

    def unmeasured(self, sight: EyeSight) -> EyeRatios | None:
        """Takes a frame that was not measured.

        Returns:
            What its eyes measure as far as is known.
        """
        if sight.eyes is not None:
            self._note(sight.time, sight.eyes)
        return sight.eyes

    def _note(self, time: float, eyes: EyeRatios) -> None:
        self._times.append(time)
        self._eyes.append(eyes)
        # Only what was measured can show shut eyes, and most of the time nothing was since.
        if not self._blinked and self._shut_seen:
            self._blinked = count_blinks(self._times, self._eyes, self._settings) > 0
            self._counted = len(self._eyes)

    def _looked_so_before(self, patches: _Eyes) -> tuple[EyeRatios | None, float]:
        """What eyes that looked the same measured, and how much alike they look, 0 to 1."""
        for one in self._known():
            # One eye that is as open as before is no blink; shut eyes are shut only if both are.
            alike = (_likest if one.opened else _least_like)(one.patches, patches)
            if alike >= _ALIKE:
                return one.eyes, alike
        return None, 0.0

    def _turns(self, points: Points) -> bool:
        """Whether the head is turned away from how it mostly was, as far as its five points tell."""
        across = points[1] - points[0]
        nose = float((points[2] - points[0]) @ across) / max(float(across @ across), 1.0)
        self._noses.append(nose)
        return abs(nose - float(np.median(self._noses))) > _TURNED

    def _no_more_than_noise(self, sight: EyeSight, share: float) -> EyeRatios | None:
        """What open eyes measured, where these measure as shut and are not; ``None`` where they may be.

        Args:
            sight: The eyes.
            share: Of the open level, of the eye that is more open.
        """
        if sight.turned and share >= _TURNED_DEPTH and self._open is not None:
            return self._open.eyes
        return self._looks_open(sight.patches)

    def _looks_open(self, patches: _Eyes) -> EyeRatios | None:
        """What the open eyes measured that look just like these; ``None`` where none do."""
        for one in self._known():
            if one.opened and _likest(one.patches, patches) >= _LOOKS_OPEN:
                return one.eyes
        return None

    def _known(self) -> list[_Remembered]:
        """The latest first, and open eyes in any case, where some were seen."""
        known = list(reversed(self._remembered))
        if self._open is not None and self._open not in known:
            known.append(self._open)
        return known


def _patch(grey: GreyView, points: Points, eye: int) -> GreyView:
    """One eye, upright and at a fixed size, with some play around it."""
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
    """A patch without the play around it: what is looked for in another."""
    return patch[_PLAY:-_PLAY, _PLAY:-_PLAY]


def _likest(seen: _Eyes, now: _Eyes) -> float:
    """Correlation of the eye that looks more as it did."""
    return max(_alike(before, after) for before, after in zip(seen, now, strict=True))


def _least_like(seen: _Eyes, now: _Eyes) -> float:
    """Correlation of the eye that looks less as it did."""
    return min(_alike(before, after) for before, after in zip(seen, now, strict=True))


def _alike(seen: GreyView, now: GreyView) -> float:
    """Correlation of an eye with how it looked, where it fits best in the later patch."""
    return float(cv2.matchTemplate(now, _inner(seen), cv2.TM_CCOEFF_NORMED).max())
