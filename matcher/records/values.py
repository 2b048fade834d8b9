"""The points, the pose, the time and the quality of a face, as records of ISO/IEC 19794-5 code them.

Sources: ISO/IEC 19794-5:2005, 5.5.8, 5.5.9 and 5.6, and :2011, 5.6; both editions use the same codes. The
names of the points of type 1 are those of ISO/IEC 14496-2 (MPEG-4), annex C; group 12 is from 19794-5. Left
and right are those of the person. A pose has one byte an angle, in steps of two degrees: yaw is positive if
the head is turned to the person's left, pitch if the head looks down, and roll if the head leans to the
person's right shoulder.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from matcher.errors import RecordInvalid
from matcher.records.codes import LandmarkType

MOST_LANDMARKS: Final = 1024
"""Limit of points in one face: the standards name about 150, dense meshes have 500."""
_LEFT_EYE: Final = 0xC1
_RIGHT_EYE: Final = 0xC2
EYE_CODES: Final = frozenset({_LEFT_EYE, _RIGHT_EYE})


@dataclass(frozen=True, slots=True)
class Landmark:
    """One point of the face.

    Attributes:
        type: A code of ``LandmarkType``, or a reserved one, 0..255.
        code: The group in the upper four bits and the point within it in the lower four, 0..255.
        x: Pixels from the left, 0..65535 (2011: for 3-D points in their own unit).
        y: Pixels from the top, 0..65535.
        z: Third coordinate of 3-D points; in a 2005 record two reserved bytes, kept unchanged.
    """

    type: int
    code: int
    x: int
    y: int
    z: int = 0

    @property
    def number(self) -> str:
        """The code as the standards print it, such as ``"12.1"``."""
        return f"{self.code >> 4}.{self.code & 0xF}"

    @property
    def name(self) -> str | None:
        """The name of the point; None if it has no name here."""
        return _MPEG_4_NAMES.get(self.code) if self.type == LandmarkType.MPEG_4 else None


@dataclass(frozen=True, slots=True)
class EyeCentres:
    """Positions of the eyes, in pixels from the top left corner of the stored image: (x, y).

    Attributes:
        left: The person's left eye (12.1), on the right of an image that is not mirrored.
        right: The person's right eye (12.2).
    """

    left: tuple[int, int]
    right: tuple[int, int]


def eye_centres(landmarks: Iterable[Landmark]) -> EyeCentres | None:
    """Return the points 12.1 and 12.2; None unless both are given. Of repeated points the last counts."""
    found = {
        point.code: (point.x, point.y)
        for point in landmarks
        if point.type == LandmarkType.MPEG_4 and point.code in EYE_CODES
    }
    return EyeCentres(found[_LEFT_EYE], found[_RIGHT_EYE]) if len(found) == 2 else None


def eye_landmarks(eyes: EyeCentres) -> tuple[Landmark, Landmark]:
    """Return the points 12.1 and 12.2."""
    return (
        Landmark(LandmarkType.MPEG_4, _LEFT_EYE, *eyes.left),
        Landmark(LandmarkType.MPEG_4, _RIGHT_EYE, *eyes.right),
    )


_MPEG_4_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x21: "bottom of the chin",
        0x22: "middle of the inner upper lip contour",
        0x23: "middle of the inner lower lip contour",
        0x24: "left corner of the inner lip contour",
        0x25: "right corner of the inner lip contour",
        0x2A: "chin boss",
        0x2D: "left corner of the jaw bone",
        0x2E: "right corner of the jaw bone",
        0x31: "middle of the left eye's inner upper lid",
        0x32: "middle of the right eye's inner upper lid",
        0x33: "middle of the left eye's inner lower lid",
        0x34: "middle of the right eye's inner lower lid",
        0x35: "pupil of the left eye",
        0x36: "pupil of the right eye",
        0x37: "left corner of the left eye",
        0x38: "left corner of the right eye",
        0x3B: "right corner of the left eye",
        0x3C: "right corner of the right eye",
        0x41: "right corner of the left eyebrow",
        0x42: "left corner of the right eyebrow",
        0x43: "top of the left eyebrow",
        0x44: "top of the right eyebrow",
        0x45: "left corner of the left eyebrow",
        0x46: "right corner of the right eyebrow",
        0x81: "middle of the outer upper lip contour",
        0x82: "middle of the outer lower lip contour",
        0x83: "left corner of the outer lip contour",
        0x84: "right corner of the outer lip contour",
        0x91: "left border of the nostrils",
        0x92: "right border of the nostrils",
        0x93: "tip of the nose",
        0x9F: "bottom of the nose, middle",
        _LEFT_EYE: "centre of the left eye",
        _RIGHT_EYE: "centre of the right eye",
        0xC3: "centre of the left nostril",
        0xC4: "centre of the right nostril",
    }
)


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


_UNKNOWN_YEAR: Final = 0xFFFF
_UNKNOWN: Final = 0xFF
_MILLISECOND: Final = 1000


@dataclass(frozen=True, slots=True)
class CaptureTime:
    """Date and time in UTC; every field all ones (or, by some writers, all zeros) for unknown.

    Source: ISO/IEC 19794-1:2011, as ISO/IEC 19794-5:2011, 5.4.2 uses it.

    Attributes:
        year: 0..65535.
        month: 1..12.
        day: 1..31.
        hour: 0..23.
        minute: 0..59.
        second: 0..59.
        millisecond: 0..999.
    """

    year: int = _UNKNOWN_YEAR
    month: int = _UNKNOWN
    day: int = _UNKNOWN
    hour: int = _UNKNOWN
    minute: int = _UNKNOWN
    second: int = _UNKNOWN
    millisecond: int = _UNKNOWN_YEAR

    @property
    def given(self) -> bool:
        """False if every field is unknown."""
        return self not in _NOT_GIVEN

    @property
    def utc(self) -> datetime | None:
        """The time; None if it is not given or not possible. Unknown milliseconds count as 0."""
        milliseconds = 0 if self.millisecond == _UNKNOWN_YEAR else self.millisecond
        try:
            return datetime(
                self.year,
                self.month,
                self.day,
                self.hour,
                self.minute,
                self.second,
                milliseconds * _MILLISECOND,
                tzinfo=UTC,
            )
        except (ValueError, OverflowError):
            return None

    @classmethod
    def of_datetime(cls, moment: datetime) -> "CaptureTime":
        """Return a time in UTC, truncated to milliseconds.

        Args:
            moment: The time; without a time zone it counts as UTC.
        """
        aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return cls(
            aware.year,
            aware.month,
            aware.day,
            aware.hour,
            aware.minute,
            aware.second,
            aware.microsecond // _MILLISECOND,
        )


UNKNOWN_TIME: Final = CaptureTime()
"""No field is given."""
_NOT_GIVEN: Final = frozenset({UNKNOWN_TIME, CaptureTime(0, 0, 0, 0, 0, 0, 0)})


BEST_SCORE: Final = 100
FAILED_SCORE: Final = 0xFF
"""The score of an algorithm that failed."""


@dataclass(frozen=True, slots=True)
class QualityBlock:
    """The quality score that one algorithm gives the image.

    Attributes:
        score: 0..100, higher is better; 255 if the algorithm failed.
        algorithm_vendor: Number of the algorithm's vendor, 0..65535.
        algorithm: The vendor's number of the algorithm, 0..65535.
    """

    score: int
    algorithm_vendor: int
    algorithm: int
