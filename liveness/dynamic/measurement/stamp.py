"""The earliest lag that a frame's time stamp explains.

The device protocol defines a frame's capture time as the start of the exposure of its first row. The frame
shows later light: the middle of the exposure of the face's rows is half of the exposure and up to the whole
read-out later. On an honest device, the face therefore seems to respond early by as much. Other devices stamp
the middle of the exposure, or the arrival at the app, and seem to respond later. No frame shows which
convention a device follows, so all of them are accepted.

The exposure and the read-out are the device's claims. Neither can be longer than the time between two frames,
which limits what a false claim can gain. If a device states none, this longest time is assumed.
"""

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.measurement.track import TrackView

__all__ = ["earliest_lag"]


def earliest_lag(track: TrackView, *, margin: float) -> float:
    """Returns the lag below which the response came before the colour, seconds; negative.

    Args:
        track: The scan's light.
        margin: How much earlier a measured lag may be than the time stamp explains, seconds.
    """
    frame = track.frame_seconds
    exposure, readout = _longest(track.exposure, frame), _longest(track.readout, frame)
    # ``light_at`` blurs a change over the frame that follows it, so a lag of 0 is half a frame late.
    return -(frame + exposure + readout) / 2 - margin


def _longest(stated: NDArray[np.float64], frame: float) -> float:
    """Returns the median of the stated times, or the time of a frame if it is shorter or none is stated."""
    known = stated[np.isfinite(stated)]
    return min(frame, float(np.median(known))) if len(known) else frame
