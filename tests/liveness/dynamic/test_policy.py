import pytest

from liveness.dynamic.policy import BitFloor, DynamicPolicy
from liveness.errors import LivenessPolicyError


def test_the_floors_are_those_of_the_product() -> None:
    assert [floor.value for floor in BitFloor] == [10, 12, 16]
    assert DynamicPolicy().minimum_bits == BitFloor.STANDARD


@pytest.mark.parametrize(
    "changes",
    [
        {"minimum_bits": 9.9},
        {"minimum_bits": 20.1},
        {"minimum_bits": float("nan")},
        {"maximum_steps": 3},
        {"maximum_steps": 41},
        {"maximum_seconds": 2.0},
        {"maximum_seconds": float("inf")},
        {"light_patience_seconds": -1.0},
        {"blink_patience_seconds": 31.0},
        {"blink_patience_seconds": float("nan")},
        {"depth_patience_seconds": 31.0},
        {"depth_patience_seconds": -1.0},
    ],
)
def test_policies_that_contradict_themselves_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LivenessPolicyError):
        DynamicPolicy(**changes)  # type: ignore[arg-type]  # the class checks
