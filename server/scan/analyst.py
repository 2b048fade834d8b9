"""The CPU work on frames, for the worker pool: no event loop; a scan's state stays with its watcher."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from liveness.collect import FOLLOW_SECONDS
from liveness.dynamic.measurement import sample_frame as sample_flash
from liveness.dynamic.sample import ExposureReading, FlashSample
from liveness.express.frame_cues import measure_frame_cues
from liveness.express.interface import FrameCues, PadScore
from liveness.observation import FrameObservation, GreyView, PassedFrame
from liveness.observe import fine_view, sample_frame
from liveness.upright import UprightFaces
from liveness.watch import FrameWatcher
from matcher.persons import persons_among
from matcher.template import TemplateSample, sample_quality
from server.scan.frame_pictures import FrameDecoder, FramePicture
from server.scan.messages import CaptureBudget, ExposureClaim, FrameMessage
from vision.face import BgrImage, Box, DetectedFace, HeadPose
from vision.image import GreyImage
from vision.packs import Pack

# As for the portrait: small faces in the background and unsure ones make no second person.
_SECOND_FACE_FRACTION = 1 / 3
_SURE_FACE = 0.6

Measure = Callable[[GreyImage | BgrImage], None]

_STRAIGHT = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """A frame after the work that every frame gets.

    Attributes:
        message: The frame as it arrived; its bytes are what evidence keeps.
        pixels: The upright picture; ``None`` where no detector looked at it.
        observation: What was measured on it.
        depth: Log odds of a head's depth by the motion up to it; ``None`` where they were not asked for.
        light: The upright picture for measuring its light, smaller where it is large; ``None`` where that was
            not asked for.
    """

    message: FrameMessage
    pixels: BgrImage | None
    observation: FrameObservation
    depth: float | None = None
    light: BgrImage | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExaminedFrame:
    """What the expensive models said of a selected frame.

    Attributes:
        frame_index: The frame's index in the attempt.
        sample: Its face's template.
        pad_scores: One for each PAD network.
        cues: What the cues of recapture measured; ``None`` where they were not asked.
    """

    frame_index: int
    sample: TemplateSample
    pad_scores: tuple[PadScore, ...]
    cues: FrameCues | None = None


class FrameAnalyst:
    """Runs a pack's models over frames. Safe to call from several threads at once."""

    def __init__(self, *, pack: Pack, budget: CaptureBudget) -> None:
        """Takes the models and the limits that frames are held to before they are decoded."""
        self._pack = pack
        self._decoder = FrameDecoder(budget)

    def upright_faces(self) -> UprightFaces:
        """What finds the upright faces of one attempt with the pack's detector."""
        return UprightFaces(self._persons)

    def watcher(
        self, *, faces: UprightFaces | None = None, follow_seconds: float = FOLLOW_SECONDS
    ) -> FrameWatcher:
        """What watches one attempt's frames with the pack's detector and landmarker.

        Args:
            faces: What finds the attempt's faces, upright ones only; any that the detector finds where None.
            follow_seconds: Longest time for which a face is followed before the detector looks again.
        """
        landmarker = self._pack.landmarker
        return FrameWatcher(
            find_faces=self._persons if faces is None else faces,
            locate_landmarks=None if landmarker is None else landmarker.locate,
            follow_seconds=follow_seconds,
        )

    def check(self, message: FrameMessage) -> None:
        """Checks what a frame's image declares, without decoding it; quick enough for the event loop.

        Raises:
            Refusal: See ``FrameDecoder.check``.
        """
        self._decoder.check(message)

    def verify(self, message: FrameMessage) -> None:
        """Decodes a frame that nothing is measured of.

        Raises:
            Refusal: As for ``look``.
        """
        self._decoder.coded_luma(message)

    def look(
        self,
        message: FrameMessage,
        capture_time: float,
        *,
        watcher: FrameWatcher | None = None,
        measure: Measure | None = None,
        expects_blink: bool = False,
        expects_depth: bool = False,
        with_light: bool = False,
    ) -> SeenFrame:
        """Decodes a frame as far as it is needed, finds or follows its face and measures it.

        Args:
            message: The frame, already vouched for by its MAC.
            capture_time: Device clock, seconds.
            watcher: What watches the attempt, and takes this frame; without one the detector looks.
            measure: What else measures the picture as it was coded, whichever of luma and colours there is.
            expects_blink: See ``FrameWatcher.watch``.
            expects_depth: See there.
            with_light: Whether ``flash_sample`` is to measure it.

        Raises:
            Refusal: The image is not a JPEG of the declared size within the limits (FRAME_IMAGE_INVALID).
        """
        picture = FramePicture(self._decoder, message, in_colour=with_light)
        watched = (self.watcher() if watcher is None else watcher).watch(
            picture,
            index=message.index,
            capture_time=capture_time,
            fingerprint=fingerprint(message),
            expects_blink=expects_blink,
            expects_depth=expects_depth,
        )
        if measure is not None:
            measure(picture.coded)
        return SeenFrame(
            message=message,
            pixels=watched.pixels,
            observation=watched.observation,
            depth=watched.depth,
            light=picture.light() if with_light else None,
        )

    def fine_view(self, message: FrameMessage) -> tuple[GreyView, float]:
        """See ``liveness.observe.fine_view``.

        Raises:
            Refusal: As for ``look``.
        """
        return fine_view(self._decoder.luma(message))

    def sample(
        self,
        message: FrameMessage,
        capture_time: float,
        *,
        watcher: FrameWatcher,
        measure: Measure | None = None,
    ) -> None:
        """Takes the samples of a frame that is not measured; ``measure`` as for ``look``.

        Raises:
            Refusal: As for ``look``.
        """
        picture = FramePicture(self._decoder, message)
        watcher.pass_over(
            PassedFrame(
                index=message.index,
                capture_time=capture_time,
                fingerprint=fingerprint(message),
                samples=sample_frame(picture.grey()),
            )
        )
        if measure is not None:
            measure(picture.coded)

    def flash_sample(
        self,
        seen: SeenFrame,
        *,
        capture_time: float,
        arrival: float,
        step: int,
        step_since: float | None,
    ) -> FlashSample:
        """What a measured frame shows of the screen's light.

        Args:
            seen: The frame, looked at ``with_light``.
            capture_time: Device clock, seconds.
            arrival: Server's monotonic clock, seconds.
            step: The step that the device claims was on display; 0 for none.
            step_since: When it claims that step appeared, seconds of the device clock.
        """
        observation, message, pixels = seen.observation, seen.message, seen.light
        if pixels is None:
            raise ValueError("only a frame whose light was asked for can be sampled")
        # Two faces have two reflections, and nobody says which is the larger one's.
        face = observation.face if observation.faces == 1 else None
        return sample_flash(
            pixels,
            index=message.index,
            capture_time=capture_time,
            arrival_time=arrival,
            face=None if face is None else _scaled(face, pixels.shape[1] / observation.width),
            followed=observation.followed,
            step=step,
            step_since=step_since,
            exposure=None if message.exposure is None else _exposure(message.exposure),
        )

    def _persons(self, pixels: BgrImage) -> Sequence[DetectedFace]:
        return persons_among(
            self._pack.detector.detect(pixels),
            second_face_fraction=_SECOND_FACE_FRACTION,
            min_confidence=_SURE_FACE,
        )

    def examine(self, seen: SeenFrame, *, with_cues: bool = False) -> ExaminedFrame:
        """Runs the embedder and the PAD networks over a selected frame, which must show a face.

        Args:
            seen: The frame.
            with_cues: Whether the cues of recapture are measured, too.
        """
        face, pixels = seen.observation.face, seen.pixels
        if face is None or pixels is None:
            raise ValueError("only a frame with a face that a detector found can be examined")
        return ExaminedFrame(
            frame_index=seen.observation.index,
            sample=self._sample(pixels, face, seen.observation),
            pad_scores=tuple(
                PadScore(
                    frame_index=seen.observation.index,
                    network=network.name,
                    real_probability=network.real_probability(pixels, face),
                )
                for network in self._pack.pad_networks
            ),
            cues=measure_frame_cues(pixels, face, frame_index=seen.observation.index) if with_cues else None,
        )

    def identify(self, message: FrameMessage, observation: FrameObservation) -> ExaminedFrame:
        """Decodes a frame again and runs the embedder alone over its face, which must be there.

        Raises:
            Refusal: As for ``look``.
        """
        face = observation.face
        if face is None:
            raise ValueError("only a frame with a face can be identified")
        sample = self._sample(self._decoder.colour(message), face, observation)
        return ExaminedFrame(frame_index=observation.index, sample=sample, pad_scores=())

    def _sample(self, pixels: BgrImage, face: DetectedFace, observation: FrameObservation) -> TemplateSample:
        quality = sample_quality(
            sharpness=observation.sharpness or 0.0,
            pose=observation.pose or _STRAIGHT,
            eye_distance=face.eye_distance,
        )
        return TemplateSample(embedding=self._pack.embedder.embed(pixels, face), quality=quality)


def _scaled(face: DetectedFace, scale: float) -> DetectedFace:
    """A face in a picture of another size; pixel centres lie at whole coordinates."""
    box = face.box
    left, top, right, bottom = (
        (edge + 0.5) * scale - 0.5 for edge in (box.left, box.top, box.right, box.bottom)
    )
    points = ((face.five_points + 0.5) * scale - 0.5).astype(np.float32)
    return DetectedFace(box=Box(left, top, right, bottom), confidence=face.confidence, five_points=points)


def _exposure(claim: ExposureClaim) -> ExposureReading:
    return ExposureReading(
        exposure_seconds=claim.exposure_time_ns / 1e9 or None,
        iso=float(claim.iso) or None,
        white_balance_kelvin=float(claim.white_balance_kelvin) or None,
        shutter_skew_seconds=claim.rolling_shutter_skew_ns / 1e9 or None,
        exposure_locked=claim.exposure_locked,
        white_balance_locked=claim.white_balance_locked,
    )


def fingerprint(message: FrameMessage) -> int:
    """The same for frames of the same bytes; for others, by chance, once in four thousand million."""
    return zlib.crc32(message.image)
