"""Simulated people and prints of them that follow the ovals of a movement challenge."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lab.simulator.behaviour import PersonState, Wandering
from lab.simulator.camera import Camera
from lab.simulator.geometry import ReliefPose
from lab.simulator.person import Person, viewport_of
from lab.simulator.photo import Photo
from lab.simulator.scene import CameraSettings, ScanKind, SceneSettings
from lab.simulator.sheets import Sheet, crop_around_face
from liveness.dynamic.challenge.actions import Complete, Hint, MoveOval, Wait
from liveness.dynamic.challenge.ovals import OvalScript
from liveness.dynamic.movement.challenge import MovementChallenge
from liveness.extent import FaceExtent, face_extent
from liveness.guidance import Oval, field_width
from liveness.observation import ScanObservations
from liveness.observe import fine_view, observe_followed, observe_frame, view_frame
from liveness.watch import ScanCollector
from tests.liveness.dynamic.flash_device import seeded
from tests.liveness.dynamic.perspectives import SETTINGS
from vision.face import BgrImage
from vision.packs.interfaces import FaceDetector

_REACTION_SECONDS, _WAY_SECONDS = 0.3, 1.8
_ADJUSTING_FROM = 2.2
_RATE = 15.0
_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True, eq=False)
class Approach:
    """The outcome of a challenge."""

    challenge: MovementChallenge
    scan: ScanObservations
    end: Complete
    seconds: float
    hints: int


def follow_ovals(
    photo: Photo,
    detector: FaceDetector,
    *,
    bend: float | None,
    seed: int,
    field_of_view: float = 48.0,
    follows: bool = True,
    frame: tuple[int, int] = (480, 640),
) -> Approach:
    """Play one challenge.

    Args:
        bend: ``None`` for the person, or the bow of a print of them as a share of its width.
        seed: Draws everything.
        field_of_view: Of the lens, degrees.
        follows: Whether they move at all.
        frame: Width and height of the frames, pixels.
    """
    camera = CameraSettings(field_of_view_degrees=field_of_view)
    wide, tall = frame
    settings = SceneSettings(
        kind=ScanKind.GENUINE,
        seed=seed,
        seconds=30,
        width=wide,
        height=tall,
        face_width=0.5 * field_width(width=wide, height=tall) / wide,
        camera=camera,
    )
    rng = np.random.default_rng(seed)
    show = _person(photo, settings, rng) if bend is None else _print(photo, settings, rng, bend)
    lens = Camera(camera, np.random.default_rng(seed + 1), width=settings.width, height=settings.height)
    rest = face_extent(detector.detect(show(0.0, ReliefPose()))[0])
    challenge = MovementChallenge(OvalScript(seeded(seed), rest=Oval()), SETTINGS)
    collector = ScanCollector()
    start = target = ReliefPose()
    oval: Oval | None = None
    moved_at, hints = 0.0, 0
    for index in range(int(20 * _RATE)):
        time = index / _RATE
        for _ in range(5):
            action = challenge.next_action(now=time)
            match action:
                case MoveOval():
                    start, moved_at = _between(start, target, time - moved_at), time
                    if follows:
                        oval = action.oval
                        target = _aim(oval, rest, settings)
                case Hint():
                    hints += 1
                case Complete():
                    return Approach(challenge, collector.observations(), action, time, hints)
                case Wait():
                    break
        picture = lens.take(show(time, _between(start, target, time - moved_at)), time)
        encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
        shown = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
        seen = view_frame(shown)
        followed = collector.follow(seen, time)
        if followed is None:
            faces = detector.detect(shown)
            observation = observe_frame(shown, index=index, capture_time=time, faces=faces, seen=seen)
        else:
            observation = observe_followed(
                seen, index=index, capture_time=time, face=followed.face, detected=followed.detected
            )
        view, scale = fine_view(seen.grey)
        challenge.add_movement_frame(replace(observation, view=view, view_scale=scale))
        if oval is not None and observation.face is not None and time - moved_at > _ADJUSTING_FROM:
            start = target = _adjusted(target, oval, face_extent(observation.face), rest, settings)
        collector.collect_frame(observation)
    raise AssertionError("the movement challenge never ends")


def _between(start: ReliefPose, target: ReliefPose, since: float) -> ReliefPose:
    share = min(1.0, max(0.0, (since - _REACTION_SECONDS) / _WAY_SECONDS))
    share = share * share * (3 - 2 * share)
    return ReliefPose(
        shift_x=start.shift_x + share * (target.shift_x - start.shift_x),
        shift_y=start.shift_y + share * (target.shift_y - start.shift_y),
        approach=start.approach + share * (target.approach - start.approach),
    )


def _aim(oval: Oval, rest: FaceExtent, settings: SceneSettings) -> ReliefPose:
    """The position of the face that fills ``oval``."""
    placed = oval.placed(width=settings.width, height=settings.height)
    growth = placed.width / rest.width
    middle_x, middle_y = settings.width / 2, settings.height / 2
    return ReliefPose(
        shift_x=(placed.x - middle_x) / growth - (rest.x - middle_x),
        shift_y=(placed.y - middle_y) / growth - (rest.y - middle_y),
        approach=1 - 1 / growth,
    )


def _adjusted(
    now: ReliefPose, oval: Oval, extent: FaceExtent, rest: FaceExtent, settings: SceneSettings
) -> ReliefPose:
    """A part of the way to the required position, like a person who watches the preview."""
    part, growth = 0.25, extent.width / rest.width
    placed = oval.placed(width=settings.width, height=settings.height)
    return ReliefPose(
        shift_x=now.shift_x + part * (placed.x - extent.x) / growth,
        shift_y=now.shift_y + part * (placed.y - extent.y) / growth,
        approach=1 - (1 - now.approach) * (extent.width / placed.width) ** part,
    )


def _join(one: ReliefPose, other: ReliefPose) -> ReliefPose:
    return replace(
        one,
        shift_x=one.shift_x + other.shift_x,
        shift_y=one.shift_y + other.shift_y,
        approach=one.approach + other.approach,
    )


def _person(
    photo: Photo, settings: SceneSettings, rng: np.random.Generator
) -> Callable[[float, ReliefPose], BgrImage]:
    person = Person(photo, settings, rng)

    def show(time: float, moved: ReliefPose) -> BgrImage:
        state = person.state_at(time)
        return person.show(replace(state, head=_join(state.head, moved)))

    return show


def _print(
    photo: Photo, settings: SceneSettings, rng: np.random.Generator, bend: float
) -> Callable[[float, ReliefPose], BgrImage]:
    victim = Person(photo, settings, rng)
    selfie = crop_around_face(
        victim.show(PersonState(head=ReliefPose())),
        face_centre=victim.face_centre,
        face_pixels=victim.face_pixels,
        face_share=0.6,
    )
    tall, wide = selfie.shape[:2]
    sheet = Sheet(
        rng,
        viewport=viewport_of(settings),
        size=(wide, tall),
        bend=bend * wide,
        edge_colour=(236,) * 3,
        edge=8,
    )
    sheet.place_picture(selfie)
    hand = Wandering(
        rng,
        rms=ReliefPose(yaw=3, pitch=3, roll=1.5, shift_x=5, shift_y=5, approach=0.01),
        lowest=0.2,
        highest=1.2,
    )
    return lambda time, moved: sheet.before_the_room(sheet.render(_join(hand.at(time), moved)))[0]
