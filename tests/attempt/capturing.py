"""Captures, challenges, networks and frames made by hand."""

from dataclasses import replace
from typing import Any

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.challenge import Action, AttemptChallenge, ChallengeFrame
from attempt.frame import Frame, FrameLimits
from attempt.placement import CapturePlan
from liveness.guidance import GuidanceSettings, Oval
from matcher.persons import SCAN_SUBJECT
from tests.server.live import PLAN, pictures
from tests.server.models_once import remembering_pack
from vision.face import BgrImage, DetectedFace
from vision.packs import PadNetwork

# Builds a capture over real frames, and a challenge whose state the test sets.


def capture_of(
    challenge: AttemptChallenge | None = None,
    guidance: GuidanceSettings | None = None,
    plan: CapturePlan = PLAN,
    network: PadNetwork | None = None,
) -> AttemptCapture:
    pack = remembering_pack()
    if network is not None:
        pack = replace(pack, pad_networks=(network,))
    return AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits()),
        plan=plan,
        oval=Oval(),
        guidance=GuidanceSettings() if guidance is None else guidance,
        random=bytes,
        subject=SCAN_SUBJECT,
        challenge=challenge,
    )


def frame_at(index: int) -> Frame:
    picture = pictures()[index]
    return frame_of(index, image=picture.jpeg, capture_time_us=picture.time_us + 1)


class ScriptedChallenge:
    """A challenge with a set progress; implements ``attempt.challenge.AttemptChallenge``."""

    over = settled = False
    gave_up = unproven = False
    awaits_blink = awaits_depth = late = depth_due = measures_light = False
    closing_seconds = 0.0
    hints: tuple[str, ...] = ()
    asks: str | None = None
    wants: tuple[Action, ...] = ()

    def __init__(self) -> None:
        self.progress = 0.0
        self.frames: list[ChallengeFrame] = []
        self.received: list[tuple[Frame, int, float]] = []
        self.reported: list[float] = []

    def hint(self, now: float) -> str | None:
        return self.asks

    def measure_answer(self, frame: ChallengeFrame) -> None:
        self.frames.append(frame)

    def note_claim(self, frame: Frame, *, origin_us: int, arrival: float) -> None:
        self.received.append((frame, origin_us, arrival))

    def note_sent(self, at: float) -> None:
        self.reported.append(at)

    def due(self, now: float) -> float | None:
        return None

    def act(self, now: float, *, frame_index: int) -> tuple[Action, ...]:
        return self.wants


def examine_ahead(capture: AttemptCapture) -> None:
    if (examination := capture.next_examination()) is not None:
        capture.examiner.keep_examined([examination()])


# Frames made by hand.


def frame_of(index: int = 0, **changes: Any) -> Frame:
    """A frame, with ``changes``."""
    fields: dict[str, Any] = {
        "image": b"image %d" % index,
        "index": index,
        "capture_time_us": 1000 + index * 40_000,
        "rotation_degrees": 0,
        "mirrored": False,
        "width": 360,
        "height": 480,
    }
    return Frame(**(fields | changes))


def undecodable(jpeg: bytes) -> bytes:
    """A JPEG with the header of another, and nothing behind it that decodes."""
    tables = jpeg.index(b"\xff\xdb"), jpeg.index(b"\xff\xc4")
    assert jpeg.index(b"\xff\xc0") > tables[0]
    return jpeg.replace(b"\xff\xc4\x00", b"\xff\xc4\xff")


# A PAD network that records how often it is asked.


class CountingNetwork:
    """Gives every face the same probability; implements ``vision.packs.interfaces.PadNetwork``.

    Attributes:
        asked: The number of faces it has scored.
    """

    def __init__(self, name: str = "counting", *, real: float = 0.5) -> None:
        """Start at 0; ``real`` is the probability of a real face."""
        self.name = name
        self.asked = 0
        self._real = real

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        """The probability of a real face, whatever the image shows."""
        self.asked += 1
        return self._real
