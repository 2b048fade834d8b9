"""One movement challenge in virtual time: a simulated phone, and the server's own work on its frames."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from liveness.dynamic.challenge import Complete, MoveOval, OvalScript, Wait
from liveness.dynamic.movement import MovementChallenge, MovementResult, PerspectiveFinding, judge_movement
from liveness.extent import face_extent
from liveness.guidance import Oval
from liveness.observation import GreyView
from liveness.observe import fine_view
from liveness.watch import FrameWatcher
from research.movement.cases import Approacher, Case, settings_of
from simulator import AppGuide, Photo, ScreenLight, simulate_flash_scan
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["Played", "play"]

_ROUND_TRIP: Final = 0.05
_QUALITY: Final = 88
"""Of the JPEGs that are sent."""


@dataclass(frozen=True, slots=True)
class Played:
    """How an attempt went.

    Attributes:
        result: The judge's.
        seen: What the perspective showed; ``None`` where it could not be measured.
        seconds: From the first oval to the end.
        ovals_filled: Of two for each approach.
    """

    result: MovementResult
    seen: PerspectiveFinding | None
    seconds: float
    ovals_filled: int


def play(case: Case, photo: Photo, *, pack: Pack) -> Played:
    """Play one attempt to its end.

    Args:
        case: Who comes closer, and everything that is drawn.
        photo: The person or the victim.
        pack: Its detector and landmarker look at the frames, as in a server.
    """
    settings = settings_of(case)
    light, guide = ScreenLight(settings.phone, seed=case.seed), AppGuide(seed=case.seed)
    drawn = np.random.default_rng(case.seed)
    challenge = MovementChallenge(OvalScript(drawn.bytes, rest=Oval()))
    filmed = OvalScript(drawn.bytes, rest=Oval()) if case.approacher is Approacher.RECORDED_APPROACH else None
    watcher = FrameWatcher(
        find_faces=pack.detector.detect,
        locate_landmarks=None if pack.landmarker is None else pack.landmarker.locate,
    )
    time = 0.0
    for index, frame in enumerate(simulate_flash_scan(photo, settings, light, guide)):
        time = frame.capture_time
        pixels = _as_sent(frame.pixels)
        watched = watcher.watch(_Decoded(pixels), index=index, capture_time=time)
        # A film shows what it shows; everybody else sees themselves.
        if filmed is None and (face := watched.observation.face) is not None:
            seen = face_extent(face)
            guide.notice(
                seen.width / settings.width,
                centre=(seen.x / settings.width, seen.y / settings.height),
                at=time,
            )
        view, scale = fine_view(pixels)
        challenge.add(replace(watched.observation, view=view, view_scale=scale))
        if _act(challenge, guide, filmed, time):
            break
    record = challenge.record
    return Played(
        result=judge_movement(record, watcher.observations),
        seen=record.seen(),
        seconds=time,
        ovals_filled=len(record.held),
    )


def _act(challenge: MovementChallenge, guide: AppGuide, filmed: OvalScript | None, time: float) -> bool:
    """Do what the challenge wants; whether it is over."""
    while True:
        match challenge.next_action(now=time):
            case MoveOval() as move:
                oval = move.oval if filmed is None else filmed.draw().oval
                guide.fill(
                    oval.width,
                    centre=(oval.centre_x, oval.centre_y),
                    at=time + _ROUND_TRIP,
                    seconds=move.transition_seconds,
                )
            case Complete():
                return True
            case Wait():
                return False


class _Decoded:
    """A picture that is decoded already."""

    def __init__(self, image: BgrImage) -> None:
        self._image = image

    def grey(self) -> GreyView:
        return np.asarray(cv2.cvtColor(self._image, cv2.COLOR_BGR2GRAY), np.uint8)

    def colour(self) -> BgrImage:
        return self._image


def _as_sent(image: BgrImage) -> BgrImage:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
