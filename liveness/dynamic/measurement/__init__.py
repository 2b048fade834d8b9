"""Measurement of the screen's light on the face, by frame, step, place and time.

Start with ``sampling.sample_light``, which reduces a frame's light to a few hundred numbers. ``track``
collects them and aligns them with the steps that were shown, ``response`` fits the face's response to the
colours, and ``lag`` measures its delay. Each of the other modules derives one signal from that response;
``surface`` has the four that depend on each other. No module of this package makes a judgement.
"""

from liveness.dynamic.measurement.brightness import expected_response, scene_lux
from liveness.dynamic.measurement.lag import measure_lag
from liveness.dynamic.measurement.response import StepAnswer, fit_response
from liveness.dynamic.measurement.sampling import sample_light
from liveness.dynamic.measurement.track import (
    Appearance,
    FlashTrack,
    Sent,
    TrackView,
    appearances,
    fit_drift,
    light_at,
)

__all__ = [
    "Appearance",
    "FlashTrack",
    "Sent",
    "StepAnswer",
    "TrackView",
    "appearances",
    "expected_response",
    "fit_drift",
    "fit_response",
    "light_at",
    "measure_lag",
    "sample_light",
    "scene_lux",
]
