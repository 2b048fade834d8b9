"""Makes templates of a scan's frames as the server does: follow, select, identify.

An attempt does the work as in a server (``attempt.capture``), without the network connection, the thread pool
and the PAD networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from attempt import Frame, capture_clip, identity_constancy, persons_of
from liveness import examined_share
from matcher import SCAN_SUBJECT, SubjectRule, TemplateSample
from research.scan_match.clips import Recording, SentFrame
from vision.face import Embedding
from vision.packs import Pack

__all__ = ["IdentifiedScan", "identify_scan", "portrait_template"]


@dataclass(frozen=True, slots=True)
class IdentifiedScan:
    """The templates of a scan that are within the range of the calibration.

    Attributes:
        selected: Templates of the selected frames, in order of time; these are fused.
        witnesses: Templates of one frame of each stretch that no selected frame represents, in order of time.
        selected_places: Indices in the scan of ``selected``.
        places: Indices in the scan of ``everything``.
        everything: Both, in order of time.
        examined_share: Share of the frames with a face that these represent, 0..1.
        constant: Whether a server would decide, without a portrait, that they show one person; ``None`` if it
            would not decide.
    """

    selected: tuple[TemplateSample, ...]
    witnesses: tuple[TemplateSample, ...]
    selected_places: tuple[int, ...]
    places: tuple[int, ...]
    everything: tuple[TemplateSample, ...]
    examined_share: float
    constant: bool | None


def identify_scan(frames: Sequence[SentFrame], pack: Pack) -> IdentifiedScan:
    """Follow, select and embed one scan's frames.

    Args:
        frames: Frames in order of time.
        pack: The pack with detector, landmarker and embedder.
    """
    # No more than templates.
    capture = capture_clip(
        (_arrived(frame, index) for index, frame in enumerate(frames)),
        pack=replace(pack, pad_networks=()),
        subject=SCAN_SUBJECT,
    )
    capture.examine_rest()
    selected = {one.frame_index: one.sample for one in capture.examined if one.sample.comparable}
    witnesses = {one.frame_index: one.sample for one in capture.witnesses if one.sample.comparable}
    samples = dict(sorted((selected | witnesses).items()))
    constant, _ = identity_constancy(
        capture.observations, samples, calibration=pack.match_calibration, witnesses=len(witnesses)
    )
    return IdentifiedScan(
        selected=tuple(selected.values()),
        witnesses=tuple(witnesses[index] for index in sorted(witnesses)),
        selected_places=tuple(selected),
        places=tuple(samples),
        everything=tuple(samples.values()),
        examined_share=examined_share(capture.observations, examined=samples),
        constant=constant,
    )


def portrait_template(recording: Recording, pack: Pack) -> Embedding | None:
    """Return the template of the first frame before the scans that shows one person; ``None`` without one."""
    for frame in recording.portraits:
        pixels = frame.pixels()
        faces = persons_of(pixels, pack, rule=SubjectRule())
        if len(faces) == 1:
            return pack.embedder.embed(pixels, faces[0])
    return None


def _arrived(frame: SentFrame, index: int) -> Frame:
    height, width = frame.pixels().shape[:2]
    return Frame(
        image=frame.jpeg,
        index=index,
        capture_time_us=round(1e6 * frame.time),
        rotation_degrees=0,
        mirrored=False,
        width=width,
        height=height,
    )
