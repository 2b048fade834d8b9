"""What to tell the person while the scan runs, frame by frame, steadied so that it does not flicker."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.errors import LivenessPolicyError
from liveness.extent import FaceExtent, face_extent
from liveness.observation import FrameObservation

_ROUNDING = 1e-9
"""Share of the frame by which sums of floats may be off."""


class GuidanceCode(StrEnum):
    """What the person should do now, in order of priority: the first that applies is told.

    Faces come before light, as light is measured on the face; light before place, as nobody sees
    themselves well in the dark; place before stillness, as moving to the right place is movement;
    stillness before blur, as movement blurs; what eyes and head do comes last.
    """

    NO_FACE = "NO_FACE"
    MULTIPLE_FACES = "MULTIPLE_FACES"
    TOO_DARK = "TOO_DARK"
    TOO_BRIGHT = "TOO_BRIGHT"
    MOVE_BACK = "MOVE_BACK"
    FACE_CUT_OFF = "FACE_CUT_OFF"
    MOVE_CLOSER = "MOVE_CLOSER"
    CENTER_FACE = "CENTER_FACE"
    HOLD_STILL = "HOLD_STILL"
    BLURRED = "BLURRED"
    LOOK_STRAIGHT = "LOOK_STRAIGHT"
    EYES_CLOSED = "EYES_CLOSED"
    OK = "OK"


@dataclass(frozen=True, slots=True)
class Oval:
    """Where the face should be, as shares of the upright frame's width and height.

    Attributes:
        centre_x: 0..1 from the left.
        centre_y: 0..1 from the top.
        width: Of the oval, 0..1 of the frame's width.
        height: Of the oval, 0..1 of the frame's height.

    Raises:
        LivenessPolicyError: The oval does not lie within the frame.
    """

    centre_x: float = 0.5
    centre_y: float = 0.46
    width: float = 0.62
    height: float = 0.66

    def __post_init__(self) -> None:
        if min(self.width, self.height) <= 0:
            raise LivenessPolicyError(f"the oval is {self.width} x {self.height}; both must be above 0")
        beyond = max(
            self.width / 2 - self.centre_x,
            self.centre_x + self.width / 2 - 1,
            self.height / 2 - self.centre_y,
            self.centre_y + self.height / 2 - 1,
        )
        if beyond > _ROUNDING:
            raise LivenessPolicyError(f"the oval reaches beyond the frame by {beyond:.3f} of it")


@dataclass(frozen=True, slots=True)
class GuidanceSettings:
    """Thresholds of the live feedback; lengths in face widths unless said otherwise.

    They choose the hint, and which frames count as well placed; they decide no verdict. All are set by hand
    where no measurement is named.

    Attributes:
        frames_to_tell: Frames in a row that must say the same before it is told; 0.4 s at the least rate of 8
            a second.
        slack: How much a threshold eases while its own code is being told, as a share of it, so that a
            face on the line does not make the code come and go.
        darkest: Mean luma of the face, 0..255, below which it is too dark.
        dark_share: Share of nearly black pixels of the face from which it is too dark.
        brightest: Mean luma of the face, 0..255, above which it is too bright.
        saturated_share: Share of nearly white pixels of the face from which it is too bright.
        smallest: Face width over the oval's width, below which the face is too far.
        largest: The same, above which it is too close.
        off_centre: Distance of the face's centre from the oval's above which the face is to be moved.
        cut_off: Share of the face beyond the frame's border, 0..1, above which it is cut off.
        fastest: Movement of the face's centre per second above which the person is to hold still. A person
            who holds a phone sways by a few hundredths, which liveness needs; this is far above it.
        blurred: ``vision.measures.sharpness`` (variance of the Laplacian, squared grey levels) below which
            the face is blurred.
        turned: Degrees of yaw or pitch above which the person looks away.
        closed: Mean eye aspect ratio below which the eyes are shut; narrow open eyes measure 0.12 to
            0.15. A blink is mostly over before it lasts ``frames_to_tell`` frames at 8 a second and more.

    Raises:
        LivenessPolicyError: A pair of thresholds is in the wrong order.
    """

    frames_to_tell: int = 3
    slack: float = 0.08
    darkest: float = 45.0
    dark_share: float = 0.6
    brightest: float = 225.0
    saturated_share: float = 0.4
    smallest: float = 0.62
    largest: float = 1.15
    off_centre: float = 0.28
    cut_off: float = 0.06
    fastest: float = 0.9
    blurred: float = 14.0
    turned: float = 25.0
    closed: float = 0.1

    def __post_init__(self) -> None:
        if self.frames_to_tell < 1:
            raise LivenessPolicyError(f"frames_to_tell is {self.frames_to_tell}; it must be at least 1")
        if not self.smallest < self.largest or not self.darkest < self.brightest:
            raise LivenessPolicyError("smallest must be below largest, and darkest below brightest")


@dataclass(frozen=True, slots=True)
class GuidanceState:
    """What the next frame's guidance needs to know of the frames before; starts empty.

    Attributes:
        told: The code told last; ``None`` before any.
        candidate: What the latest frames say.
        lasted: For how many frames in a row they have.
        place: Where the face was in the last frame: its centre and when; ``None`` without a face.
    """

    told: GuidanceCode | None = None
    candidate: GuidanceCode | None = None
    lasted: int = 0
    place: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Guidance:
    """The guidance after one frame.

    Attributes:
        code: What to tell now, steadied over frames; ``None`` before anything lasted long enough.
        frame_code: What this frame alone says.
        state: To hand in with the next frame.
    """

    code: GuidanceCode | None
    frame_code: GuidanceCode
    state: GuidanceState


def guide(
    observation: FrameObservation,
    *,
    oval: Oval,
    settings: GuidanceSettings,
    state: GuidanceState,
) -> Guidance:
    """What to tell the person after one frame.

    Args:
        observation: The latest frame.
        oval: Where the face should be.
        settings: Thresholds.
        state: From the guidance of the frame before; ``GuidanceState()`` at first.
    """
    extent = None if observation.face is None else face_extent(observation.face)
    code = _frame_code(observation, extent, oval, settings, state)
    lasted = state.lasted + 1 if code is state.candidate else 1
    told = code if lasted >= settings.frames_to_tell else state.told
    place = None if extent is None else (extent.x, extent.y, observation.capture_time)
    return Guidance(
        code=told,
        frame_code=code,
        state=GuidanceState(told=told, candidate=code, lasted=lasted, place=place),
    )


def _frame_code(
    observation: FrameObservation,
    extent: FaceExtent | None,
    oval: Oval,
    settings: GuidanceSettings,
    state: GuidanceState,
) -> GuidanceCode:
    if extent is None or observation.faces == 0:
        return GuidanceCode.NO_FACE
    if observation.faces > 1:
        return GuidanceCode.MULTIPLE_FACES

    def above(code: GuidanceCode, value: float, limit: float) -> bool:
        return value > (limit * (1 - settings.slack) if state.told is code else limit)

    def below(code: GuidanceCode, value: float, limit: float) -> bool:
        return value < (limit * (1 + settings.slack) if state.told is code else limit)

    size = extent.width / (oval.width * observation.width)
    aside = extent.x - oval.centre_x * observation.width
    apart = extent.y - oval.centre_y * observation.height
    luminance = observation.luminance if observation.luminance is not None else 0.0
    turn = 0.0 if observation.pose is None else max(abs(observation.pose.yaw), abs(observation.pose.pitch))
    says = {
        GuidanceCode.TOO_DARK: below(GuidanceCode.TOO_DARK, luminance, settings.darkest)
        or above(GuidanceCode.TOO_DARK, observation.dark_fraction, settings.dark_share),
        GuidanceCode.TOO_BRIGHT: above(GuidanceCode.TOO_BRIGHT, luminance, settings.brightest)
        or above(GuidanceCode.TOO_BRIGHT, observation.saturated_fraction, settings.saturated_share),
        GuidanceCode.MOVE_BACK: above(GuidanceCode.MOVE_BACK, size, settings.largest),
        GuidanceCode.FACE_CUT_OFF: above(
            GuidanceCode.FACE_CUT_OFF, _share_outside(extent, observation), settings.cut_off
        ),
        GuidanceCode.MOVE_CLOSER: below(GuidanceCode.MOVE_CLOSER, size, settings.smallest),
        GuidanceCode.CENTER_FACE: above(
            GuidanceCode.CENTER_FACE, (aside**2 + apart**2) ** 0.5 / extent.width, settings.off_centre
        ),
        GuidanceCode.HOLD_STILL: above(
            GuidanceCode.HOLD_STILL, _speed(extent, observation.capture_time, state), settings.fastest
        ),
        GuidanceCode.BLURRED: observation.sharpness is not None
        and below(GuidanceCode.BLURRED, observation.sharpness, settings.blurred),
        GuidanceCode.LOOK_STRAIGHT: above(GuidanceCode.LOOK_STRAIGHT, turn, settings.turned),
        GuidanceCode.EYES_CLOSED: observation.eyes_open is not None
        and below(GuidanceCode.EYES_CLOSED, observation.eyes_open, settings.closed),
    }
    return next((code for code, applies in says.items() if applies), GuidanceCode.OK)


def _share_outside(extent: FaceExtent, observation: FrameObservation) -> float:
    across = min(extent.right, observation.width) - max(extent.left, 0.0)
    down = min(extent.bottom, observation.height) - max(extent.top, 0.0)
    return 1 - max(0.0, across) * max(0.0, down) / (extent.width * extent.height)


def _speed(extent: FaceExtent, time: float, state: GuidanceState) -> float:
    """Face widths per second since the last frame with a face; 0 where there was none just before."""
    if state.place is None or time <= state.place[2]:
        return 0.0
    x, y, before = state.place
    moved = ((extent.x - x) ** 2 + (extent.y - y) ** 2) ** 0.5 / extent.width
    return float(moved / (time - before))
