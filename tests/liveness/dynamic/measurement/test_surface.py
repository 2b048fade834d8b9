"""The lit surface, with all signals together; each signal also has separate tests."""

import math

import pytest

from liveness.dynamic.measurement.course import Sent, appearances
from liveness.dynamic.measurement.lag import measure_lag
from liveness.dynamic.measurement.response import fit_response
from liveness.dynamic.measurement.surface import Surface, measure_surface
from liveness.dynamic.measurement.track import FlashTrack
from liveness.dynamic.model import load_flash_model
from tests.liveness.dynamic.flash_scans import judged, rendered
from tests.liveness.dynamic.synthetic import RenderedKind
from tests.sampling import some_fast


def _measured(kind: RenderedKind, *, answered: bool = True) -> Surface:
    scan, model, track = rendered(kind), load_flash_model(), FlashTrack()
    closed = scan.sent[-1].at
    waiting, sent, taken = list(scan.sent), [], []
    for sample in scan.samples:
        if sample.arrival_time > closed:
            break
        while waiting and sample.arrival_time > waiting[0].at:
            one = waiting.pop(0)
            sent.append(Sent(one.step, one.at, track.latest_capture))
        if track.add(sample):
            taken.append(sample)
    sent.extend(Sent(one.step, one.at, track.latest_capture) for one in waiting)
    view = track.view()
    shown = appearances(view, sent)
    lag, _ = measure_lag(view, shown)
    response = fit_response(view, shown, lag=lag or math.nan, settings=model.response)
    return measure_surface(
        taken, view, shown, response if answered else None, lag=lag, settings=model.surface
    )


@pytest.mark.parametrize(
    "kind", some_fast([RenderedKind.GENUINE, RenderedKind.PRINT, RenderedKind.GLASS], step=3)
)
def test_the_surface_equals_that_of_the_judge(kind: RenderedKind) -> None:
    surface = _measured(kind)
    seen = {signal.name: signal.score for signal in judged(kind).signals}
    for signal in (surface.shape, surface.overlay, surface.glare, surface.background):
        assert signal.score == seen[signal.name]


def test_a_face_and_a_sheet_and_glass_are_reported() -> None:
    face, sheet, glass = (
        _measured(kind) for kind in (RenderedKind.GENUINE, RenderedKind.PRINT, RenderedKind.GLASS)
    )
    assert face.shape.passed
    assert sheet.shape.passed is False
    assert glass.glare.passed is False


def test_without_an_answer_no_surface_is_measured() -> None:
    surface = _measured(RenderedKind.GENUINE, answered=False)
    assert not any(
        one.assessed for one in (surface.shape, surface.overlay, surface.glare, surface.background)
    )
