"""What the screen's light does on the face: measured frame by frame, told by step, place and time.

Start with ``sampling.sample_frame``: a frame's light in a few hundred numbers. ``track`` collects them,
``course`` sets them against the steps that were shown, ``response`` fits how the face answers the colours and
``lag`` how late. Every other module asks one question of that answer and has a signal for it; ``surface``
puts those together that qualify each other. Nothing here decides.
"""

from liveness.dynamic.measurement.background import BACKGROUND, BackgroundSettings
from liveness.dynamic.measurement.brightness import (
    expected_response,
    is_dim,
    lux_borne_out,
    read_exposure,
    scene_lux,
)
from liveness.dynamic.measurement.course import Appearance, Sent, appearances, light_at
from liveness.dynamic.measurement.doubt import more_may_tell
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
from liveness.dynamic.measurement.surface import SurfaceSettings, measure_surface
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
    "SurfaceSettings",
    "TrackView",
    "appearances",
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
    "measure_freshness",
    "measure_lag",
    "measure_surface",
    "more_may_tell",
    "read_exposure",
    "sample_frame",
    "scene_lux",
]
