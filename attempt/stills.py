"""Runs a pack's models on one image that belongs to no stream of frames."""

from liveness import FrameObservation, observe_frame
from liveness.express import PadScore
from matcher import TemplateSample, sample_quality
from vision.face import BgrImage, DetectedFace, HeadPose, Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs import Pack
from vision.pose import estimate_pose

__all__ = ["landmarks_of", "observe_still", "pad_scores", "sample_of"]

_STRAIGHT = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)


def landmarks_of(pixels: BgrImage, face: DetectedFace, pack: Pack) -> Landmarks | None:
    """Returns a face's dense landmarks; ``None`` if the pack has no landmarker, or it finds no face.

    Raises:
        ModelFailed: The landmarker failed.
    """
    return None if pack.landmarker is None else pack.landmarker.locate(pixels, face)


def observe_still(
    pixels: BgrImage,
    *,
    faces: tuple[DetectedFace, ...],
    landmarks: Landmarks | None,
    index: int,
    capture_time: float,
) -> FrameObservation:
    """Measures one image that belongs to no stream of frames.

    Args:
        pixels: The upright image, shape (height, width, 3), BGR.
        faces: The faces in it, the subject's first.
        landmarks: Dense landmarks of the first face, if there are any.
        index: The image's index in its series, from 0.
        capture_time: Seconds, increasing with the index.
    """
    return observe_frame(
        pixels,
        index=index,
        capture_time=capture_time,
        faces=faces,
        pose=None if landmarks is None else estimate_pose(landmarks, (pixels.shape[1], pixels.shape[0])),
        eyes=None if landmarks is None else eye_aspect_ratio(landmarks),
    )


def pad_scores(pixels: BgrImage, face: DetectedFace, pack: Pack, *, frame_index: int) -> tuple[PadScore, ...]:
    """Returns the score of each of the pack's PAD networks for a face; empty without networks.

    Raises:
        ModelFailed: A network failed.
    """
    return tuple(
        PadScore(
            frame_index=frame_index,
            network=network.name,
            real_probability=network.real_probability(pixels, face),
        )
        for network in pack.pad_networks
    )


def sample_of(
    pixels: BgrImage, face: DetectedFace, observation: FrameObservation, pack: Pack
) -> TemplateSample:
    """Embeds a face; the sample's weight in a fused template is the quality of the frame.

    Raises:
        ModelFailed: The embedder failed.
    """
    quality = sample_quality(
        sharpness=observation.sharpness or 0.0,
        pose=observation.pose or _STRAIGHT,
        eye_distance=face.eye_distance,
    )
    return TemplateSample(embedding=pack.embedder.embed(pixels, face), quality=quality)
