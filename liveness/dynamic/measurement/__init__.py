"""Measurement of the screen's light on the face, by frame, step, place and time.

Start with ``sampling.sample_frame``, which reduces a frame's light to a few hundred numbers. ``track``
collects them and aligns them with the steps that were shown, ``response`` fits the face's response to the
colours, and ``lag`` measures its delay. Each of the other modules derives one signal from that response;
``surface`` has the four that depend on each other. No module of this package makes a judgement.
"""

from liveness.dynamic.measurement.brightness import (
    expected_response,
    is_dim,
    lux_borne_out,
    read_exposure,
    scene_lux,
)
from liveness.dynamic.measurement.freshness import (
    Freshness,
    FreshnessSettings,
    LeapSettings,
    answer_ages,
    find_leaps,
    freshness_signal,
    measure_freshness,
)
from liveness.dynamic.measurement.lag import (
    LagFinding,
    LagSettings,
    earliest_lag,
    find_lag,
    lag_signal,
    measure_lag,
)
from liveness.dynamic.measurement.response import Response, ResponseSettings, StepAnswer, fit_response
from liveness.dynamic.measurement.sampling import sample_frame
from liveness.dynamic.measurement.surface import (
    BACKGROUND,
    GLARE,
    OVERLAY,
    SHAPE,
    BackgroundSettings,
    GlareSettings,
    OverlaySettings,
    ShapeSettings,
    Surface,
    SurfaceSettings,
    may_be_noise,
    measure_surface,
)
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
