from dataclasses import replace

import pytest

from liveness.dynamic.movement.came_closer import ApproachKind, classify_approach
from liveness.dynamic.movement.perspective import PerspectiveFinding
from tests.liveness.dynamic.movement.perspectives import FILM, FLAT, HEAD, SETTINGS, SHEET


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (HEAD, ApproachKind.HEAD),
        (FLAT, ApproachKind.PICTURE),
        (SHEET, ApproachKind.PICTURE),
        (FILM, ApproachKind.PICTURE),
        (replace(FLAT, growth=1.3), ApproachKind.UNSURE),
        (replace(FLAT, expected=0.9), ApproachKind.UNSURE),
        (replace(FLAT, clarity=1.1), ApproachKind.UNSURE),
        (replace(HEAD, curved_clarity=2.0), ApproachKind.UNSURE),
        (replace(HEAD, curved=0.25), ApproachKind.UNSURE),
        (replace(HEAD, depth=0.6), ApproachKind.UNSURE),
        (replace(HEAD, error=0.4), ApproachKind.UNSURE),
        (None, ApproachKind.UNSURE),
    ],
    ids=[
        "head",
        "flat",
        "bent sheet",
        "film of a head",
        "hardly grew",
        "a still head would not show either",
        "a little relief",
        "curved by chance",
        "hardly curved",
        "little perspective",
        "unsure perspective",
        "nothing",
    ],
)
def test_only_a_certain_measurement_is_called_head_or_flat(
    seen: PerspectiveFinding | None, expected: ApproachKind
) -> None:
    came = classify_approach(seen, SETTINGS.came_closer)
    assert came.kind is expected
    assert came.detail.endswith(".")
