"""Measures the cost of the cues."""

import time

import numpy as np

from liveness.express import measure_frame_cues
from liveness.express.frame_cues import FRAME_CUES
from simulator import ScanKind, SceneSettings, builtin_photo_names, builtin_photos, simulate_scan
from vision.face import Box, DetectedFace

__all__ = ["ALL", "milliseconds"]

ALL = "all together"
_REPEATS = 60
_FACE_WIDTH = 200.0
# Eyes, nose and mouth corners of a frontal face, in eye distances from the middle of the eyes.
_POINTS = ((-0.5, 0.0), (0.5, 0.0), (0.0, 0.6), (-0.41, 1.16), (0.41, 1.16))
_EYES_OF_WIDTH = 1 / 2.15


def milliseconds() -> dict[str, float]:
    """Measure the median CPU time of each cue and of all, on one simulated frame of 640 x 480 pixels."""
    name = builtin_photo_names()[0]
    settings = SceneSettings(kind=ScanKind.GENUINE, seed=1, seconds=0.2, width=640, height=480)
    image = next(iter(simulate_scan(builtin_photos(names=(name,))[name], settings))).pixels
    middle = np.array([image.shape[1] / 2, image.shape[0] / 2 - 0.25 * _FACE_WIDTH])
    points = (middle + _FACE_WIDTH * _EYES_OF_WIDTH * np.array(_POINTS)).astype(np.float32)
    half = _FACE_WIDTH / 2
    box = Box(*(middle - half).tolist(), *(middle + half + [0, half]).tolist())
    face = DetectedFace(box=box, confidence=1.0, five_points=points)
    spent = {}
    for label, only in (*((cue, (cue,)) for cue in FRAME_CUES), (ALL, FRAME_CUES)):
        times = []
        for _ in range(_REPEATS):
            start = time.thread_time()
            measure_frame_cues(image, face, frame_index=0, only=only)
            times.append(time.thread_time() - start)
        spent[label] = 1000 * float(np.median(times))
    return spent
