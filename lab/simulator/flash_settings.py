"""The settings of a simulated screen-flash scan."""

from dataclasses import dataclass, field
from enum import StrEnum

from lab.simulator.errors import SceneSettingsInvalid
from lab.simulator.knobs import knob, validate_knobs
from lab.simulator.light.phone_camera import FlashCameraSettings
from lab.simulator.light.sources import AmbientSettings, Emission, PhoneSettings
from lab.simulator.light.surface import Diffuse
from lab.simulator.scene import (
    CameraSettings,
    ExpressionSettings,
    MotionSettings,
    ScanKind,
    SceneSettings,
    ScreenSettings,
    SheetSettings,
)


class FlashKind(StrEnum):
    """The person or the attack in front of the screen."""

    GENUINE = "genuine"
    """A living person: the light falls on the face."""
    PRINT = "print"
    """A matt print that a hand moves; the light falls on a sheet."""
    SCREEN_REPLAY = "screen-replay"
    """A recording on a glossy screen that a hand holds; the light falls on glass that emits light itself."""
    RECORDED_SCAN = "recorded-scan"
    """Injected behind the camera: a genuine scan that answered another challenge."""
    INJECTED_VIDEO = "injected-video"
    """Injected behind the camera: a genuine video that was filmed without a flash."""
    INJECTED_TINT = "injected-tint"
    """Injected: the same video, tinted uniformly with the colour on display."""
    INJECTED_RELIGHTING = "injected-relighting"
    """Injected: the same video, relit in real time with a shape of the face and the colour on display."""
    INJECTED_PHOTO = "injected-photo"
    """Injected: one photo, moved as its head would move, with lids and a mouth drawn on request, relit in the
    same way with the mesh of its face (``Photo.mesh``; without one, with the shape of a genuine scan)."""
    RIGID_MASK = "rigid-mask"
    """A rigid resin mask: the light falls on the shape of a face, but nothing in it moves."""
    MASK_WITH_EYES = "mask-with-eyes"
    """The same mask with holes, through which the eyes and the lids of a living wearer show."""
    MASK_WITH_EYES_AND_MOUTH = "mask-with-eyes-and-mouth"
    """The same mask with a hole for the wearer's lips, which open on request; its chin is rigid."""
    CUT_OUT_PRINT = "cut-out-print"
    """A print cut out along the face, bent over a real face, with holes for its eyes."""


class Geometry(StrEnum):
    """The source of the head's shape."""

    RELIEF = "relief"
    """A spline through the person's landmarks and a generic head."""
    ELLIPSOID = "ellipsoid"
    """An ellipsoid with a nose."""
    SCULPTED = "sculpted"
    """A superellipsoid with brows, sockets, nose, cheekbones, lips and chin."""


@dataclass(frozen=True, slots=True)
class RendererSettings:
    """The models that render the scan. Report results on variants that were not used for tuning.

    Attributes:
        emission: How the light of the screen is summed.
        diffuse: How skin and paper reflect it.
        geometry: Source of the head's shape.
    """

    emission: Emission = Emission.POINTS
    diffuse: Diffuse = Diffuse.LAMBERT
    geometry: Geometry = Geometry.RELIEF


@dataclass(frozen=True, slots=True)
class SkinSettings:
    """The person's skin.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    melanin: float = knob(0.0, 0.0, 1.0)
    """Melanin added to the photo's skin: 0 leaves it, 1 makes light skin very dark."""
    gloss: float = knob(1.0, 0.0, 5.0)
    """Factor on the gloss of skin: 0 is powdered, 2 is oily."""

    def __post_init__(self) -> None:
        validate_knobs(self)


