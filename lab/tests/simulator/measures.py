"""Measurements on simulated frames that are independent of the simulator's own geometry."""

from collections.abc import Sequence

import cv2
import numpy as np

from lab.simulator import SimulatedFrame
from vision.face import BgrImage, Landmarks, Points
from vision.geometry import eye_aspect_ratio, lip_gap
from vision.packs.pack import Pack


def landmarks_of(pack: Pack, image: BgrImage) -> Points:
    assert pack.landmarker is not None
    landmarks = pack.landmarker.locate(image, pack.detector.detect(image)[0])
    assert landmarks is not None
    return landmarks.points


def eye_openings(pack: Pack, frames: Sequence[SimulatedFrame]) -> list[float]:
    """Mean eye aspect ratio of every frame that shows a face."""
    return [float(np.mean(eye_aspect_ratio(landmarks))) for landmarks in _located(pack, frames)]


def lip_gaps(pack: Pack, frames: Sequence[SimulatedFrame]) -> list[float]:
    """Gap between the inner lips in every frame that shows a face, centimetres on the canonical face."""
    gaps = [lip_gap(landmarks) for landmarks in _located(pack, frames)]
    return [gap for gap in gaps if gap is not None]


def _located(pack: Pack, frames: Sequence[SimulatedFrame]) -> list[Landmarks]:
    """The landmarks of the frames that show a face."""
    landmarker = pack.landmarker
    assert landmarker is not None
    seen = [
        landmarker.locate(frame.pixels, face)
        for frame in frames
        for face in pack.detector.detect(frame.pixels)[:1]
    ]
    return [landmarks for landmarks in seen if landmarks is not None]


def non_planar_motion(pack: Pack, frames: Sequence[SimulatedFrame], *, gap: int) -> float:
    """Deviation of the face's movement from a plane's, in per cent of the eye distance.

    Median over frame pairs of the median distance between tracked points (Lucas-Kanade) and the
    homography that fits them best; eyes and mouth are left out.
    """
    residuals = []
    for first, second in zip(frames[:-gap:gap], frames[gap::gap], strict=False):
        points = landmarks_of(pack, first.pixels)
        before = cv2.cvtColor(first.pixels, cv2.COLOR_BGR2GRAY)
        after = cv2.cvtColor(second.pixels, cv2.COLOR_BGR2GRAY)
        region = np.zeros_like(before)
        cv2.fillConvexPoly(region, cv2.convexHull(np.round(points).astype(np.int32)), 255)
        for part in (slice(36, 42), slice(42, 48), slice(48, 60)):
            cv2.fillConvexPoly(region, cv2.convexHull(np.round(points[part]).astype(np.int32)), 0)
        eye_distance = float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))
        corners = cv2.goodFeaturesToTrack(before, 120, 0.01, 0.06 * eye_distance, mask=region)
        assert corners is not None
        start = np.asarray(corners, dtype=np.float32)
        end, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, np.empty_like(start), winSize=(15, 15))
        back, returned, _ = cv2.calcOpticalFlowPyrLK(
            after, before, end, np.empty_like(start), winSize=(15, 15)
        )
        tracked = np.asarray(found, bool).ravel() & np.asarray(returned, bool).ravel()
        good = tracked & (np.linalg.norm((back - start)[:, 0], axis=1) < 0.5)
        assert good.sum() >= 20
        plane, _ = cv2.findHomography(start[good], end[good], 0)
        apart = np.asarray(cv2.perspectiveTransform(start[good], plane)) - end[good]
        residuals.append(100 * float(np.median(np.linalg.norm(apart[:, 0], axis=1))) / eye_distance)
    return float(np.median(residuals))
