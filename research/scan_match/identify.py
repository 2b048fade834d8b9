"""From a scan's frames to templates, as the server takes them: follow, select, identify.

The same rooms do the work as in a server (``liveness.collect``, ``liveness.selection``,
``liveness.continuity``, ``matcher.template``); only the network and the pool of threads are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from evaluation.scans import observe_scan
from liveness.continuity import spoken_for, unseen_stretches
from liveness.observation import FrameObservation
from liveness.selection import frame_quality, select_frames
from matcher.persons import persons_among
from matcher.template import TemplateSample, sample_quality
from research.scan_match.clips import Recording, SentFrame
from vision.face import DetectedFace, Embedding, HeadPose
from vision.packs import Pack

__all__ = ["IdentifiedScan", "identify_scan", "portrait_template"]

_MOST_WITNESSES: Final = 8
_STRAIGHT: Final = HeadPose(yaw=0.0, pitch=0.0, roll=0.0)


@dataclass(frozen=True, slots=True)
class IdentifiedScan:
    """A scan's templates.

    Attributes:
        selected: Of the selected frames, in order of time; these are fused.
        witnesses: Of one frame of each stretch that no selected frame speaks for, in order of time.
        selected_places: Indices in the scan of ``selected``.
        places: Indices in the scan of ``everything``.
        everything: Both, in order of time.
        spoken_for: Share of the frames with a face that these speak for, 0..1.
    """

    selected: tuple[TemplateSample, ...]
    witnesses: tuple[TemplateSample, ...]
    selected_places: tuple[int, ...]
    places: tuple[int, ...]
    everything: tuple[TemplateSample, ...]
    spoken_for: float


def identify_scan(frames: Sequence[SentFrame], pack: Pack) -> IdentifiedScan:
    """Follow, select and embed one scan's frames.

    Args:
        frames: In order of time.
        pack: Its detector, landmarks and embedder.
    """
    scan = observe_scan(((frame.time, frame.pixels()) for frame in frames), pack)
    # Not every frame is measured, so an observation's place is not its frame's.
    measured = {observation.index: observation for observation in scan.frames}
    selected = select_frames(scan.frames)
    unseen = [stretch for stretch in unseen_stretches(scan, examined=selected) if stretch.looked]
    witnesses = [
        max(stretch.looked, key=lambda index: frame_quality(measured[index]))
        for stretch in unseen[:_MOST_WITNESSES]
    ]
    samples = {
        index: _sample(frames[index], measured[index], pack) for index in sorted([*selected, *witnesses])
    }
    return IdentifiedScan(
        selected=tuple(samples[index] for index in selected),
        witnesses=tuple(samples[index] for index in sorted(witnesses)),
        selected_places=tuple(selected),
        places=tuple(samples),
        everything=tuple(samples.values()),
        spoken_for=spoken_for(scan, examined=samples),
    )


def portrait_template(recording: Recording, pack: Pack) -> Embedding | None:
    """The template of the first frame before the scans that shows one person; ``None`` without one."""
    for frame in recording.portraits:
        pixels = frame.pixels()
        faces = persons_among(pack.detector.detect(pixels), second_face_fraction=1 / 3, min_confidence=0.6)
        if len(faces) == 1:
            return pack.embedder.embed(pixels, faces[0])
    return None


def _sample(frame: SentFrame, observation: FrameObservation, pack: Pack) -> TemplateSample:
    face = observation.face
    if face is None:
        raise ValueError("a frame without a face was selected")
    return TemplateSample(
        embedding=pack.embedder.embed(frame.pixels(), face), quality=_quality(observation, face)
    )


def _quality(observation: FrameObservation, face: DetectedFace) -> float:
    return sample_quality(
        sharpness=observation.sharpness or 0.0,
        pose=observation.pose or _STRAIGHT,
        eye_distance=face.eye_distance,
    )