@dataclass(frozen=True, slots=True)
class InstrumentSettings:
    """The instrument of a presentation attack.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    print_width_mm: float = knob(210.0, 30.0, 1000.0)
    """Width of the printed picture, millimetres; smaller is held nearer."""
    print_gloss: float = knob(0.0, 0.0, 0.2)
    """Gloss of the paper: 0 is matt, 0.04 is photo paper."""
    display_width_mm: float = knob(160.0, 30.0, 1000.0)
    """Width of a replaying screen, millimetres; smaller is held nearer."""
    display_luminance: float = knob(300.0, 10.0, 2000.0)
    """Luminance of its white, cd/m2."""
    display_gloss: float = knob(0.04, 0.0, 0.2)
    """Gloss of its glass: 0.01 is coated, 0.04 is bare."""
    mask_gloss: float = knob(0.04, 0.0, 0.2)
    """Gloss of a rigid mask: 0.02 is powdered, 0.05 is lacquered."""

    def __post_init__(self) -> None:
        validate_knobs(self)


@dataclass(frozen=True, slots=True)
class InjectionSettings:
    """The capabilities of an attacker who controls the camera's frames.

    The attacker reads each colour when the app is instructed to show it.

    Attributes:
        shadowing: Whether the added light is weaker on surfaces that face away from the screen or are farther
            from it. Otherwise every part of the face gets the same light.
        linear: Whether light is added in linear light, which is correct, or to the 8-bit values.

    Raises:
        SceneSettingsInvalid: A value is outside its range.
    """

    latency_seconds: float = knob(0.06, 0.0, 2.0)
    """From the app's instruction to the first frame that shows the colour, seconds."""
    latency_jitter_seconds: float = knob(0.01, 0.0, 0.5)
    """Standard deviation of that latency, seconds."""
    strength: float = knob(1.0, 0.0, 5.0)
    """Light added, as a factor on what the real screen would give in that room."""
    quality: float = knob(1.0, 0.0, 1.0)
    """Shape used for relighting: 0 is a generic ellipsoid, 1 the person's own or the photo's mesh."""
    blur: float = knob(0.0, 0.0, 1.0)
    """Blur of the light put on, as a share of the face's width."""
    shadowing: bool = True
    linear: bool = True

    def __post_init__(self) -> None:
        validate_knobs(self)


@dataclass(frozen=True, slots=True)
class FlashScanSettings:
    """One simulated scan under the screen's light.

    The same photo, settings and colours set at the same times always give the same frames. A scan at half
    the usual width and height costs about a quarter.

    Attributes:
        kind: The person or attack in front of the camera, or the injection behind it.
        seed: Seed of everything that differs between two scans; 0 or more.
        seconds: Longest length, 0.2..60; the caller can stop earlier.
        frames_per_second: Mean rate, 5..60.
        width: Frame width in pixels, 160..1920, even.
        height: Frame height in pixels, 160..1920, even.
        face_width: Mean width of the face as a share of the frame's width, 0.2..0.8; with the field of view
            it sets the distance (0.52 at 48 degrees is 0.31 m); None draws one between 0.47 and 0.58.
        nearest_wall: Least distance of the wall behind a person or a worn instrument, in distances of the
            face; the distance is drawn from there to 6. At 1.2 a head lies on a pillow.
        phone: Screen and display delays; must be the one of the `ScreenLight`.
        instrument: The instrument of a presentation attack.
        injection: The capabilities of an injecting attacker.
        motion: How the person moves.
        expression: Blinks and small movements of the face.
        sheet: Size and movement of a print, and movement of a replayed screen.
        screen: The screen of a replay.

    Raises:
        SceneSettingsInvalid: A value is outside the range given here.
    """

    kind: FlashKind
    seed: int = 0
    seconds: float = 20.0
    frames_per_second: float = 20.0
    width: int = 480
    height: int = 640
    face_width: float | None = None
    nearest_wall: float = knob(1.2, 1.0, 6.0)
    """Least distance of the wall, in distances of the face."""
    ambient: AmbientSettings = field(default_factory=AmbientSettings)
    phone: PhoneSettings = field(default_factory=PhoneSettings)
    camera: FlashCameraSettings = field(default_factory=FlashCameraSettings)
    skin: SkinSettings = field(default_factory=SkinSettings)
    renderer: RendererSettings = field(default_factory=RendererSettings)
    instrument: InstrumentSettings = field(default_factory=InstrumentSettings)
    injection: InjectionSettings = field(default_factory=InjectionSettings)
    motion: MotionSettings = field(default_factory=MotionSettings)
    expression: ExpressionSettings = field(default_factory=ExpressionSettings)
    sheet: SheetSettings = field(default_factory=SheetSettings)
    screen: ScreenSettings = field(default_factory=ScreenSettings)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, FlashKind):
            raise SceneSettingsInvalid(f"kind must be a FlashKind, got {self.kind!r}")
        validate_knobs(self)
        self.as_scan()  # checks the settings that both kinds of scan share

    def as_scan(self, *, expression: ExpressionSettings | None = None) -> SceneSettings:
        """Return the shared settings as those of a scan without a flash.

        Its kind is always ``GENUINE``, whatever this kind is.

        Args:
            expression: Replaces the expression of these settings.
        """
        return SceneSettings(
            kind=ScanKind.GENUINE,
            seed=self.seed,
            seconds=self.seconds,
            frames_per_second=self.frames_per_second,
            width=self.width,
            height=self.height,
            face_width=self.face_width,
            nearest_wall=self.nearest_wall,
            motion=self.motion,
            expression=expression or self.expression,
            camera=CameraSettings(field_of_view_degrees=self.camera.field_of_view_degrees),
            sheet=self.sheet,
            screen=self.screen,
        )

    @property
    def frames(self) -> int:
        """Largest number of frames, at least 1."""
        return self.as_scan().frames
