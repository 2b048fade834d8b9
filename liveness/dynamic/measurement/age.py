"""The age of each answer: the time from sending a colour to the arrival of the first frame that shows it.

Both times are the server's: when it hands the colour to the transport, and when it reads the frame from it.
Delays inside the server, before the one or after the other, do not count. Nor do delays that the device
cannot change: the network's time, and the time in which the device may not send the frame because the server
has not granted more credit.

The device's clock only orders the frames: it states between which of them the face changed, which the frames
themselves show. A device that claims other times, for its frames or for the appearance of a colour, therefore
does not make an answer younger.
"""

from collections.abc import Sequence

import numpy as np

from liveness.dynamic.measurement.course import Appearance, Sent
from liveness.dynamic.measurement.track import TrackView

__all__ = ["answer_ages"]


def answer_ages(
    track: TrackView, sent: Sequence[Sent], shown: Sequence[Appearance], *, lag: float, round_trip: float
) -> dict[int, float]:
    """Returns the age of the answer to each coloured step.

    It is the time from sending the step to the arrival of the first frame in which the face shows it, minus
    the measured round trip and wait for credit.

    Args:
        track: The scan's light, when its frames arrived, the measured round trip and the waits.
        sent: The steps that were sent.
        shown: The steps on the screen.
        lag: The face's delay after the screen, seconds. It selects the frame and is not subtracted.
        round_trip: The most that is subtracted for the round trip and the wait together, seconds. A device
            can lengthen both: it can delay all of its messages, and send frames until its credit is used up.

    Returns:
        Seconds, by the step's number; without the steps that no frame shows.
    """
    times = {one.step.number: one.at for one in sent}
    ages: dict[int, float] = {}
    for one in shown:
        row = int(np.searchsorted(track.times, one.at + lag))
        if one.step.bits > 0 and one.step.number in times and row < len(track.times):
            sent_at = times[one.step.number]
            since, until = track.waited[row].tolist()
            waited = max(0.0, until - max(since, sent_at)) if until > sent_at else 0.0
            ages[one.step.number] = (
                float(track.arrivals[row]) - sent_at - min(track.round_trip + waited, round_trip)
            )
    return ages
