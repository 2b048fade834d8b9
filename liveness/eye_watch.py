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

from dataclasses import dataclass

import numpy as np

from liveness.express.blink import count_blinks
from liveness.express.settings import ExpressSettings
from liveness.eye_looks import EyeRatios, Eyes, KnownEyes, cut_eyes, show_nothing
from liveness.observation import GreyView
from vision.face import DetectedFace, Points

__all__ = ["EyeRatios", "EyeSight", "EyeWatch"]

_TURNED = 0.11
"""How far the nose is, in distances between the eyes and along their line, from where it mostly was, from
which on the head is turned (some 8 degrees); and :data:`_TURNED_DEPTH`, the share of the open level below
which eyes are shut there. Of 113 blinks in simulated scans, in the dark and indoors, four were of a turned
head, and these fell to 0.09 to 0.44; landmarks made 0.68 to 0.79 of the open eyes of masks that turned."""
_TURNED_DEPTH = 0.5

_NO_EYE = 1e-6
"""Eye aspect ratio; less is none, whatever the landmarks say."""

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
    patches: Eyes
    turned: bool
    eyes: EyeRatios | None
    worth: bool


class _Blinks:
    """The blinks of the frames so far, by what their eyes measure as far as is known."""

    def __init__(self, settings: ExpressSettings) -> None:
        self._settings = settings
        self._times: list[float] = []
        self._eyes: list[EyeRatios] = []
        self._shut_seen = False
        self._found = False
        self._counted = 0

    @property
    def found(self) -> bool:
        """Whether one was found when they were last counted."""
        return self._found

    @property
    def stands(self) -> bool:
        """Whether one is there by all frames so far.

        What looked like one after a few frames may be no more than the landmarks' noise after many.
        """
        if self._found and self._counted < len(self._eyes):
            self._count()
        return self._found

    def note(self, time: float, eyes: EyeRatios) -> None:
        """Take the next frame's eyes."""
        self._times.append(time)
        self._eyes.append(eyes)
        # Only what was measured can show shut eyes, and most of the time nothing was since.
        if not self._found and self._shut_seen:
            self._count()

    def saw_shut(self) -> None:
        """Eyes were measured that are shut: from the next frame on there may be a blink."""
        self._shut_seen = True

    def _count(self) -> None:
        self._counted = len(self._eyes)
        self._found = count_blinks(self._times, self._eyes, self._settings) > 0


class _Budget:
    """When eyes are measured: regularly, and now and then in between."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._due = -np.inf
        self._spent = 0

    def begin(self, time: float) -> None:
        """Spare measurements are counted from the first frame on."""
        if self._began is None:
            self._began = time

    def due(self, time: float, *, alike: float) -> bool:
        """Whether a regular measurement is due.

        Args:
            time: Of the frame.
            alike: How much the eyes look as before, 0 to 1.
        """
        return time >= self._due + (_SAME_SECONDS - _MEASURE_SECONDS if alike >= _SAME else 0.0)

    def has_spare(self, time: float) -> bool:
        """Whether one in between is left."""
        began = time if self._began is None else self._began
        return self._spent < _SPARE + _SPARE_A_SECOND * (time - began)

    def measured(self, time: float) -> None:
        """Take that a frame was measured."""
        if time >= self._due:
            self._due = time + _MEASURE_SECONDS
        else:
            self._spent += 1


class EyeWatch:
    """Watches the eyes of one attempt. Takes frames in order; belongs to one attempt."""

    def __init__(self, settings: ExpressSettings | None = None) -> None:
        """Starts with nothing measured.

        Args:
            settings: What counts as a blink; after the first one, only the regular measurements go on, as
                one is all that the scan is asked for.
        """
        self._settings = ExpressSettings() if settings is None else settings
        self._known = KnownEyes()
        self._blinks = _Blinks(self._settings)
        self._budget = _Budget()
        self._measured: list[EyeRatios] = []
        self._noses: list[float] = []

    @property
    def blinked(self) -> bool:
        """Whether a blink was seen, by all frames so far, as ``liveness.express.blink`` will count it."""
        return self._blinks.stands

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
        self._budget.begin(time)
        patches = cut_eyes(grey, face.five_points)
        turned = self._turns(face.five_points)
        eyes, alike = self._known.alike(patches)
        if expected or (looked and self._budget.due(time, alike=alike)):
            return EyeSight(time, patches, turned, eyes, worth=True)
        unlike = eyes is None and not self._blinks.found
        return EyeSight(time, patches, turned, eyes, worth=unlike and self._budget.has_spare(time))

    def measured(self, sight: EyeSight, eyes: EyeRatios | None) -> EyeRatios | None:
        """Takes what the landmarks say of a frame; ``None`` where they see no face.

        Returns:
            ``eyes``; those of an open look where these are no more than noise.
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
        self._blinks.note(sight.time, eyes)
        self._known.remember(sight.patches, eyes, opened=opened)
        if not opened:
            self._blinks.saw_shut()
        return eyes

    def unmeasured(self, sight: EyeSight) -> EyeRatios | None:
        """Takes a frame that was not measured.

        Returns:
            What its eyes measure as far as is known.
        """
        if sight.eyes is not None:
            self._blinks.note(sight.time, sight.eyes)
        return sight.eyes

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
        if sight.turned and share >= _TURNED_DEPTH and self._known.open is not None:
            return self._known.open
        return self._known.look_open(sight.patches)
