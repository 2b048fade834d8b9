"""Pose angles as a record codes them: one byte each, in steps of two degrees.

Source: ISO/IEC 19794-5:2005, 5.5.8 and 5.5.9; the 2011 edition uses the same codes. Yaw is positive if the
head is turned to the person's left, pitch if the head looks down, and roll if the head leans to the person's
right shoulder.
"""

import math
from dataclasses import dataclass
from typing import Final

from matcher.errors import RecordInvalid

__all__ = ["NO_POSE", "NO_POSE_CODE", "PoseCode", "PoseDegrees"]

_HALF: Final = 180
_LAST_POSITIVE: Final = 91
_LAST: Final = 181


@dataclass(frozen=True, slots=True)
class PoseDegrees:
    """A pose in degrees; None for an angle that the record does not give.

    Attributes:
        yaw: -180..180, even.
        pitch: -180..180, even.
        roll: -180..180, even.
        yaw_uncertainty: Expected error of the yaw, 0..180.
        pitch_uncertainty: Expected error of the pitch, 0..180.
        roll_uncertainty: Expected error of the roll, 0..180.
    """

    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None
    yaw_uncertainty: float | None = None
    pitch_uncertainty: float | None = None
    roll_uncertainty: float | None = None

    @property
    def given(self) -> bool:
        """True if at least one of the three angles is given."""
        return not (self.yaw is None and self.pitch is None and self.roll is None)


@dataclass(frozen=True, slots=True)
class PoseCode:
    """The six bytes of a pose, each 0..255: 0 unspecified, 182..255 reserved.

    Attributes:
        yaw: 1..91 stand for 0..180 degrees, 92..181 for -178..0.
        pitch: As yaw.
        roll: As yaw.
        yaw_uncertainty: 1..181 stand for 0..180 degrees.
        pitch_uncertainty: As of yaw.
        roll_uncertainty: As of yaw.
    """

    yaw: int = 0
    pitch: int = 0
    roll: int = 0
    yaw_uncertainty: int = 0
    pitch_uncertainty: int = 0
    roll_uncertainty: int = 0

    @property
    def degrees(self) -> PoseDegrees:
        """The angles; reserved codes give None."""
        return PoseDegrees(
            _angle(self.yaw),
            _angle(self.pitch),
            _angle(self.roll),
            _uncertainty(self.yaw_uncertainty),
            _uncertainty(self.pitch_uncertainty),
            _uncertainty(self.roll_uncertainty),
        )

    @property
    def reserved(self) -> bool:
        """True if one of the bytes is a reserved code."""
        uncertainties = (self.yaw_uncertainty, self.pitch_uncertainty, self.roll_uncertainty)
        return max(self.yaw, self.pitch, self.roll, *uncertainties) > _LAST

    @classmethod
    def of_degrees(cls, pose: PoseDegrees) -> "PoseCode":
        """Return the nearest code: angles are rounded to even degrees, uncertainties up to whole degrees.

        Raises:
            RecordInvalid: An angle is outside -180..180, or an uncertainty outside 0..180.
        """
        return cls(
            _angle_code("yaw", pose.yaw),
            _angle_code("pitch", pose.pitch),
            _angle_code("roll", pose.roll),
            _uncertainty_code("yaw", pose.yaw_uncertainty),
            _uncertainty_code("pitch", pose.pitch_uncertainty),
            _uncertainty_code("roll", pose.roll_uncertainty),
        )


NO_POSE: Final = PoseDegrees()
"""No angle is given."""
NO_POSE_CODE: Final = PoseCode()
"""The code of ``NO_POSE``."""


def _angle(code: int) -> float | None:
    if not 1 <= code <= _LAST:
        return None
    return 2.0 * (code - 1 if code <= _LAST_POSITIVE else code - _LAST)


def _uncertainty(code: int) -> float | None:
    return float(code - 1) if 1 <= code <= _LAST else None


def _angle_code(name: str, degrees: float | None) -> int:
    if degrees is None:
        return 0
    if not -_HALF <= degrees <= _HALF:
        raise RecordInvalid(f"the {name} is {degrees:g} degrees; a record holds -180 to 180")
    steps = round(degrees / 2)
    # -180 and 180 degrees are the same direction and have the same code.
    return steps + (1 if steps >= 0 else _LAST)


def _uncertainty_code(name: str, degrees: float | None) -> int:
    if degrees is None:
        return 0
    if not 0 <= degrees <= _HALF:
        raise RecordInvalid(f"the uncertainty of the {name} is {degrees:g} degrees; a record holds 0 to 180")
    return math.ceil(degrees) + 1
