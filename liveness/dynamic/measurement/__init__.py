"""Measurement of the screen's light on the face, by frame, step, place and time.

Start with ``sampling.sample_frame``, which reduces a frame's light to a few hundred numbers. ``track``
collects them, ``course`` aligns them with the steps that were shown, ``response`` fits the face's response to
the colours, and ``lag`` measures its delay. Each of the other modules derives one signal from that response;
``surface`` combines the signals that depend on each other. No module of this package makes a judgement.
"""

from liveness.dynamic.measurement.age import answer_ages
from liveness.dynamic.measurement.background import BACKGROUND, BackgroundSettings
from liveness.dynamic.measurement.brightness import (
    expected_response,
    is_dim,
    lux_borne_out,
    read_exposure,
    scene_lux,
)
from liveness.dynamic.measurement.course import Appearance, Sent, appearances, light_at
from liveness.dynamic.measurement.doubt import may_be_noise
from liveness.dynamic.measurement.drift import fit_drift
from liveness.dynamic.measurement.freshness import (
    Freshness,
    FreshnessSettings,
    freshness_signal,
    measure_freshness,
)
from liveness.dynamic.measurement.glare import GLARE, GlareSettings
from liveness.dynamic.measurement.lag import LagFinding, LagSettings, find_lag, lag_signal, measure_lag
from liveness.dynamic.measurement.leaps import LeapSettings, find_leaps
from liveness.dynamic.measurement.overlay import OVERLAY, OverlaySettings
from liveness.dynamic.measurement.response import Response, ResponseSettings, StepAnswer, fit_response
from liveness.dynamic.measurement.sampling import sample_frame
from liveness.dynamic.measurement.shape import SHAPE, ShapeSettings
from liveness.dynamic.measurement.stamp import earliest_lag
from liveness.dynamic.measurement.surface import Surface, SurfaceSettings, measure_surface
from liveness.dynamic.measurement.track import FlashTrack, TrackView

__all__ = [
    "BACKGROUND",
    "GLARE",
    "OVERLAY",
    "SHAPE",
    "Appearance",
    "BackgroundSettings",
    "FlashTrack",
    "Freshness",
    "FreshnessSettings",
    "GlareSettings",
    "LagFinding",
    "LagSettings",
    "LeapSettings",
    "OverlaySettings",
    "Response",
    "ResponseSettings",
    "Sent",
    "ShapeSettings",
    "StepAnswer",
    "Surface",
    "SurfaceSettings",
    "TrackView",
    "answer_ages",
    "appearances",
    "earliest_lag",
    "expected_response",
    "find_lag",
    "find_leaps",
    "fit_drift",
    "fit_response",
    "freshness_signal",
    "is_dim",
    "lag_signal",
    "light_at",
    "lux_borne_out",
    "may_be_noise",
    "measure_freshness",
    "measure_lag",
    "measure_surface",
    "read_exposure",
    "sample_frame",
    "scene_lux",
]
