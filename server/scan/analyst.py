"""The CPU work on frames, for the worker pool: no event loop; a scan's state stays with its collector."""

from dataclasses import dataclass

import numpy as np

from liveness.collect import ScanCollector
from liveness.express.interface import PadScore
from liveness.observation import FrameObservation
from liveness.observe import observe_followed, observe_frame, view_frame
from matcher.persons import persons_among
from matcher.template import TemplateSample, sample_quality
from server.errors import Reason, Refusal
from server.scan.messages import CaptureBudget, FrameMessage
from vision.errors import ImageError
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.image import DecodeLimits, decode_image, rotate_upright
from vision.image_header import ImageFormat
from vision.packs import Pack

# As for the portrait: small faces in the background and unsure ones make no second person.
_SECOND_FACE_FRACTION = 1 / 3
_SURE_FACE = 0.6

_STRAIGHT = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class SeenFrame:
    """A frame after the work that every frame gets.

    Attributes:
        message: The frame as it arrived; its bytes are what evidence keeps.
        pixels: The upright picture.
        observation: What was measured on it.
    """

    message: FrameMessage
    pixels: BgrImage
    observation: FrameObservation


@dataclass(frozen=True, slots=True, eq=False)
class ExaminedFrame:
    """What the expensive models said of a selected frame."""

    frame_index: int
    sample: TemplateSample
    pad_scores: tuple[PadScore, ...]


class FrameAnalyst:
    """Runs a pack's models over frames. Safe to call from several threads at once."""

    def __init__(self, *, pack: Pack, budget: CaptureBudget) -> None:
        """Takes the models and the limits that frames are held to before they are decoded."""
        self._pack = pack
        self._limits = DecodeLimits(
            max_bytes=budget.max_frame_bytes,
            max_pixels=budget.max_frame_pixels,
            max_side=budget.max_frame_pixels // budget.min_frame_side,
            min_side=budget.min_frame_side,
        )

    @property
    def sees_eyes(self) -> bool:
        """Whether the pack finds the outlines of eyes, and so can see a blink."""
        return self._pack.landmarker is not None

    def look(
        self, message: FrameMessage, capture_time: float, *, collector: ScanCollector | None = None
    ) -> SeenFrame:
        """Decodes a frame, finds its face and measures it.

        Args:
            message: The frame, already vouched for by its MAC.
            capture_time: Device clock, seconds.
            collector: What follows the face between the detector's looks, and takes this frame; without
                one the detector looks.

        Raises:
            Refusal: The image is not a JPEG of the declared size within the limits (FRAME_IMAGE_INVALID).
        """
        pixels = self._upright(message)
        view = view_frame(pixels)
        followed = None if collector is None else collector.follow(view, capture_time)
        if followed is None:
            faces = persons_among(
                self._pack.detector.detect(pixels),
                second_face_fraction=_SECOND_FACE_FRACTION,
                min_confidence=_SURE_FACE,
            )
            observation = observe_frame(
                pixels,
                index=message.index,
                capture_time=capture_time,
                faces=faces,
                landmarks=self._landmarks(pixels, faces[0]) if faces else None,
                seen=view,
            )
        else:
            observation = observe_followed(
                view,
                index=message.index,
                capture_time=capture_time,
                face=followed.face,
                looked=followed.looked,
                landmarks=self._landmarks(pixels, followed.face),
            )
        if collector is not None:
            observation = collector.add(observation)
        return SeenFrame(message=message, pixels=pixels, observation=observation)

    def _upright(self, message: FrameMessage) -> BgrImage:
        try:
            decoded = decode_image(
                message.image,
                limits=self._limits,
                formats=frozenset({ImageFormat.JPEG}),
                honour_exif_orientation=False,
            )
        except ImageError as error:
            raise Refusal(
                Reason.FRAME_IMAGE_INVALID,
                f"the image of frame {message.index} cannot be used: {error}",
                details={"frameIndex": message.index, "fault": error.reason.name},
            ) from error
        header = decoded.header
        if (header.width, header.height) != (message.width, message.height):
            raise Refusal(
                Reason.FRAME_IMAGE_INVALID,
                f"the image of frame {message.index} has {header.width} x {header.height} pixels, its header "
                f"says {message.width} x {message.height}",
                details={
                    "frameIndex": message.index,
                    "width": header.width,
                    "height": header.height,
                    "declaredWidth": message.width,
                    "declaredHeight": message.height,
                },
            )
        upright = rotate_upright(decoded.pixels, degrees=message.rotation_degrees, mirrored=message.mirrored)
        return np.ascontiguousarray(upright)

    def _landmarks(self, pixels: BgrImage, face: DetectedFace) -> Landmarks | None:
        return None if self._pack.landmarker is None else self._pack.landmarker.locate(pixels, face)

    def examine(self, seen: SeenFrame) -> ExaminedFrame:
        """Runs the embedder and the PAD networks over a selected frame, which must show a face."""
        face = seen.observation.face
        if face is None:
            raise ValueError("only a frame with a face can be examined")
        return ExaminedFrame(
            frame_index=seen.observation.index,
            sample=self._sample(seen.pixels, face, seen.observation),
            pad_scores=tuple(
                PadScore(
                    frame_index=seen.observation.index,
                    network=network.name,
                    real_probability=network.real_probability(seen.pixels, face),
                )
                for network in self._pack.pad_networks
            ),
        )

    def identify(self, message: FrameMessage, observation: FrameObservation) -> ExaminedFrame:
        """Decodes a frame again and runs the embedder alone over its face, which must be there.

        Raises:
            Refusal: As for ``look``.
        """
        face = observation.face
        if face is None:
            raise ValueError("only a frame with a face can be identified")
        sample = self._sample(self._upright(message), face, observation)
        return ExaminedFrame(frame_index=observation.index, sample=sample, pad_scores=())

    def _sample(self, pixels: BgrImage, face: DetectedFace, observation: FrameObservation) -> TemplateSample:
        quality = sample_quality(
            sharpness=observation.sharpness or 0.0,
            pose=observation.pose or _STRAIGHT,
            eye_distance=face.eye_distance,
        )
        return TemplateSample(embedding=self._pack.embedder.embed(pixels, face), quality=quality)
