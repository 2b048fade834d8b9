"""Measures scans of clips, for the studies and for tests."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from attempt import DecodedFrame, PacedWatch, persons_of
from lab.evaluation.scans import as_sent
from lab.evaluation.scans import clip_windows as windows_of
from liveness import FrameObservation, FrameSelector, ScanObservations
from matcher import SubjectRule
from vision.face import BgrImage
from vision.packs import Pack


def clip_windows(
    path: Path, *, seconds: float = 4.0, most: int = 4, rate: float = 16.0
) -> Iterator[list[tuple[float, BgrImage]]]:
    """Split a clip into scans with images as a server decodes them; see ``lab.evaluation.scans``."""
    return windows_of(path, as_sent, seconds=seconds, most=most, rate=rate)


def observe_scan(
    frames: Iterable[tuple[float, BgrImage]], pack: Pack, *, subject: SubjectRule
) -> ScanObservations:
    """Return the measurements of a scan, made at the server's pace and detection interval.

    Args:
        frames: Capture times, seconds, and frames.
    """
    watch = PacedWatch(pack, faces=partial(persons_of, pack=pack, rule=subject))
    for index, (time, image) in enumerate(frames):
        watch.watch_frame(DecodedFrame(image), index=index, capture_time=time)
    return watch.observations


def select_frames(observations: Iterable[FrameObservation]) -> tuple[int, ...]:
    """Return the indices of the selected frames of a scan, in order; see ``FrameSelector``."""
    selector = FrameSelector()
    for observation in observations:
        selector.select_frame(observation)
    return selector.selected
