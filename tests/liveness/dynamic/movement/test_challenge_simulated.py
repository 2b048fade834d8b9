"""The movement challenge with people and prints that the simulator renders."""

from pathlib import Path
from typing import Final

import pytest

from liveness.dynamic.challenge.actions import EndReason
from liveness.dynamic.movement.judge import judge_movement
from liveness.dynamic.policy import ChallengeFinding
from simulator.photo import Photo, builtin_photos
from tests.liveness.dynamic.movement.approach_scan import follow_ovals
from tests.liveness.dynamic.movement.perspectives import SETTINGS
from tests.packs import real_pack, shared_pack
from vision.packs.interfaces import FaceDetector

pytestmark = pytest.mark.slow

_SHOWN: Final[tuple[tuple[str, float | None, int], ...]] = (
    ("person", None, 0),
    ("person", None, 1),
    ("flat", 0.0, 0),
    ("bent", 0.06, 0),
)
"""The object that comes closer, the bend of a sheet, and the number of its scan."""


@pytest.fixture(scope="module")
def detector(assets: Path) -> FaceDetector:
    return shared_pack(f"insightface:{assets / 'models'}").detector


@pytest.fixture(scope="module")
def photos() -> dict[str, Photo]:
    pack = real_pack()
    return builtin_photos(detector=pack.detector, landmarker=pack.landmarker)


@pytest.mark.timeout(600)
def test_people_are_distinguished_from_prints_that_follow_as_well(
    photos: dict[str, Photo], detector: FaceDetector
) -> None:
    found: dict[str, list[ChallengeFinding]] = {"person": [], "flat": [], "bent": []}
    reasons: list[EndReason] = []
    for number, (name, photo) in enumerate(photos.items()):
        for kind, bend, turn in _SHOWN:
            seed, lens = 40 + number + 20 * turn, (48.0, 62.0)[number % 2]
            played = follow_ovals(photo, detector, bend=bend, seed=seed, field_of_view=lens)
            reasons.append(played.end.reason)
            assert played.seconds < 18
            result = judge_movement(played.challenge.record, played.scan, SETTINGS)
            print(f"{name:11} {kind:7} {played.seconds:.1f} s", result.finding, result.detail)
            for signal in result.signals[1:]:
                print("   ", signal.name, signal.score, signal.detail)
            found[kind].append(result.finding)
    assert reasons == [EndReason.PROVEN] * len(reasons)
    assert found["person"].count(ChallengeFinding.RIGHT) >= 4, "the others are asked to try again"
    assert ChallengeFinding.WRONG not in found["person"]
    assert ChallengeFinding.RIGHT not in found["flat"] + found["bent"]
    assert (found["flat"] + found["bent"]).count(ChallengeFinding.WRONG) >= 5


@pytest.mark.timeout(600)
def test_a_person_before_the_camera_of_a_laptop_is_measured(
    photos: dict[str, Photo], detector: FaceDetector
) -> None:
    frame, lens = (1066, 600), 70.0
    found = []
    for seed in (40, 42):
        played = follow_ovals(
            photos["astronaut"], detector, bend=None, seed=seed, field_of_view=lens, frame=frame
        )
        assert played.end.reason is EndReason.PROVEN
        result = judge_movement(played.challenge.record, played.scan, SETTINGS)
        print(result.finding, result.detail)
        found.append(result.finding)
    assert ChallengeFinding.RIGHT in found
    assert ChallengeFinding.WRONG not in found
    flat = follow_ovals(photos["astronaut"], detector, bend=0.0, seed=40, field_of_view=lens, frame=frame)
    assert judge_movement(flat.challenge.record, flat.scan, SETTINGS).finding is ChallengeFinding.WRONG


def test_a_still_person_has_not_followed(photos: dict[str, Photo], detector: FaceDetector) -> None:
    played = follow_ovals(photos["astronaut"], detector, bend=0.0, seed=3, follows=False)
    assert played.end.reason is EndReason.NOT_FOLLOWED
    assert 2 <= played.hints <= 8
    assert judge_movement(played.challenge.record, played.scan, SETTINGS).finding is ChallengeFinding.ABSENT
