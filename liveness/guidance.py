"""Hints to the person while the scan runs, steadied over frames so that they do not flicker."""

from dataclasses import dataclass, replace
from enum import StrEnum

from liveness.errors import LivenessPolicyError
from liveness.extent import FaceExtent, face_extent
from liveness.observation import FrameObservation, backlight, black_level
from liveness.occlusion import Cover

_ROUNDING = 1e-9
"""The tolerance for rounding errors, as a share of the frame."""

_BROADEST_FIELD = 4 / 5
"""The largest width of the field over its height. There the oval has the shape of a head."""


def field_width(*, width: int, height: int) -> float:
    """Return the width of the field of an upright frame, frame pixels; see ``Oval``.

    Args:
        width: Width of the frame, pixels.
        height: Height of the frame, pixels.
    """
    return min(width, _BROADEST_FIELD * height)


class HintCode(StrEnum):
    """A hint to the person; the names are those of the wire's feedback codes.

    Those about a frame come in order of priority: the first one that applies is given. The last three are of
    challenges.

    Hints about faces come before light, because light is measured on the face. Light comes before position,
    because people cannot see themselves well in the dark. Position comes before stillness, because correcting
    it is movement. Stillness comes before blur, because movement blurs. Head, covers and eyes come last.
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
    SUNGLASSES = "SUNGLASSES"
    EYES_NOT_VISIBLE = "EYES_NOT_VISIBLE"
    FACE_MASK = "FACE_MASK"
    MOUTH_NOT_VISIBLE = "MOUTH_NOT_VISIBLE"
    FACE_OBSTRUCTED = "FACE_OBSTRUCTED"
    EYES_CLOSED = "EYES_CLOSED"
    GOOD = "GOOD"

    RAISE_SCREEN_BRIGHTNESS = "RAISE_SCREEN_BRIGHTNESS"
    BLINK = "BLINK"
    TURN_HEAD_SLIGHTLY = "TURN_HEAD_SLIGHTLY"


_COVER_CODES = {
    Cover.SUNGLASSES: HintCode.SUNGLASSES,
    Cover.EYES: HintCode.EYES_NOT_VISIBLE,
    Cover.MASK: HintCode.FACE_MASK,
    Cover.MOUTH: HintCode.MOUTH_NOT_VISIBLE,
    Cover.FACE: HintCode.FACE_OBSTRUCTED,
}
_COVERS = 2
"""The number of measured frames in a row in which the face must be covered before that is a code. Between
them the code stays, and one frame without a cover ends it."""


@dataclass(frozen=True, slots=True)
class PlacedOval:
    """An oval in a frame of a certain size, frame pixels.

    Attributes:
        x: x of the centre.
        y: y of the centre.
    """

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Oval:
    """The required position of the face, as shares of the field's width and height.

    The field is the whole upright frame if that is at most four fifths as wide as high. Otherwise it is the
    middle of the frame: its full height, and four fifths of that in width. So the oval always stands upright.

    Attributes:
        centre_x: x of the centre, 0..1 from the left.
        centre_y: y of the centre, 0..1 from the top.
        width: Width of the oval, 0..1 of the field's width.
        height: Height of the oval, 0..1 of the field's height.

    Raises:
        LivenessPolicyError: The oval does not lie within the field.
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
            raise LivenessPolicyError(f"the oval reaches beyond the field by {beyond:.3f} of it")

    def placed(self, *, width: int, height: int) -> PlacedOval:
        """Return the oval in an upright frame.

        Args:
            width: Width of the frame, pixels.
            height: Height of the frame, pixels.
        """
        field = field_width(width=width, height=height)
        return PlacedOval(
            x=(width - field) / 2 + self.centre_x * field,
            y=self.centre_y * height,
            width=self.width * field,
            height=self.height * height,
        )


