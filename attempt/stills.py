"""What a pack's models say of one picture that belongs to no stream of frames."""

from liveness.express.interface import PadScore
from liveness.observation import FrameObservation
from liveness.observe import observe_frame
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.geometry import eye_aspect_ratio
from vision.packs import Pack
from vision.pose import estimate_pose

__all__ = ["landmarks_of", "observe_still", "pad_scores"]


def landmarks_of(pixels: BgrImage, face: DetectedFace, pack: Pack) -> Landmarks | None:
    """Dense landmarks of a face; ``None`` where the pack has no landmarker, or it sees no face.

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
    """What is known of a picture that belongs to no stream of frames.

    Args:
        pixels: The upright picture, shape (height, width, 3), BGR.
        faces: The faces in it, widest first.
        landmarks: Dense landmarks of the first, where there are any.
        index: The picture's index among its like, from 0.
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
    """What each PAD network of the pack says of a face; empty without networks.

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
