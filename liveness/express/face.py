"""The signals of the face itself: blinks, open eyes, sharpness, pose, and size in the frame."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liveness.express.settings import ExpressSettings
from liveness.extent import face_extent
from liveness.observation import ScanObservations
from liveness.verdict import NamedSignal, Signal, score_against_line

_FEWEST_FRAMES = 8
_BLINK_SCORE = 0.95
_JITTER_MULTIPLE = 5.0
"""The least fall of closed eyes, in multiples of the median change between frames. That median is 0 if most
frames reuse the ratios of an earlier, similar frame (``liveness.eye_watch``). Leaving those frames out would
lose the blinks of 8 of the 19 live scans with blinks, out of 50 live scans."""

_MOST_A_SECOND = 1.5
"""The most blinks per second, on average. More falls than that are noise of the landmarks."""
_OPEN_PERCENT = 75
"""The percentile of an eye's aspect ratios that is its open level. Blinks and downward looks lie below it."""


class Blink(NamedSignal):
    """A short fall and recovery of both eyes' aspect ratio (Soukupova and Cech, CVWW 2016).

    Each eye is compared with its own open level, so that narrow eyes blink, too.

    People blink every 3 to 6 seconds. A short scan without a blink therefore proves nothing, and the signal
    is not assessed.
    """

    name = "blink"
    label = "Blinks"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without dense landmarks."""
        seen = [(frame.capture_time, frame.eyes) for frame in scan.usable if frame.eyes is not None]
        if len(seen) < _FEWEST_FRAMES:
            return self.unknown(
                "No frame shows eyes, or the pack has no eye outlines."
                if not seen
                else "The eyes were measured in too few frames."
            )
        times, eyes = [time for time, _ in seen], [pair for _, pair in seen]
        if _open_level(eyes).min() < settings.eyes_shut_level:
            return self.unknown("The eyes were not open long enough to measure a blink.")
        blinks = count_blinks(times, eyes, settings)
        if blinks == 0:
            return self.unknown(
                f"No blink in {times[-1] - times[0]:.1f} s, which proves nothing in so short a time."
            )
        return self.scored(
            _BLINK_SCORE, f"{blinks} {'blink' if blinks == 1 else 'blinks'} in {times[-1] - times[0]:.1f} s."
        )


def count_blinks(
    times: Sequence[float], eyes: Sequence[tuple[float, float]], settings: ExpressSettings
) -> int:
    """Return how often both eyes close, and open again within ``longest_blink``.

    Args:
        times: Capture times of the frames, seconds, increasing.
        eyes: Eye aspect ratios (left, right) of the same frames.
        settings: How far the ratios must fall and recover, and the longest time between.

    Returns:
        The number of blinks; 0 if there are too few frames, if the eyes were not open long enough, or if the
        ratios fall so often that they are noise.
    """
    if len(eyes) < _FEWEST_FRAMES:
        return 0
    level = _open_level(eyes)
    if level.min() < settings.eyes_shut_level:
        return 0
    both = (np.array(eyes) / level).max(axis=1)
    jitter = float(np.median(np.abs(np.diff(both))))
    closed_below = min(settings.blink_depth, 1 - _JITTER_MULTIPLE * jitter)
    blinks = 0
    open_at: float | None = None
    fell = False
    for time, value in zip(times, both.tolist(), strict=True):
        if value >= settings.blink_recovery:
            if fell and open_at is not None and time - open_at <= settings.longest_blink:
                blinks += 1
            open_at, fell = time, False
        elif value < closed_below:
            fell = True
    return 0 if blinks > _MOST_A_SECOND * max(1.0, times[-1] - times[0]) else blinks


def _open_level(eyes: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Return the aspect ratio of each open eye."""
    level: NDArray[np.float64] = np.percentile(np.array(eyes), _OPEN_PERCENT, axis=0)
    return level


class EyesOpen(NamedSignal):
    """The share of the frames with open eyes. A person who sleeps or is unconscious does not consent."""

    name = "eyes_open"
    label = "Eyes open"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without dense landmarks."""
        values = [frame.eyes_open for frame in scan.usable if frame.eyes_open is not None]
        if not values:
            return self.unknown("No frame shows eyes, or the pack has no eye outlines.")
        share = float(np.mean([value >= settings.eyes_shut_level for value in values]))
        return self.scored(share, f"The eyes are open in {100 * share:.0f} % of the frames.")


_SHARPNESS_STEEPNESS = 1.5
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Sharpness(NamedSignal):
    """The median sharpness of the face over the scan. Small prints and recaptured screens are soft."""

    name = "sharpness"
    label = "Sharp"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        values = [frame.sharpness for frame in scan.usable if frame.sharpness is not None]
        if not values:
            return self.unknown("No frame shows exactly one face.")
        typical = float(np.median(values))
        return self.scored(
            score_against_line(typical, settings.sharpness_line, _SHARPNESS_STEEPNESS),
            f"Sharpness of the face {typical:.0f}; {settings.sharpness_line:.0f} is enough.",
        )


class HeadPoseSignal(NamedSignal):
    """The median yaw and pitch over the scan. The score is 1 if frontal, 0.5 at the limit, 0 at twice it."""

    name = "head_pose"
    label = "Looks at the camera"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        poses = [frame.pose for frame in scan.usable if frame.pose is not None]
        if not poses:
            return self.unknown("No frame shows exactly one face.")
        yaw = float(np.median([abs(pose.yaw) for pose in poses]))
        pitch = float(np.median([abs(pose.pitch) for pose in poses]))
        worst = max(yaw / settings.largest_yaw, pitch / settings.largest_pitch)
        return self.scored(
            1 - worst / 2, f"The head is turned by {yaw:.0f} and tilted by {pitch:.0f} degrees."
        )


_AREA_STEEPNESS = 3.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class FaceArea(NamedSignal):
    """The median share of the frame that the face fills. In a recaptured photo the face is small."""

    name = "face_area"
    label = "Face fills the frame"

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """See ``ExpressSignal.assess``."""
        shares = []
        for frame in scan.usable:
            if frame.face is not None:
                extent = face_extent(frame.face)
                shares.append(extent.width * extent.height / (frame.width * frame.height))
        if not shares:
            return self.unknown("No frame shows exactly one face.")
        share = float(np.median(shares))
        large_enough = score_against_line(share, settings.smallest_area, _AREA_STEEPNESS)
        small_enough = 1 - score_against_line(share, settings.largest_area, _AREA_STEEPNESS)
        return self.scored(
            min(large_enough, small_enough), f"The face fills {100 * share:.0f} % of the frame."
        )
