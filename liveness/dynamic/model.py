"""The lines and weights of both challenges, from a packaged file that records how they were derived."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_type_hints

from liveness.dynamic.measurement.freshness import FreshnessSettings, LeapSettings
from liveness.dynamic.measurement.lag import LagSettings
from liveness.dynamic.measurement.response import ResponseSettings
from liveness.dynamic.measurement.surface import (
    BackgroundSettings,
    GlareSettings,
    OverlaySettings,
    ShapeSettings,
    SurfaceSettings,
)
from liveness.dynamic.movement import MovementSettings
from liveness.errors import FlashModelError
from liveness.model_file import read_packaged, read_parts


@dataclass(frozen=True, slots=True)
class LightSettings:
    """Lines that decide whether an answer can be expected in the light of a scan.

    Attributes:
        darkest_skin: Median linear light of the skin, 0..1, below which the face is too dark.
        dim_lux: Illuminance by the exposure metadata below which the surroundings are dim. If the screen's
            light is not measurable there, the screen is set too dark.
        plain_lux: Illuminance below which any screen of ``faintest_screen_lux`` or more is measurable.
        faintest_screen_lux: The light of the dimmest screen in practical use, lux on the face.
        absent_share: Share of that screen's expected response below which there is no answer.
        absent_errors: Standard errors added to the response before that comparison.
        absent_frames: The undisturbed frames that ABSENT requires.
        most_lost: Largest share of frames whose skin may be mostly saturated or nearly black.
    """

    darkest_skin: float
    dim_lux: float
    plain_lux: float
    faintest_screen_lux: float
    absent_share: float
    absent_errors: float
    absent_frames: int
    most_lost: float


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """The lines by which the signals together give a finding.

    Attributes:
        least_right: The least steps with a right answer for RIGHT.
        most_wrong: The largest share of wrong answers for RIGHT, of the steps whose colour is decided.
        wrong_share: The least share of wrong answers, of the same steps, for WRONG.
        least_wrong: The least wrong answers for WRONG.
        foreign_leaps: The least number of leaps of the face's colour, not caused by the screen, for WRONG.
        foreign_share: The least share of these in all leaps, for WRONG.
        kept_for: Log odds for a face that always count, whatever the log odds against it.
        outweighs: How many log odds for a face, beyond ``kept_for``, each unit of log odds against it
            cancels.
        wrong_odds: Log odds of all signals together below which the answer is not a face's.
        most_for: Maximum of the log odds for life that the flash adds if Express says LIVE.
        most_against: Maximum of the log odds against life that the flash adds.
        depth_odds: Log odds of Express' signals of depth (``liveness.express.signals``) below which motion
            does not show a head, if depth is required.
        weights: The factor of each signal's log odds, by name.
    """

    least_right: int
    most_wrong: float
    wrong_share: float
    least_wrong: int
    foreign_leaps: int
    foreign_share: float
    kept_for: float
    outweighs: float
    wrong_odds: float
    most_for: float
    most_against: float
    depth_odds: float
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class FlashModel:
    """All lines of the flash and of the movement challenge, by the part that uses them.

    ``version`` names them in the evidence record.
    """

    version: str
    response: ResponseSettings
    lag: LagSettings
    leaps: LeapSettings
    shape: ShapeSettings
    overlay: OverlaySettings
    glare: GlareSettings
    background: BackgroundSettings
    freshness: FreshnessSettings
    light: LightSettings
    judge: JudgeSettings
    movement: MovementSettings

    @property
    def surface(self) -> SurfaceSettings:
        """The lines of the signals of the surface."""
        return SurfaceSettings(self.shape, self.overlay, self.glare, self.background)


def load_flash_model() -> FlashModel:
    """Return the packaged model.

    Raises:
        FlashModelError: The data file is missing or not usable.
    """
    return parse_flash_model(read_packaged("liveness.dynamic", "flash_model.toml", broken=FlashModelError))


def parse_flash_model(text: str) -> FlashModel:
    """Parse a model, which must have exactly the expected keys, and a record of how it was found.

    Raises:
        FlashModelError: The text is not TOML, or a key is missing, unknown or of the wrong type.
    """
    kinds = get_type_hints(FlashModel) | {"record": Mapping[str, str]}
    parts = read_parts(text, kinds, broken=FlashModelError)
    del parts["record"]
    return FlashModel(**parts)
