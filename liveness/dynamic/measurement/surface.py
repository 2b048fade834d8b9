"""The surface under the screen's light: four signals that are measured together and depend on each other."""

from collections.abc import Sequence
from dataclasses import dataclass

from liveness.dynamic.measurement.background import BackgroundSettings, background_signal, measure_background
from liveness.dynamic.measurement.cells import read_cells
from liveness.dynamic.measurement.course import Appearance
from liveness.dynamic.measurement.glare import GlareSettings, glare_signal, measure_glare
from liveness.dynamic.measurement.overlay import OverlaySettings, measure_overlay, overlay_signal
from liveness.dynamic.measurement.response import Response
from liveness.dynamic.measurement.shape import ShapeSettings, measure_shape, shape_signal
from liveness.dynamic.measurement.track import TrackView
from liveness.dynamic.sample import FlashSample
from liveness.signal import Signal, not_assessed

__all__ = ["Surface", "SurfaceSettings", "measure_surface"]


@dataclass(frozen=True, slots=True)
class SurfaceSettings:
    """The lines of the four signals."""

    shape: ShapeSettings
    overlay: OverlaySettings
    glare: GlareSettings
    background: BackgroundSettings


@dataclass(frozen=True, slots=True)
class Surface:
    """The signals of the surface under the light, and of the background.

    Attributes:
        shape: See ``liveness.dynamic.measurement.shape``.
        overlay: See ``liveness.dynamic.measurement.overlay``.
        glare: See ``liveness.dynamic.measurement.glare``.
        background: See ``liveness.dynamic.measurement.background``.
    """

    shape: Signal
    overlay: Signal
    glare: Signal
    background: Signal


def measure_surface(
    samples: Sequence[FlashSample],
    track: TrackView,
    shown: Sequence[Appearance],
    response: Response | None,
    *,
    lag: float | None,
    settings: SurfaceSettings,
) -> Surface:
    """Measures the four signals; none is assessed without a response and a lag.

    Args:
        samples: The frames of ``track``, one for each of its rows.
        track: The scan's light.
        shown: The steps on the screen.
        response: The response of the whole face; ``None`` if there is no reliable one.
        lag: The face's delay after the screen, seconds; ``None`` if none stands out.
        settings: Lines.
    """
    shape = overlay = glare = behind = None
    if response is not None and lag is not None:
        cells = read_cells(samples, track, shown, lag=lag)
        if cells is not None:
            shape = measure_shape(cells, response)
            overlay = measure_overlay(samples, track, cells)
            glare = None if shape is None else measure_glare(cells, shape)
        behind = measure_background(track, shown, response, lag=lag)
    strength = 0.0 if response is None else response.strength
    shaped = shape_signal(shape, strength, settings.shape)
    laid_over = overlay_signal(overlay, strength, settings.overlay, behind=behind)
    background = background_signal(behind, strength, settings.background)
    return Surface(
        shape=shaped,
        overlay=laid_over,
        glare=glare_signal(glare, settings.glare),
        background=_unless_a_wall(background, shaped, laid_over),
    )


def _unless_a_wall(background: Signal, shaped: Signal, laid_over: Signal) -> Signal:
    """Returns the background's signal. Behind a face's shape, a strong response is that of a near wall."""
    if shaped.passed and laid_over.passed is not False and background.passed is False:
        reason = f"{background.detail}: there is a wall right behind the head, because the shape is a face's"
        return not_assessed(name=background.name, label=background.label, reason=reason)
    return background