@dataclass(frozen=True, slots=True)
class GuidanceSettings:
    """Thresholds of the hints; lengths in face widths unless stated otherwise.

    They determine the hint and which frames count as well placed, but no verdict. Thresholds without a stated
    measurement are set by hand.

    Attributes:
        frames_to_hint: The number of consecutive frames with the same code before it becomes the hint: 0.4 s
            at the lowest rate, 8 frames a second.
        slack: The share by which a threshold is relaxed while its code is the hint, so that the hint does not
            flicker for a face on the threshold.
        darkest: The mean luma of the face, 0..255, below which it is too dark.
        dark_share: The share of nearly black pixels of the face above which it is too dark.
        brightest: The mean luma of the face, 0..255, above which it is too bright.
        saturated_share: The share of nearly white pixels of the face above which it is too bright.
        veiled: The ``black_level`` above which light falls into the camera, so that it is too
            bright. Equals ``ExpressSettings.max_black``.
        backlit: The ``backlight`` above which the background is too bright. Equals
            ``ExpressSettings.max_backlight``.
        smallest: The face width over the oval's width, below which the face is too far.
        largest: The same ratio, above which the face is too close.
        off_centre: The distance of the face's centre from the oval's above which the person should move.
        cut_off: The share of the face outside the frame, 0..1, above which it is cut off.
        fastest: The movement of the face's centre per second above which the person should hold still. A
            person who holds a phone sways by a few hundredths, which liveness needs; this is far above it.
        blurred: The ``FaceMeasures.sharpness`` (variance of the Laplacian, squared grey levels) below
            which the face is blurred.
        turned: The yaw or pitch above which the person looks away, degrees.
        closed: The mean eye aspect ratio below which the eyes are shut; narrow open eyes measure 0.12 to
            0.15. Most blinks end before they last ``frames_to_hint`` frames at 8 a second or more.

    Raises:
        LivenessPolicyError: A pair of thresholds is in the wrong order.
    """

    frames_to_hint: int = 3
    slack: float = 0.08
    darkest: float = 45.0
    dark_share: float = 0.6
    brightest: float = 225.0
    saturated_share: float = 0.4
    veiled: float = 75.0
    backlit: float = 2.4
    smallest: float = 0.62
    largest: float = 1.15
    off_centre: float = 0.28
    cut_off: float = 0.06
    fastest: float = 0.9
    blurred: float = 14.0
    turned: float = 25.0
    closed: float = 0.1

    def __post_init__(self) -> None:
        if self.frames_to_hint < 1:
            raise LivenessPolicyError(f"frames_to_hint is {self.frames_to_hint}; it must be at least 1")
        if not self.smallest < self.largest or not self.darkest < self.brightest:
            raise LivenessPolicyError("smallest must be below largest, and darkest below brightest")


@dataclass(frozen=True, slots=True)
class GuidanceState:
    """The state of the guidance after the frames so far; starts empty.

    Attributes:
        hint: The current hint; ``None`` before the first.
        candidate: The code of the latest frames.
        lasted: The number of consecutive frames with this code.
        place: Where the face was in the last frame: x and y of its centre, and the capture time; ``None``
            without a face.
        covers: What covers the face in the latest frames in which that was measured, at most two.
    """

    hint: HintCode | None = None
    candidate: HintCode | None = None
    lasted: int = 0
    place: tuple[float, float, float] | None = None
    covers: tuple[Cover, ...] = ()


@dataclass(frozen=True, slots=True)
class Guidance:
    """The guidance after one frame.

    Attributes:
        code: The hint, steadied over frames; ``None`` until a code has lasted long enough.
        frame_code: The code of this frame alone.
        state: The state to pass with the next frame.
    """

    code: HintCode | None
    frame_code: HintCode
    state: GuidanceState


def guide(
    observation: FrameObservation,
    *,
    oval: Oval,
    settings: GuidanceSettings,
    state: GuidanceState,
) -> Guidance:
    """Return the guidance after one frame.

    Args:
        oval: The required position of the face.
        state: ``Guidance.state`` of the previous frame; ``GuidanceState()`` for the first.
    """
    extent = None if observation.face is None else face_extent(observation.face)
    covers = _covers(observation, state)
    code = _frame_code(observation, extent, oval, settings, replace(state, covers=covers))
    lasted = state.lasted + 1 if code is state.candidate else 1
    hint = code if lasted >= settings.frames_to_hint else state.hint
    place = None if extent is None else (extent.x, extent.y, observation.capture_time)
    return Guidance(
        code=hint,
        frame_code=code,
        state=GuidanceState(hint=hint, candidate=code, lasted=lasted, place=place, covers=covers),
    )


