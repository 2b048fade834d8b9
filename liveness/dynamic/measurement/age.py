"""The age of each answer: the time from sending a colour to the arrival of the first frame that shows it.

Both times are the server's. The device's clock only orders the frames: it states between which of them the
face changed, which the frames themselves show. A device that claims other times, for its frames or for the
appearance of a colour, therefore does not make an answer younger.
"""

from collections.abc import Sequence

import numpy as np

from liveness.dynamic.measurement.course import Appearance, Sent
from liveness.dynamic.measurement.track import TrackView

__all__ = ["answer_ages"]


def answer_ages(
    track: TrackView, sent: Sequence[Sent], shown: Sequence[Appearance], *, lag: float, round_trip: float
) -> dict[int, float]:
    """Returns the age of the answer to each coloured step, without the stream's round trip.

    Args:
        track: The scan's light, and when its frames arrived.
        sent: The steps that were sent.
        shown: The steps on the screen.
        lag: The lag of the face after them, seconds.
        round_trip: The most of the round trip that is subtracted, seconds.

    Returns:
        Seconds, by the step's number; without the steps that no frame shows.
    """
    times = {one.step.number: one.at for one in sent}
    network = min(track.round_trip, round_trip)
    ages: dict[int, float] = {}
    for one in shown:
        row = int(np.searchsorted(track.times, one.at + lag))
        if one.step.bits > 0 and one.step.number in times and row < len(track.times):
            ages[one.step.number] = float(track.arrivals[row]) - times[one.step.number] - network
    return ages
