"""The settings of a simulated scan."""

from dataclasses import dataclass, field, fields
from enum import StrEnum

from lab.simulator.errors import SceneSettingsInvalid


class ScanKind(StrEnum):
    """The person or attack in front of the camera, or the injection behind it."""

    GENUINE = "genuine"
    """A person who holds a phone: a head with depth, blinks, and a room behind."""
    STATIC_PHOTO = "static-photo"
    """A print on a stand in front of a camera on a stand."""
    WAVED_PHOTO = "waved-photo"
    """A print that a hand moves and bends."""
    SCREEN_REPLAY = "screen-replay"
    """A recording of a genuine scan on a screen that a hand holds."""
    FROZEN_FRAME = "frozen-frame"
    """Injected behind the camera: one frame of a genuine scan, repeated."""
    LOOPED_CLIP = "looped-clip"
    """Injected behind the camera: a short genuine clip, repeated."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """The movements of a person who tries to hold still. Each is an RMS value around the mean position.

    A scan draws one factor between 0.6 and 1.4 for all but the tremor, because people differ.

    Attributes:
        yaw_degrees: Turning of the head left and right; peaks reach about twice the RMS.
        pitch_degrees: Nodding.
        roll_degrees: Leaning, of head and phone together.
        shift: Movement of the head relative to the phone, as a share of the frame's width.
        approach: Change of distance between phone and face, as a share of that distance.
        tremor: Tremor of the hand (3 to 9 Hz), as a share of the frame's width; it moves the whole image.
    """

    yaw_degrees: float = 2.4
    pitch_degrees: float = 2.1
    roll_degrees: float = 1.1
    shift: float = 0.014
    approach: float = 0.015
    tremor: float = 0.0007


@dataclass(frozen=True, slots=True)
class ExpressionSettings:
    """Spontaneous movements of a face in front of a phone.

    Attributes:
        blink_gap_seconds: Longest time between two blinks, at least 1; the shortest is 0.9 s.
        blink_depth: How far the lids close at the blink's peak, 0..1.
        mouth: RMS movement of lips and jaw, as a share of the eye distance.
        brows: RMS movement of the brows, as a share of the eye distance.
        gaze: RMS movement of the irises, as a share of the eye distance.
    """

    blink_gap_seconds: float = 3.0
    blink_depth: float = 1.0
    mouth: float = 0.015
    brows: float = 0.008
    gaze: float = 0.040


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """The camera.

    Attributes:
        read_noise: Standard deviation of the signal-independent noise in 8-bit steps.
        shot_noise: Variance that each 8-bit step of signal adds (Foi et al. 2008, "Practical
            Poissonian-Gaussian noise modeling and fitting for single-image raw-data").
        exposure_drift: RMS of the slow change of exposure, as a share.
        white_balance_drift: RMS of the slow change of the blue and red gains, as a share.
        jitter_seconds: Standard deviation of a frame's time around the even rhythm.
        field_of_view_degrees: Horizontal field of view of the upright frame.
    """

    read_noise: float = 0.8
    shot_noise: float = 0.010
    exposure_drift: float = 0.012
    white_balance_drift: float = 0.004
    jitter_seconds: float = 0.0025
    field_of_view_degrees: float = 48.0


@dataclass(frozen=True, slots=True)
class SheetSettings:
    """A flat photo, on paper or on a screen, in front of the camera. Movements are RMS values.

    Attributes:
        face_share: Width of the face as a share of the sheet's width; larger means a tighter crop.
        border: White border as a share of the sheet's width.
        yaw_degrees: Turning of the waved sheet out of the image plane.
        pitch_degrees: Tilting of the waved sheet out of the image plane.
        roll_degrees: Turning of the waved sheet in the image plane.
        shift: Movement of the waved sheet, as a share of the frame's width.
        approach: Change of the waved sheet's distance, as a share of that distance.
        bend: Largest bow of the waved sheet's middle towards the camera, as a share of its width.
    """

    face_share: float = 0.60
    border: float = 0.035
    yaw_degrees: float = 6.0
    pitch_degrees: float = 4.5
    roll_degrees: float = 2.5
    shift: float = 0.022
    approach: float = 0.025
    bend: float = 0.015


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    """The screen of a replay.

    Attributes:
        pixel_pitch: Width of one screen pixel in camera pixels; near 1 the grids interfere (moiré).
        grid_contrast: Depth of the pixel grid that the lens lets through, 0..1.
        flicker: Depth of the brightness bands that roll over the frame, 0..1.
        refresh_hertz: Refresh rate of the screen.
        steadiness: Movement of the hand that holds the screen, as a share of a waved sheet's, 0..1.
        black_level: Glow of a black screen pixel, in 8-bit steps.
    """

    pixel_pitch: float = 0.93
    grid_contrast: float = 0.035
    flicker: float = 0.02
    refresh_hertz: float = 60.0
    steadiness: float = 0.35
    black_level: float = 12.0


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """One simulated scan. The same photo and the same settings always give the same frames.

    No knob may be negative.

    Attributes:
        kind: The person or attack in front of the camera, or the injection behind it.
        seed: Seed of everything that differs between two scans; 0 or more.
        seconds: Length, 0.2..60.
        frames_per_second: Mean rate, 5..60.
        width: Frame width in pixels, 160..1920, even.
        height: Frame height in pixels, 160..1920, even.
        face_width: Mean width of the face as a share of the frame's width, 0.2..0.8; None draws one
            between 0.47 and 0.58.
        loop_frames: Length of a looped clip in frames, 2 or more.
        nearest_wall: Least distance of the wall behind the face, in distances of the face, 1..6; the distance
            is drawn from there to 6.
        motion: How the person moves.
        expression: Blinks and small movements of the face.
        sheet: The flat photo of the photo attacks and the movement of a replayed screen.
        screen: The screen of a replay.

    Raises:
        SceneSettingsInvalid: A value is outside the range given here.
    """

    kind: ScanKind
    seed: int = 0
    seconds: float = 4.0
    frames_per_second: float = 20.0
    width: int = 480
    height: int = 640
    face_width: float | None = None
    loop_frames: int = 12
    nearest_wall: float = 3.0
    motion: MotionSettings = field(default_factory=MotionSettings)
    expression: ExpressionSettings = field(default_factory=ExpressionSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    sheet: SheetSettings = field(default_factory=SheetSettings)
    screen: ScreenSettings = field(default_factory=ScreenSettings)

    def __post_init__(self) -> None:
        _require("seed", self.seed, 0, 2**63 - 1)
        _require("seconds", self.seconds, 0.2, 60.0)
        _require("frames_per_second", self.frames_per_second, 5.0, 60.0)
        for name, side in (("width", self.width), ("height", self.height)):
            _require(name, side, 160, 1920)
            if side % 2:
                raise SceneSettingsInvalid(f"{name} must be even, got {side}")
        if self.face_width is not None:
            _require("face_width", self.face_width, 0.2, 0.8)
        _require("loop_frames", self.loop_frames, 2, 3600)
        _require("nearest_wall", self.nearest_wall, 1.0, 6.0)
        for group in (self.motion, self.expression, self.camera, self.sheet, self.screen):
            for knob in fields(group):
                _require(f"{type(group).__name__}.{knob.name}", getattr(group, knob.name), 0.0, 1000.0)
        _require("expression.blink_gap_seconds", self.expression.blink_gap_seconds, 1.0, 1000.0)
        _require("expression.blink_depth", self.expression.blink_depth, 0.0, 1.0)
        _require("sheet.face_share", self.sheet.face_share, 0.3, 0.9)
        _require("sheet.border", self.sheet.border, 0.0, 0.3)
        _require("screen.pixel_pitch", self.screen.pixel_pitch, 0.3, 3.0)
        _require("camera.field_of_view_degrees", self.camera.field_of_view_degrees, 20.0, 100.0)

    @property
    def frames(self) -> int:
        """Number of frames, at least 1."""
        return max(1, round(self.seconds * self.frames_per_second))


def _require(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise SceneSettingsInvalid(f"{name} must be between {lowest} and {highest}, got {value}")