def _frame_code(
    observation: FrameObservation,
    extent: FaceExtent | None,
    oval: Oval,
    settings: GuidanceSettings,
    state: GuidanceState,
) -> HintCode:
    if extent is None or observation.faces == 0:
        return HintCode.NO_FACE
    if observation.faces > 1:
        return HintCode.MULTIPLE_FACES

    def above(code: HintCode, value: float, limit: float) -> bool:
        return value > (limit * (1 - settings.slack) if state.hint is code else limit)

    def below(code: HintCode, value: float, limit: float) -> bool:
        return value < (limit * (1 + settings.slack) if state.hint is code else limit)

    placed = oval.placed(width=observation.width, height=observation.height)
    size = extent.width / placed.width
    aside = extent.x - placed.x
    apart = extent.y - placed.y
    cover = _steady_cover(state.covers)
    luminance = observation.luminance if observation.luminance is not None else 0.0
    turn = 0.0 if observation.pose is None else max(abs(observation.pose.yaw), abs(observation.pose.pitch))
    says = {
        HintCode.TOO_DARK: below(HintCode.TOO_DARK, luminance, settings.darkest)
        or above(HintCode.TOO_DARK, observation.dark_fraction, settings.dark_share),
        HintCode.TOO_BRIGHT: above(HintCode.TOO_BRIGHT, luminance, settings.brightest)
        or above(HintCode.TOO_BRIGHT, observation.saturated_fraction, settings.saturated_share)
        or above(HintCode.TOO_BRIGHT, black_level(observation.samples), settings.veiled)
        or above(HintCode.TOO_BRIGHT, backlight(observation), settings.backlit),
        HintCode.MOVE_BACK: above(HintCode.MOVE_BACK, size, settings.largest),
        HintCode.FACE_CUT_OFF: above(
            HintCode.FACE_CUT_OFF,
            1 - extent.share_inside(observation.width, observation.height),
            settings.cut_off,
        ),
        HintCode.MOVE_CLOSER: below(HintCode.MOVE_CLOSER, size, settings.smallest),
        HintCode.CENTER_FACE: above(
            HintCode.CENTER_FACE, (aside**2 + apart**2) ** 0.5 / extent.width, settings.off_centre
        ),
        HintCode.HOLD_STILL: above(
            HintCode.HOLD_STILL, _speed(extent, observation.capture_time, state), settings.fastest
        ),
        HintCode.BLURRED: observation.sharpness is not None
        and below(HintCode.BLURRED, observation.sharpness, settings.blurred),
        HintCode.LOOK_STRAIGHT: above(HintCode.LOOK_STRAIGHT, turn, settings.turned),
        **{code: cover is each for each, code in _COVER_CODES.items()},
        HintCode.EYES_CLOSED: observation.eyes_open is not None
        and below(HintCode.EYES_CLOSED, observation.eyes_open, settings.closed),
    }
    return next((code for code, applies in says.items() if applies), HintCode.GOOD)


def _covers(observation: FrameObservation, state: GuidanceState) -> tuple[Cover, ...]:
    """Return the latest measured covers, including this frame's; empty without a face."""
    if observation.face is None:
        return ()
    return state.covers if observation.cover is None else (*state.covers, observation.cover)[-_COVERS:]


def _steady_cover(covers: tuple[Cover, ...]) -> Cover:
    """Return the latest cover if the face was covered in all of the latest measured frames."""
    if len(covers) < _COVERS or Cover.NOTHING in covers:
        return Cover.NOTHING
    return covers[-1]


def _speed(extent: FaceExtent, time: float, state: GuidanceState) -> float:
    """Return the speed of the face, face widths per second; 0 if the previous frame has no face."""
    if state.place is None or time <= state.place[2]:
        return 0.0
    x, y, before = state.place
    moved = ((extent.x - x) ** 2 + (extent.y - y) ** 2) ** 0.5 / extent.width
    return float(moved / (time - before))
